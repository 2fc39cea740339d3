"""Which offers can be chosen, and where the model keeps their scores."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from server.catalogue import Catalogue, Offer
from training.bundle import Bundle

_MOST_DAYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """The eligible offers of one placement on one day, joined with the model.

    Attributes:
        offers: Eligible offers in catalogue order.
        columns: For each, its column in the model; 0 where the model does not know it.
        unknown: True where the model does not know the offer, so that its scores are 0.
        popularity: For each, its popular score; 0 without a model.
    """

    offers: tuple[Offer, ...]
    columns: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.bool_]
    popularity: npt.NDArray[np.float32]

    def scores(self, bundle: Bundle, member_index: int) -> npt.NDArray[np.float32]:
        """Return the member's score of each candidate."""
        scores = bundle.scores(member_index)[self.columns]
        scores[self.unknown] = 0.0
        return scores


class CandidateIndex:
    """Finds candidates; joins catalogue and model once for each placement and day.

    Safe to share between threads: the worst that a race does is to join twice.
    """

    def __init__(self, catalogue: Catalogue, bundle: Bundle | None) -> None:
        self._catalogue = catalogue
        self._bundle = bundle
        self._kept: dict[tuple[str, date], Candidates] = {}

    def on(self, placement_id: str, day: date) -> Candidates:
        """Return the candidates of a placement on a local day."""
        kept = self._kept.get((placement_id, day))
        if kept is None:
            kept = self._join(placement_id, day)
            if len(self._kept) >= _MOST_DAYS_KEPT:
                self._kept = {}
            self._kept[placement_id, day] = kept
        return kept

    def _join(self, placement_id: str, day: date) -> Candidates:
        positions = self._catalogue.eligible(placement_id, day)
        offers = tuple(self._catalogue.offers[position] for position in positions.tolist())
        index = {} if self._bundle is None else self._bundle.offer_index
        columns = np.array([index.get(offer.offer_id, -1) for offer in offers], dtype=np.int64)
        unknown = columns < 0
        columns[unknown] = 0
        popularity = np.zeros(len(offers), dtype=np.float32)
        if self._bundle is not None and len(self._bundle.offer_ids):
            popularity = np.where(unknown, np.float32(0), self._bundle.popular_scores[columns]).astype(
                np.float32
            )
        return Candidates(offers, columns, unknown, popularity)
