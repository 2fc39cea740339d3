"""The decision itself: a pure function of the question and the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from experiments.assignment import Assignment
from experiments.events import AssignedVariant, OfferChoice
from server.catalogue import Placement
from server.decide.candidates import Candidates
from server.decide.rank import best
from server.programme import Snapshot

CHAMPION = "champion"
POPULAR = "popular"
CATALOGUE_ORDER = "catalogue"
RANKING_PARAMETER = "ranking"
"""A variant with this parameter says how to rank."""

MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
MODEL_MISSING = "MODEL_MISSING"
CERTAIN = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen and how.

    Attributes:
        offers: Best first.
        ranking: The ranking that was used in the end.
        degradations: What was missing.
        eligible_count: Candidates there were.
        assignments: Experiments that reached the member.
    """

    offers: tuple[OfferChoice, ...]
    ranking: str
    degradations: tuple[str, ...]
    eligible_count: int
    assignments: tuple[AssignedVariant, ...]


def decide(
    snapshot: Snapshot,
    placement: Placement,
    member_id: str,
    assigned: Sequence[Assignment],
    *,
    count: int,
    time: datetime,
) -> Choice:
    """Choose offers for a member at a placement.

    Args:
        snapshot: Catalogue, plan and model in force.
        placement: Where the answer is shown.
        member_id: Who asks.
        assigned: The member's assignments in the running experiments of the placement.
        count: How many offers at most, at least 1.
        time: For which offers must be valid.
    """
    assignments = tuple(one for one in assigned if one.variant_id is not None)
    day = _local_day(time, snapshot.catalogue.zone)
    candidates = snapshot.candidates.on(placement.placement_id, day)
    ranking, scores, degradations = _score(snapshot, candidates, member_id, _ranking(placement, assignments))
    chosen = best(scores, candidates.popularity, count)
    return Choice(
        offers=tuple(
            OfferChoice(candidates.offers[position].offer_id, rank, float(scores[position]), CERTAIN)
            for rank, position in enumerate(chosen.tolist(), start=1)
        ),
        ranking=ranking,
        degradations=degradations,
        eligible_count=len(candidates.offers),
        assignments=tuple(
            AssignedVariant(
                a.experiment_id, a.variant_id or "", a.experiment_revision, a.parameters, a.reason.value
            )
            for a in assignments
        ),
    )


def _local_day(time: datetime, zone: ZoneInfo) -> date:
    try:
        return time.astimezone(zone).date()
    except OverflowError:
        # The local day lies outside the calendar, before year 1 or after 9999: its first or last day stands in.
        return time.date()


def _ranking(placement: Placement, assignments: tuple[Assignment, ...]) -> str:
    for assigned in assignments:
        ranking = assigned.parameters.get(RANKING_PARAMETER)
        if ranking is not None:
            return str(ranking)
    return placement.ranking


def _score(
    snapshot: Snapshot, candidates: Candidates, member_id: str, ranking: str
) -> tuple[str, npt.NDArray[np.float32], tuple[str, ...]]:
    bundle = snapshot.bundle
    if bundle is None:
        return CATALOGUE_ORDER, np.zeros(len(candidates.offers), dtype=np.float32), (MODEL_MISSING,)
    member_index = bundle.member_index(member_id)
    if member_index is None:
        return POPULAR, candidates.popularity, (MEMBER_UNKNOWN,)
    if ranking == POPULAR:
        return POPULAR, candidates.popularity, ()
    return CHAMPION, candidates.scores(bundle, member_index), ()
