"""Counts what a simulated policy does, decision by decision, and what that is expected to bring."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from experiments.log.events import ActionChoice, OfferChoice, to_micros
from server.catalogue import DECISION, NO_ACTION, Catalogue
from server.decide.choice import Choice, Considered
from server.decide.gates import Gate
from server.decide.table import CandidateTable, response_cost
from server.members import MemberState
from server.whatif.requests import SimulatedRequest

UNKNOWN_PROBABILITY = 0.01
"""Of a response where neither model nor candidate nor arbitration says how likely it is."""


@dataclass(frozen=True, slots=True)
class Worth:
    """One candidate of one answer.

    Attributes:
        probability: Of a response.
        value: Expected, probability × value − cost, in the catalogue's currency, as the arbitration has them; levers and
            context weights set priorities and are not money, so they are left out. None where no arbitration weighed
            probability and value.
        cost: Expected: of giving it, and of a response times its probability.
    """

    probability: float
    value: float | None
    cost: float


def worth_of(considered: Considered, place: int, parts: Sequence[str]) -> Worth:
    """Return what a row of the slate is worth.

    Args:
        considered: How the choice came about.
        place: Row of the table.
        parts: The factors that the arbitration counts; those that it leaves out stand as 1 in its scores.
    """
    table = considered.table
    factors = considered.factors(place)
    weighed = factors is not None and "probability" in parts
    probability = factors["probability"] if factors and weighed else _probability(considered, place)
    cost = float(table.costs[place])
    value = probability * factors["value"] - cost if factors and weighed and "value" in parts else None
    return Worth(probability, value, cost + probability * float(response_cost(table.candidates[place])))


def _probability(considered: Considered, place: int) -> float:
    scored, table = considered.scored, considered.table
    if scored is not None and scored.calibrated and table.columns[place] >= 0 and considered.score(place):
        return min(max(considered.score(place), 0.0), 1.0)
    prior = float(table.priors[place])
    return UNKNOWN_PROBABILITY if np.isnan(prior) else prior


_MICROS_A_DAY = 86_400_000_000
_GATES = len(Gate)


@dataclass(slots=True)
class Given:
    """What became of one offer or action that was given.

    Attributes:
        decisions: Answers that had it.
        member_ids: Who got it.
        first_day: The first day that it was given.
        last_day: The last one.
        value: Expected, of all answers.
        cost: Expected, of all answers.
    """

    first_day: date
    last_day: date
    decisions: int = 0
    member_ids: set[str] = field(default_factory=set)
    value: float = 0.0
    cost: float = 0.0


@dataclass(slots=True)
class AtPlacement:
    """Answers of one placement: all, those with a fallback in them, those without anything, *no action*, refused requests."""

    decisions: int = 0
    fallback: int = 0
    empty: int = 0
    no_action: int = 0
    unanswered: int = 0


@dataclass(slots=True)
class OfMember:
    """What one member got.

    Attributes:
        tier: Their tier at their first request, or empty.
        segments: Those that they were in then.
        answers: Decisions that gave them something.
        value: Expected, of all of them.
        contacts: By channel.
    """

    tier: str
    segments: tuple[str, ...]
    answers: int = 0
    value: float = 0.0
    contacts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Seen:
    table: CandidateTable
    base: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TallyRow:
    """One candidate of one answer, or an empty answer; see ``server.whatif.document``."""

    request: SimulatedRequest
    day: date
    rank: int
    candidate_id: str
    channel_id: str
    score: float
    propensity: float
    worth: Worth | None
    fallback: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """One decision.

    Attributes:
        request: What was asked.
        day: The local day.
        choice: The answer.
        considered: How it came about.
        worths: Of each place of the slate.
        state: The member's state after it.
    """

    request: SimulatedRequest
    day: date
    choice: Choice
    considered: Considered
    worths: Sequence[Worth]
    state: MemberState


class SimulationCounts:
    """Takes in one decision after another.

    Args:
        catalogue: What decides.
        keep_rows: Whether every answer is kept, row by row.

    Attributes:
        decisions: How many were made.
        placements: What answers were like, by placement.
        given: What became of each candidate that was given.
        members: What each member got; everybody who asked.
        policy_members: Who was contacted as often as each contact policy allows, by policy.
        valued: Answers that something was given in and whose worth the arbitration knows.
        value: Expected of these, in all.
        cost: Expected of all answers.
        rows: What was answered, if it is kept.
    """

    def __init__(self, catalogue: Catalogue, *, keep_rows: bool) -> None:
        outbound = tuple(one.channel_id for one in catalogue.channels if one.outbound)
        self._policies = [(one, one.channels or outbound) for one in catalogue.contact_policies]
        self._keep_rows = keep_rows
        self._seen: dict[int, _Seen] = {}
        self.decisions = 0
        self.placements: dict[str, AtPlacement] = {}
        self.given: dict[str, Given] = {}
        self.members: dict[str, OfMember] = {}
        self.policy_members: dict[str, set[str]] = {one.policy_id: set() for one, _ in self._policies}
        self.valued = 0
        self.value = 0.0
        self.cost = 0.0
        self.rows: list[TallyRow] = []

    def refused(self, request: SimulatedRequest) -> None:
        """Count a request that the catalogue cannot answer."""
        self._at(request.placement_id).unanswered += 1

    def met(self, member_id: str, tier: str, segments: tuple[str, ...]) -> None:
        """Note who asks for the first time.

        Args:
            member_id: The member.
            tier: The member's tier.
            segments: The member's segments.
        """
        self.members[member_id] = OfMember(tier, segments)

    def decided(self, answered: Answered) -> None:
        """Count a decision."""
        request, day, choice, considered = (
            answered.request,
            answered.day,
            answered.choice,
            answered.considered,
        )
        self.decisions += 1
        self._count_gates(considered)
        table, places = considered.table, considered.slate.places
        fallback = set(table.fallback)
        at, member = self._at(request.placement_id), self.members[request.member_id]
        at.decisions += 1
        if not places:
            at.empty += 1
        at.fallback += any(place in fallback for place in places)
        channels: set[str] = set()
        something = valued = False
        chosen: tuple[OfferChoice | ActionChoice, ...] = (*choice.offers, *choice.actions)
        for rank, (place, worth, one) in enumerate(
            zip(places, answered.worths, chosen, strict=True), start=1
        ):
            candidate_id, channel_id = table.candidates[place].candidate_id, table.channel_ids[place]
            if self._keep_rows:
                row = TallyRow(
                    request,
                    day,
                    rank,
                    candidate_id,
                    channel_id,
                    one.score,
                    one.propensity,
                    worth,
                    place in fallback,
                )
                self.rows.append(row)
            if candidate_id == NO_ACTION:
                at.no_action += 1
                continue
            something = True
            channels.add(channel_id)
            given = self.given.get(candidate_id)
            if given is None:
                given = self.given[candidate_id] = Given(day, day)
            given.decisions += 1
            given.member_ids.add(request.member_id)
            given.first_day, given.last_day = min(given.first_day, day), max(given.last_day, day)
            given.cost += worth.cost
            self.cost += worth.cost
            if worth.value is not None:
                valued = True
                given.value += worth.value
                member.value += worth.value
                self.value += worth.value
        self.valued += valued
        member.answers += something
        channels.discard("")
        if channels:
            member.contacts.update(channels)
            self._count_policies(request.member_id, channels, answered.state, request.time)
        if self._keep_rows and not places:
            self.rows.append(TallyRow(request, day, 0, "", "", 0.0, choice.slate_propensity, None, False))

    def gates(self) -> dict[str, Counter[Gate]]:
        """Return how often each candidate met each gate; ``OPEN`` where it could be chosen."""
        found: dict[str, Counter[Gate]] = {}
        for seen in self._seen.values():
            counts = seen.counts.reshape(-1, _GATES)
            for place, candidate in enumerate(seen.table.candidates):
                met = found.setdefault(candidate.candidate_id, Counter())
                for code in np.flatnonzero(counts[place]).tolist():
                    met[Gate(code)] += int(counts[place, code])
            decisions = int(counts[0].sum()) if len(counts) else 0
            for candidate_id, gate in seen.table.outside.items():
                found.setdefault(candidate_id, Counter())[gate] += decisions
        return found

    def removed(self) -> Mapping[str, int]:
        """Return how many candidates each gate removed, by its name."""
        totals = np.zeros(_GATES, dtype=np.int64)
        for seen in self._seen.values():
            totals += seen.counts.reshape(-1, _GATES).sum(axis=0)
        return {gate.name: int(totals[gate]) for gate in Gate if gate is not Gate.OPEN and totals[gate]}

    def _count_gates(self, considered: Considered) -> None:
        table = considered.table
        seen = self._seen.get(id(table))
        if seen is None:
            # The table is kept with it, so that no other one takes its id.
            base = np.arange(len(table), dtype=np.int64) * _GATES
            seen = _Seen(table, base, np.zeros(len(table) * _GATES, dtype=np.int64))
            self._seen[id(table)] = seen
        seen.counts[seen.base + considered.codes] += 1

    def _count_policies(self, member_id: str, channels: set[str], state: MemberState, time: datetime) -> None:
        micros = to_micros(time)
        for policy, counted in self._policies:
            if channels.isdisjoint(counted):
                continue
            since = micros - round(policy.days * _MICROS_A_DAY)
            tallies = [state.by_channel.get((DECISION, one)) for one in counted]
            if sum(tally.since(since) for tally in tallies if tally is not None) >= policy.most:
                self.policy_members[policy.policy_id].add(member_id)

    def _at(self, placement_id: str) -> AtPlacement:
        at = self.placements.get(placement_id)
        if at is None:
            at = self.placements[placement_id] = AtPlacement()
        return at
