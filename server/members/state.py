"""The state of a member: what the log has of them, folded. Immutable; each event makes a new one.

A state is a function of the events up to its version and not of the order in which they are folded, so a decision that
names the version can be made again from the log.
"""

import bisect
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from experiments.log.events import OFFERS, Decision, Outcome, to_micros
from server.catalogue.candidates import NO_ACTION
from server.catalogue.limits import DECISION, MAX_COUNTED
from server.members.profile import MemberProfile

PURCHASE, REDEMPTION = "purchase", "redemption"
MAX_TRIPS = 200
"""Trips kept of one member, the latest."""


@dataclass(frozen=True, slots=True)
class Trip:
    """What a member bought at one moment.

    Attributes:
        micros: When, in microseconds since the Unix epoch.
        product_ids: What, ascending and unique.
    """

    micros: int
    product_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventTally:
    """How often something happened.

    Attributes:
        total: In all.
        times: When, ascending, in microseconds since the Unix epoch; the latest, as many as any limit counts.
    """

    total: int = 0
    times: tuple[int, ...] = ()

    def counting(self, micros: int) -> "EventTally":
        """Return the tally with one more."""
        if not self.times or micros >= self.times[-1]:
            times = (*self.times, micros)
        else:
            place = bisect.bisect_right(self.times, micros)
            times = (*self.times[:place], micros, *self.times[place:])
        return EventTally(self.total + 1, times[-MAX_COUNTED:])

    def since(self, micros: int) -> int:
        """Return how often after this time, counted up to what is kept."""
        return len(self.times) - bisect.bisect_right(self.times, micros)


NEVER = EventTally()
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class MemberState:
    """What the log has of a member up to a version. Immutable.

    An *event* is ``decision`` or a type of outcome.

    Attributes:
        member_id: The member.
        version: Counts what the log has of them: 0 for nothing.
        profile: What the programme says of them.
        trips: What they bought, oldest first, the latest ``MAX_TRIPS``.
        by_event: How often each event happened.
        by_candidate: The same by event and offer or action; of decisions, each thing that was given.
        by_channel: The same by event and channel; of decisions, those that gave something.
    """

    member_id: str
    version: int = 0
    profile: MemberProfile = field(default_factory=MemberProfile)
    trips: tuple[Trip, ...] = ()
    by_event: Mapping[str, EventTally] = field(default_factory=dict)
    by_candidate: Mapping[tuple[str, str], EventTally] = field(default_factory=dict)
    by_channel: Mapping[tuple[str, str], EventTally] = field(default_factory=dict)

    def after_profile(self, version: int, profile: MemberProfile) -> "MemberState":
        """Return the state after the programme said something new."""
        return replace(self, version=version, profile=profile)

    def after_decision(
        self, version: int, micros: int, channel_ids: Iterable[str], candidate_ids: Sequence[str]
    ) -> "MemberState":
        """Return the state after a decision.

        Args:
            version: The version that the decision makes.
            micros: Its time.
            channel_ids: The channels that it takes, without empty ones.
            candidate_ids: What it gives, *no action* left out; nothing is counted if it gives nothing.
        """
        if not candidate_ids:
            return replace(self, version=version)
        return replace(
            self,
            version=version,
            by_event=_counted(self.by_event, [DECISION], micros),
            by_candidate=_counted(self.by_candidate, [(DECISION, one) for one in candidate_ids], micros),
            by_channel=_counted(self.by_channel, [(DECISION, one) for one in channel_ids], micros),
        )

    def after_outcome(
        self,
        version: int,
        micros: int,
        event: str,
        *,
        candidate_id: str = "",
        channel_id: str = "",
        product_ids: Sequence[str] = (),
    ) -> "MemberState":
        """Return the state after an outcome.

        Args:
            version: The version that the outcome makes.
            micros: When it happened.
            event: Its type.
            candidate_id: The offer or action it concerns, or empty.
            channel_id: The channel it came by, or empty.
            product_ids: What was bought, if it is a purchase.
        """
        bought = event == PURCHASE and bool(product_ids)
        return replace(
            self,
            version=version,
            trips=_with_trip(self.trips, micros, product_ids) if bought else self.trips,
            by_event=_counted(self.by_event, [event], micros),
            by_candidate=_counted(self.by_candidate, [(event, candidate_id)] if candidate_id else [], micros),
            by_channel=_counted(self.by_channel, [(event, channel_id)] if channel_id else [], micros),
        )


