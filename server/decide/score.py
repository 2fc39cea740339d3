"""Scoring: which candidates the placement's task leaves, what each is worth to the member, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from experiments.events import OfferReason
from server.decide.candidates import Candidates, fill_unknown
from server.decide.visit import Visit
from training.bundle import POPULAR_REASONS, Bundle, OfferModel, Profile, Reason, explain

CHAMPION = "champion"
POPULAR = "popular"
CATALOGUE_ORDER = "catalogue"

MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
MODEL_MISSING = "MODEL_MISSING"
TASK_EXHAUSTED = "TASK_EXHAUSTED"

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the model was asked, kept to explain the answer.

    Attributes:
        model: The model.
        member: The member's position in it, or ``None``.
        past: What she bought.
        present: The same with the basket.
    """

    model: OfferModel
    member: int | None
    past: Profile
    present: Profile


@dataclass(frozen=True, slots=True)
class Scored:
    """The candidates that are left, scored.

    Attributes:
        candidates: All eligible offers of the placement.
        places: int64[n], which of them can be chosen, ascending.
        scores: float32[n].
        ranking: How they were scored.
        degradations: What was missing.
        asked: What the model was asked, where it ranked.
    """

    candidates: Candidates
    places: Places
    scores: npt.NDArray[np.float32]
    ranking: str
    degradations: tuple[str, ...]
    asked: Asked | None = None

    @property
    def popularity(self) -> npt.NDArray[np.float32]:
        """float32[n], what breaks ties."""
        return self.candidates.popularity[self.places]

    def reasons(self, chosen: Places) -> list[tuple[OfferReason, ...]]:
        """Return why each of these was chosen; nothing for an offer that the model does not know.

        Args:
            chosen: int64[k], positions among ``places``.
        """
        columns = self.candidates.columns[self.places[chosen]]
        known = columns >= 0
        found: Sequence[Sequence[Reason]]
        if self.asked is None:
            found = [POPULAR_REASONS] * int(known.sum())
        else:
            asked = self.asked
            found = explain(asked.model, asked.past, asked.present, asked.member, columns[known])
        given = iter(found)
        return [tuple(map(_reason, next(given))) if is_known else () for is_known in known.tolist()]


def score(bundle: Bundle | None, candidates: Candidates, visit: Visit, ranking: str, now: datetime) -> Scored:
    """Score the candidates that the model's task is about for this member.

    Args:
        bundle: The model of the placement's task; none if none is loaded.
        candidates: Eligible offers, joined with it.
        visit: Who asks.
        ranking: How to rank, if the model allows it: ``champion`` or ``popular``.
        now: The moment of the decision.
    """
    everything = np.arange(len(candidates.offers))
    if bundle is None:
        scores = np.zeros(len(everything), dtype=np.float32)
        return Scored(candidates, everything, scores, CATALOGUE_ORDER, (MODEL_MISSING,))
    model = bundle.model
    member = model.member_ids.index(visit.member_id)
    past = visit.past(model, member, bundle.manifest.feature_instant, now)
    present = visit.present(model, past)
    degradations = (MEMBER_UNKNOWN,) if member is None else ()
    places = candidates.fitting(model.applicable(present))
    if not len(places) and len(everything):
        exhausted = (*degradations, TASK_EXHAUSTED)
        return Scored(candidates, everything, candidates.popularity, POPULAR, exhausted)
    if ranking == POPULAR or not model.is_told(present, member, visit.attributes):
        return Scored(candidates, places, candidates.popularity[places], POPULAR, degradations)
    columns = candidates.columns[places]
    known = columns >= 0
    scores = fill_unknown(known, model.scores(present, member, columns[known], visit.attributes))
    asked = Asked(model, member, past, present)
    return Scored(candidates, places, scores, CHAMPION, degradations, asked)


def _reason(reason: Reason) -> OfferReason:
    return OfferReason(
        reason.code.value,
        reason.trip_count,
        reason.span_days,
        reason.interval_days,
        reason.elapsed_days,
        reason.product_id,
    )
