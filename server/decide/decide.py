"""The decision itself: a pure function of the question and the snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from experiments.assignment import Assignment
from experiments.events import AssignedVariant, OfferChoice
from server.catalogue import Placement
from server.decide.rank import best
from server.decide.score import score
from server.decide.visit import Visit
from server.programme import Snapshot

RANKING_PARAMETER = "ranking"
"""A variant with this parameter says how to rank."""
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
    visit: Visit,
    assigned: Sequence[Assignment],
    *,
    count: int,
    time: datetime,
) -> Choice:
    """Choose offers for a member at a placement.

    Args:
        snapshot: Catalogue, plan and models in force.
        placement: Where the answer is shown; its task says which model ranks.
        visit: Who asks, and what is known of her.
        assigned: The member's assignments in the running experiments of the placement.
        count: How many offers at most, at least 1.
        time: For which offers must be valid, and up to which purchases are seen.
    """
    assignments = tuple(one for one in assigned if one.variant_id is not None)
    candidates = snapshot.candidates.on(placement, _local_day(time, snapshot.catalogue.zone))
    ranking = _ranking(placement, assignments)
    scored = score(snapshot.bundle_at(placement), candidates, visit, ranking, time)
    chosen = best(scored.scores, scored.popularity, count)
    places = scored.places[chosen].tolist()
    return Choice(
        offers=tuple(
            OfferChoice(candidates.offers[place].offer_id, rank, value, CERTAIN, reasons)
            for rank, (place, value, reasons) in enumerate(
                zip(places, scored.scores[chosen].tolist(), scored.reasons(chosen), strict=True), start=1
            )
        ),
        ranking=scored.ranking,
        degradations=scored.degradations,
        eligible_count=len(scored.places),
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