def _counted(tallies: Mapping[Key, EventTally], keys: Sequence[Key], micros: int) -> Mapping[Key, EventTally]:
    if not keys:
        return tallies
    changed = dict(tallies)
    for key in keys:
        changed[key] = changed.get(key, NEVER).counting(micros)
    return changed


def _with_trip(trips: tuple[Trip, ...], micros: int, product_ids: Sequence[str]) -> tuple[Trip, ...]:
    place = bisect.bisect_left(trips, micros, key=lambda trip: trip.micros)
    # Interned: a product is bought again and again, and its name is most of a trip.
    products = {sys.intern(product_id) for product_id in product_ids}
    changed = list(trips)
    if place < len(trips) and trips[place].micros == micros:
        products.update(changed.pop(place).product_ids)
    changed.insert(place, Trip(micros, tuple(sorted(products))))
    return tuple(changed[-MAX_TRIPS:])


def after_decision(state: MemberState, decision: Decision) -> MemberState:
    """Return the state after a decision, which names the version that it makes.

    Args:
        state: The state before.
        decision: The decision; its ``member_version`` must be set.
    """
    if decision.kind == OFFERS:
        chosen = [(offer.offer_id, decision.channel_id) for offer in decision.offers]
    else:
        chosen = [(action.action_id, action.channel_id) for action in decision.actions]
    return state.after_decision(decision.member_version or 0, to_micros(decision.decide_time), *given(chosen))


def given(chosen: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the channels that an answer takes and what it gives; *no action* gives nothing.

    Args:
        chosen: Each offer or action that was chosen, with its channel or an empty one.
    """
    kept = [(candidate_id, channel_id) for candidate_id, channel_id in chosen if candidate_id != NO_ACTION]
    channel_ids = dict.fromkeys(channel_id for _, channel_id in kept if channel_id)
    return tuple(channel_ids), tuple(candidate_id for candidate_id, _ in kept)


def after_outcome(state: MemberState, outcome: Outcome) -> MemberState:
    """Return the state after an outcome, which names the version that it makes."""
    return state.after_outcome(
        outcome.member_version or 0,
        to_micros(outcome.outcome_time),
        outcome.outcome_type,
        candidate_id=outcome.offer_id,
        channel_id=outcome.channel_id,
        product_ids=outcome.product_ids,
    )


class StateFold:
    """Gathers the events of one member, in any order."""

    def __init__(self) -> None:
        self._by_event: defaultdict[str, list[int]] = defaultdict(list)
        self._by_candidate: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_channel: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._products: defaultdict[int, set[str]] = defaultdict(set)

    def decision(self, micros: int, channel_ids: Iterable[str], candidate_ids: Sequence[str]) -> None:
        """Add a decision; see ``MemberState.after_decision``."""
        if candidate_ids:
            self._by_event[DECISION].append(micros)
            for candidate_id in candidate_ids:
                self._by_candidate[DECISION, candidate_id].append(micros)
            for channel_id in channel_ids:
                self._by_channel[DECISION, channel_id].append(micros)

    def outcome(
        self, micros: int, event: str, candidate_id: str, channel_id: str, product_ids: Sequence[str]
    ) -> None:
        """Add an outcome; see ``MemberState.after_outcome``."""
        self._by_event[event].append(micros)
        if candidate_id:
            self._by_candidate[event, candidate_id].append(micros)
        if channel_id:
            self._by_channel[event, channel_id].append(micros)
        if event == PURCHASE and product_ids:
            self._products[micros].update(map(sys.intern, product_ids))

    def state(self, member_id: str, version: int, profile: MemberProfile) -> MemberState:
        """Return the state after all of them.

        Args:
            member_id: The member.
            version: How many events the log has of the member.
            profile: What the programme says of the member.
        """
        return MemberState(
            member_id=member_id,
            version=version,
            profile=profile,
            trips=tuple(
                Trip(micros, tuple(sorted(self._products[micros])))
                for micros in sorted(self._products)[-MAX_TRIPS:]
            ),
            by_event=_tallies(self._by_event),
            by_candidate=_tallies(self._by_candidate),
            by_channel=_tallies(self._by_channel),
        )


def _tallies(times: Mapping[Key, list[int]]) -> dict[Key, EventTally]:
    return {key: EventTally(len(every), tuple(sorted(every)[-MAX_COUNTED:])) for key, every in times.items()}
