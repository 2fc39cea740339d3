"""Which offers can be chosen, and where the model keeps their scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from server.catalogue import Catalogue, Offer, Placement
from training.bundle import Bundle, Task

_MOST_DAYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Candidates:
    """The eligible offers of one placement on one day, joined with the model of the placement's task.

    Attributes:
        offers: Eligible offers in catalogue order.
        columns: For each, its column in the model; -1 where the model does not know it.
        popularity: For each, its popular score; that of an offer which the model does not know is 0 or, if it is lower,
            the lowest of the others. 0 without a model.
    """

    offers: tuple[Offer, ...]
    columns: npt.NDArray[np.int64]
    popularity: npt.NDArray[np.float32]

    def fitting(self, applicable: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Return the places of the candidates that a task is about; those that the model does not know always are.

        Args:
            applicable: bool[offers of the model].
        """
        if applicable.all():
            return np.arange(len(self.offers))
        fits = self.columns < 0
        known = ~fits
        fits[known] = applicable[self.columns[known]]
        return np.flatnonzero(fits)


def fill_unknown(known: npt.NDArray[np.bool_], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return float32[known], the values where the model knows the offer.

    An offer that the model does not know gets 0 or, if that is lower, the lowest of the values: nothing speaks for it, so
    it never stands above an offer for which something does, whether scores are counts, probabilities or below 0.
    """
    filled = np.full(len(known), min(0.0, float(values.min(initial=0.0))), dtype=np.float32)
    filled[known] = values
    return filled


class CandidateIndex:
    """Finds candidates; joins catalogue and model once for each placement and day.

    Safe to share between threads: the worst that a race does is to join twice.
    """

    def __init__(self, catalogue: Catalogue, bundles: Mapping[Task, Bundle]) -> None:
        self._catalogue = catalogue
        self._bundles = bundles
        self._kept: dict[tuple[str, date], Candidates] = {}

    def on(self, placement: Placement, day: date) -> Candidates:
        """Return the candidates of a placement on a local day."""
        key = (placement.placement_id, day)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._join(placement, day)
            if len(self._kept) >= _MOST_DAYS_KEPT:
                self._kept = {}
            self._kept[key] = kept
        return kept

    def _join(self, placement: Placement, day: date) -> Candidates:
        positions = self._catalogue.eligible(placement.placement_id, day)
        offers = tuple(self._catalogue.offers[position] for position in positions.tolist())
        bundle = self._bundles.get(placement.task)
        if bundle is None:
            return Candidates(
                offers, np.full(len(offers), -1, dtype=np.int64), np.zeros(len(offers), dtype=np.float32)
            )
        columns = np.array([bundle.offer_index.get(offer.offer_id, -1) for offer in offers], dtype=np.int64)
        known = columns >= 0
        return Candidates(offers, columns, fill_unknown(known, bundle.model.popular_scores[columns[known]]))
