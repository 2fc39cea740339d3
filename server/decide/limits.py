"""Consent, contact policy, quiet hours, cool-downs and caps: what a member's own state closes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from experiments.log.events import to_micros
from server.catalogue import DECISION, Cap, Catalogue, CoolDown, Offer, QuietHours
from server.decide.context import DecisionContext
from server.decide.explore import Quota
from server.decide.gates import Gate
from server.decide.table import CandidateTable, ChannelPattern
from server.members import EventTally, MemberState

_MICROS_A_DAY = 86_400_000_000
REDEEMED_ONCE = Cap(most=1, count="redemption")
"""What holds for a coupon unless it, or one of its groups, has a cap on redemptions of its own."""


@dataclass(frozen=True, slots=True)
class _GroupCap:
    group_id: str
    cap: Cap


class MemberLimits:
    """The limits of a catalogue, compiled once.

    Args:
        catalogue: Checked.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        outbound = tuple(one.channel_id for one in catalogue.channels if one.outbound)
        self._zone = catalogue.zone
        self._policies = tuple(
            (frozenset(one.channels or outbound), one) for one in catalogue.contact_policies
        )
        self._quiet = tuple((frozenset(one.channels or outbound), one) for one in catalogue.quiet_hours)
        self._cool_downs = catalogue.cool_downs
        self._groups: dict[str, str] = {}
        self._caps: dict[tuple[str, str], list[Cap]] = defaultdict(list)
        self._group_caps: dict[tuple[str, str], list[_GroupCap]] = defaultdict(list)
        for candidate in catalogue.candidates_by_id.values():
            lineage = catalogue.lineage(candidate.group_id)
            self._groups[candidate.candidate_id] = candidate.group_id
            caps = list(candidate.caps)
            every = [*caps, *(cap for group in lineage for cap in group.caps)]
            if (
                isinstance(candidate, Offer)
                and candidate.kind == "coupon"
                and not any(cap.count == REDEEMED_ONCE.count for cap in every)
            ):
                caps.append(REDEEMED_ONCE)
            for cap in caps:
                self._caps[cap.count, candidate.candidate_id].append(cap)
            for group in lineage:
                for cap in dict.fromkeys(group.caps):
                    self._group_caps[cap.count, candidate.candidate_id].append(_GroupCap(group.group_id, cap))

        self._given_caps = tuple(
            _GroupCap(group.group_id, cap)
            for group in catalogue.groups
            for cap in dict.fromkeys(group.caps)
            if cap.count == DECISION
        )

    def of_way(self, way: ChannelPattern, context: DecisionContext) -> Gate:
        """Return the gate that is closed to everything that travels this way, or ``OPEN``."""
        state, channel_id = context.state, way.channel_id
        if way.purposes and not all(state.profile.consented(channel_id, purpose) for purpose in way.purposes):
            return Gate.NO_CONSENT
        if not channel_id:
            return Gate.OPEN
        micros = to_micros(context.time)
        for channels, policy in self._policies:
            if channel_id in channels:
                since = _since(micros, policy.days)
                made = sum(
                    tally.since(since)
                    for one in channels
                    if (tally := state.by_channel.get((DECISION, one))) is not None
                )
                if made >= policy.most:
                    return Gate.CONTACT_POLICY
        for channels, quiet in self._quiet:
            if channel_id in channels and self._is_quiet(quiet, context):
                return Gate.QUIET_HOURS
        rests = any(
            cool.scope == "channel" and _rests(cool, state, channel_id, micros) for cool in self._cool_downs
        )
        return Gate.COOL_DOWN if rests else Gate.OPEN

    def everything_rests(self, state: MemberState, now: datetime) -> bool:
        """Tell whether the member said no to everything lately."""
        micros = to_micros(now)
        return any(
            _is_recent(state.by_event.get(event), cool, micros)
            for cool in self._cool_downs
            if cool.scope == "everything"
            for event in cool.outcome_types
        )

    def closed(
        self, table: CandidateTable, state: MemberState, now: datetime
    ) -> Iterator[tuple[Sequence[int], Gate]]:
        """Yield the rows that the member's own history closes, each lot with its gate.

        Args:
            table: The candidates.
            state: What the log has of the member.
            now: When it is decided.
        """
        if not state.by_candidate:
            return
        micros = to_micros(now)
        # Rests before caps, whatever happened first: the reason must not depend on the order in which a state was folded.
        yield from self._closed_by_rests(table, state, micros)
        yield from self._closed_by_caps(table, state, micros)

    def quotas(self, table: CandidateTable, state: MemberState, now: datetime, count: int) -> list[Quota]:
        """Return what caps of groups leave for one slate, where that is less than the slate's length.

        A slate gives several offers of a group at once, each of which counts; so what a cap has left limits the slate.

        Args:
            table: The candidates.
            state: The member.
            now: The moment of the decision.
            count: Length of the slate.
        """
        if not self._given_caps:
            return []
        micros = to_micros(now)
        left = {(one.group_id, one.cap): one.cap.most for one in self._given_caps}
        for key, tally in state.by_candidate.items():
            if key[0] == DECISION:
                for one in self._group_caps.get(key, ()):
                    left[one.group_id, one.cap] -= _counted(tally, one.cap, micros)
        found = []
        for (group_id, _), most in left.items():
            # A cap that is reached has closed its rows already.
            if 0 < most < count and group_id in table.group_places:
                kinds = np.full(len(table), -1, dtype=np.int64)
                kinds[table.group_places[group_id]] = 0
                found.append(Quota(kinds, most))
        return found

    def _closed_by_rests(
        self, table: CandidateTable, state: MemberState, micros: int
    ) -> Iterator[tuple[Sequence[int], Gate]]:
        for (event, candidate_id), tally in state.by_candidate.items():
            for cool in self._cool_downs:
                if event in cool.outcome_types and _is_recent(tally, cool, micros):
                    yield self._resting(cool, table, candidate_id), Gate.COOL_DOWN

    def _closed_by_caps(
        self, table: CandidateTable, state: MemberState, micros: int
    ) -> Iterator[tuple[Sequence[int], Gate]]:
        group_tallies: dict[tuple[str, Cap], int] = defaultdict(int)
        for key, tally in state.by_candidate.items():
            for cap in self._caps.get(key, ()):
                if _counted(tally, cap, micros) >= cap.most:
                    yield table.places.get(key[1], ()), Gate.CAP_REACHED
            for one in self._group_caps.get(key, ()):
                group_tallies[one.group_id, one.cap] += _counted(tally, one.cap, micros)
        for (group_id, cap), count in group_tallies.items():
            if count >= cap.most:
                yield _rows(table, group_id), Gate.CAP_REACHED

    def _resting(self, cool: CoolDown, table: CandidateTable, candidate_id: str) -> Sequence[int]:
        if cool.scope == "candidate":
            return table.places.get(candidate_id, ())
        if cool.scope == "group":
            group_id = self._groups.get(candidate_id, "")
            return _rows(table, group_id) if group_id else table.places.get(candidate_id, ())
        return ()

    def _is_quiet(self, quiet: QuietHours, context: DecisionContext) -> bool:
        local = context.local_time(self._zone).strftime("%H:%M")
        if quiet.start < quiet.end:
            return quiet.start <= local < quiet.end
        return local >= quiet.start or local < quiet.end


def _rows(table: CandidateTable, group_id: str) -> Sequence[int]:
    places = table.group_places.get(group_id)
    return () if places is None else places.tolist()


def _since(micros: int, days: float) -> int:
    return micros - round(days * _MICROS_A_DAY)


def _counted(tally: EventTally, cap: Cap, micros: int) -> int:
    return tally.total if cap.days is None else tally.since(_since(micros, cap.days))


def _is_recent(tally: EventTally | None, cool: CoolDown, micros: int) -> bool:
    return tally is not None and tally.since(_since(micros, cool.days)) > 0


def _rests(cool: CoolDown, state: MemberState, channel_id: str, micros: int) -> bool:
    return any(
        _is_recent(state.by_event.get(event), cool, micros)
        and (
            _is_recent(state.by_channel.get((event, channel_id)), cool, micros)
            or _came_without_channel(state, event, _since(micros, cool.days))
        )
        for event in cool.outcome_types
    )


def _came_without_channel(state: MemberState, event: str, since: int) -> bool:
    # Who said no, and nobody knows on which channel, must be heard on all of them.
    told = sum(tally.since(since) for (kind, _), tally in state.by_channel.items() if kind == event)
    return state.by_event[event].since(since) > told
