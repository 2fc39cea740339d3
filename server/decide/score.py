"""Scoring: which candidates the placement's task leaves, what each is worth to the member, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from experiments.log.events import OfferReason
from server.decide.context import Visit
from server.decide.pasts import Pasts
from server.decide.table import Places, Table, fill_unknown
from training.bundle import POPULAR_REASONS, Bundle, OfferModel, Profile, Reason, explain

CHAMPION = "champion"
POPULAR = "popular"
CATALOGUE_ORDER = "catalogue"

MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
MODEL_MISSING = "MODEL_MISSING"
TASK_EXHAUSTED = "TASK_EXHAUSTED"


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
        table: All candidates of the placement.
        places: int64[n], which of its rows can be chosen, ascending.
        scores: float32[n].
        ranking: How they were scored.
        degradations: What was missing.
        asked: What the model was asked, where it ranked.
        from_model: Whether a model gave the scores.
        calibrated: Whether the scores are probabilities of a response.
    """

    table: Table
    places: Places
    scores: npt.NDArray[np.float32]
    ranking: str
    degradations: tuple[str, ...]
    asked: Asked | None = None
    from_model: bool = False
    calibrated: bool = False

    @property
    def popularity(self) -> npt.NDArray[np.float32]:
        """float32[n], what breaks ties; 0 without a model."""
        if not self.from_model:
            return np.zeros(len(self.places), dtype=np.float32)
        return self.table.popularity[self.places]

    def reasons(self, chosen: Places) -> list[tuple[OfferReason, ...]]:
        """Return why each of these was chosen; nothing for an offer that the model does not know.

        Args:
            chosen: int64[k], rows of the table.
        """
        if not self.from_model:
            return [()] * len(chosen)
        columns = self.table.columns[chosen]
        known = columns >= 0
        found: Sequence[Sequence[Reason]]
        if self.asked is None:
            found = [POPULAR_REASONS] * int(known.sum())
        else:
            asked = self.asked
            found = explain(asked.model, asked.past, asked.present, asked.member, columns[known])
        given = iter(found)
        return [tuple(map(_reason, next(given))) if is_known else () for is_known in known.tolist()]


def score(
    bundle: Bundle | None, table: Table, places: Places, visit: Visit, *, ranking: str, now: datetime
) -> Scored:
    """Score the candidates that the model's task is about for this member.

    Args:
        bundle: The model of the placement's task; none if none is loaded.
        table: The candidates, joined with it.
        places: Rows that all gates have left, ascending.
        visit: Who asks.
        ranking: How to rank, if the model allows it: ``champion`` or ``popular``.
        now: The moment of the decision.
    """
    if bundle is None:
        scores = np.zeros(len(places), dtype=np.float32)
        return Scored(table, places, scores, CATALOGUE_ORDER, (MODEL_MISSING,))
    model, attributes = bundle.model, visit.known()
    member, past = pasts_of(table, bundle).of(visit, now)
    present = visit.present(model, past)
    degradations = (MEMBER_UNKNOWN,) if member is None else ()
    fitting = places if model.about_everything else _of_task(table, places, model.applicable(present))
    if not len(fitting) and len(places):
        exhausted = (*degradations, TASK_EXHAUSTED)
        return Scored(table, places, table.popularity[places], POPULAR, exhausted, from_model=True)
    if ranking == POPULAR or not model.is_told(present, member, attributes):
        return Scored(table, fitting, table.popularity[fitting], POPULAR, degradations, from_model=True)
    columns = table.columns[fitting]
    if table.all_known:
        scores = model.scores(present, member, columns, attributes)
    else:
        known = columns >= 0
        scores = fill_unknown(known, model.scores(present, member, columns[known], attributes))
    asked = Asked(model, member, past, present)
    return Scored(
        table,
        fitting,
        scores,
        CHAMPION,
        degradations,
        asked,
        from_model=True,
        calibrated=model.calibrated,
    )


def pasts_of(table: Table, bundle: Bundle) -> Pasts:
    """Return the pasts that decisions at a table share."""
    kept = table.kept.get("pasts")
    if not isinstance(kept, Pasts):
        kept = table.kept["pasts"] = Pasts(bundle)
    return kept


def _of_task(table: Table, places: Places, applicable: npt.NDArray[np.bool_]) -> Places:
    """Return the rows that a task is about; those that the model does not know always are."""
    if applicable.all():
        return places
    columns = table.columns[places]
    fits = columns < 0
    known = ~fits
    fits[known] = applicable[columns[known]]
    return places[fits]


def _reason(reason: Reason) -> OfferReason:
    return OfferReason(
        reason.code.value,
        reason.trip_count,
        reason.span_days,
        reason.interval_days,
        reason.elapsed_days,
        reason.product_id,
    )
