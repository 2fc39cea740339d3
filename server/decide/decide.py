"""The decision itself: a pure function of the question and of what was known when it was asked."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

from server.catalogue import NO_ACTION
from server.decide.arbitrate import weigh
from server.decide.choice import Choice, Considered, choice_of
from server.decide.context import Question
from server.decide.eligibility import Eligibility, check_eligibility
from server.decide.explore import Quota, Rooms, Slate
from server.decide.gates import Gate
from server.decide.policy import HOLDOUT, NO_LEVERS, NO_MODEL, Policy, policy_of
from server.decide.score import Scored, action_effects, score
from server.decide.slate import AnyFloats, best, choose, in_play
from server.decide.table import CandidateTable, Places
from server.programme.snapshot import Snapshot


def decide(snapshot: Snapshot, question: Question) -> tuple[Choice, Considered]:
    """Choose for a member at a placement.

    Args:
        snapshot: Catalogue, plan and models in force.
        question: What is asked.
    """
    placement, catalogue = question.placement, snapshot.catalogue
    assignments = tuple(one for one in question.assigned if one.variant_id is not None)
    policy = policy_of(catalogue, placement, assignments)
    table = snapshot.tables.on(placement, question.channel_id, _local_day(question.time, catalogue.zone))
    held_out = policy.arm == HOLDOUT
    considered = _held_out(table) if held_out else _consider(snapshot, question, policy, table)
    return choice_of(question, policy, assignments, considered), considered


def _consider(snapshot: Snapshot, question: Question, policy: Policy, table: CandidateTable) -> Considered:
    visit, placement = question.visit, question.placement
    attributes = visit.rule_attributes(placement.placement_id, question.time, snapshot.catalogue.zone)
    passing = check_eligibility(
        table,
        snapshot.compiled.book,
        snapshot.compiled.limits,
        visit=visit,
        attributes=attributes,
        closed=question.closed,
        now=question.time,
    )
    fallback = [row for row in table.fallback if not passing.codes[row]]
    if fallback:
        passing.close(fallback, Gate.FALLBACK_ONLY)
    places = passing.open_rows
    # The arm without a model is decided as if none were loaded, which then is nothing that is missing.
    modelled = policy.arm != NO_MODEL
    bundle = snapshot.bundle_at(placement) if modelled else None
    scored = score(bundle, table, places, visit, ranking=policy.ranking, now=question.time)
    _close(passing, places, scored.places, Gate.NOT_OF_TASK)
    effects = None
    if modelled and placement.decides == "actions":
        effects = action_effects(snapshot.actions, table, scored.places, visit.known())
    weighed = None
    scores: AnyFloats = scored.scores
    left = np.arange(len(scored.places))
    if policy.arbitration is not None:
        weighed = weigh(
            policy.arbitration,
            snapshot.compiled.book.weights.get(policy.arbitration.arbitration_id, ()),
            scored,
            attributes,
            question.evidence,
            levers=policy.arm != NO_LEVERS,
            effects=effects,
        )
        scores = weighed.scores
        least = policy.arbitration.least_score
        if least is not None:
            left = np.flatnonzero((scores >= least) | table.of_nothing(scored.places))
            _close(passing, scored.places, scored.places[left], Gate.BELOW_LEAST_SCORE)
    if policy.exploration.cold_share < 1 and not policy.uniform:
        playing = in_play(
            policy.exploration,
            scored,
            left,
            evidence=question.evidence,
            member_id=visit.member_id,
            time=question.time,
        )
        _close(passing, scored.places[left], scored.places[playing], Gate.NEW_TO_FEW)
        left = playing
    actions = placement.decides == "actions"
    count = 1 if actions else question.count
    quotas = _quotas(snapshot, question, table, count)
    slate = choose(
        policy,
        scored,
        weighed,
        scores=scores,
        left=left,
        count=count,
        quotas=quotas,
        seed=question.seed,
        evidence=question.evidence,
    )
    if actions:
        return Considered(table, passing, scored, weighed, slate, _runner_up(scored, scores, left, slate))
    slate = _filled(slate, fallback, count, quotas)
    for row in fallback:
        if row in slate.places:
            passing.open(row)
    return Considered(table, passing, scored, weighed, slate)


def _runner_up(scored: Scored, scores: AnyFloats, left: Places, slate: Slate) -> int | None:
    """Return the row with the best score of another action than the one that was chosen."""
    table, chosen = scored.table, {scored.table.candidates[place].candidate_id for place in slate.places}
    order = (
        scored.places[left][best(scores[left], scored.popularity[left], len(left))].tolist()
        if len(left)
        else []
    )
    return next((place for place in order if table.candidates[place].candidate_id not in chosen), None)


def _held_out(table: CandidateTable) -> Considered:
    passing = Eligibility.closed(table, Gate.HELD_OUT)
    for row in table.places.get(NO_ACTION, ()):
        passing.open(row)
        return Considered(table, passing, slate=Slate((row,), (1.0,)))
    return Considered(table, passing)


def _close(passing: Eligibility, before: Places, after: Places, gate: Gate) -> None:
    if len(before) != len(after):
        passing.close(np.setdiff1d(before, after, assume_unique=True), gate)


def _quotas(snapshot: Snapshot, question: Question, table: CandidateTable, count: int) -> list[Quota]:
    """Return what limits the slate as a whole: the placement's limit on categories and the caps of groups."""
    if count == 1:
        return []
    most = question.placement.most_per_category
    of_categories = [] if most is None or most >= count else [Quota(table.categories, most)]
    limits = snapshot.compiled.limits
    return [*of_categories, *limits.quotas(table, question.visit.state, question.time, count)]


def _filled(slate: Slate, fallback: Sequence[int], count: int, quotas: Sequence[Quota]) -> Slate:
    """Return the slate filled up with fallback offers, which obey the limits on slates too."""
    if len(slate.places) >= count or not fallback:
        return slate
    places, propensities = list(slate.places), list(slate.propensities)
    rooms = Rooms(quotas)
    for place in places:
        rooms.take(place)
    for place in fallback:
        if place not in places and rooms.has(place):
            rooms.take(place)
            places.append(place)
            propensities.append(1.0)
        if len(places) == count:
            break
    return Slate(tuple(places), tuple(propensities))


def _local_day(time: datetime, zone: ZoneInfo) -> date:
    try:
        return time.astimezone(zone).date()
    except OverflowError:
        # The local day lies outside the calendar, before year 1 or after 9999: its first or last day stands in.
        return time.date()
