"""The state of a member: what the log has of her, folded. Immutable; each event makes a new one.

A state is a function of the events up to its version and not of the order in which they are folded, so a decision that
names the version can be made again from the log.
"""

import bisect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from server.catalogue.limits import DECISION, MOST_COUNTED
from server.members.profile import MemberProfile

PURCHASE, REDEMPTION = "purchase", "redemption"
MOST_TRIPS = 200
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
class Tally:
    """How often something happened.

    Attributes:
        total: In all.
        times: When, ascending, in microseconds since the Unix epoch; the latest, as many as any limit counts.
    """

    total: int = 0
    times: tuple[int, ...] = ()

    def counting(self, micros: int) -> "Tally":
        """Return the tally with one more."""
        if not self.times or micros >= self.times[-1]:
            times = (*self.times, micros)
        else:
            place = bisect.bisect_right(self.times, micros)
            times = (*self.times[:place], micros, *self.times[place:])
        return Tally(self.total + 1, times[-MOST_COUNTED:])

    def since(self, micros: int) -> int:
        """Return how often after this time, counted up to what is kept."""
        return len(self.times) - bisect.bisect_right(self.times, micros)


NEVER = Tally()
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class MemberState:
    """What the log has of a member up to a version. Immutable.

    An *event* is ``decision`` or a type of outcome.

    Attributes:
        member_id: The member.
        version: Counts what the log has of her: 0 for nothing.
        profile: What the programme says of her.
        trips: What she bought, oldest first, the latest ``MOST_TRIPS``.
        by_event: How often each event happened.
        by_candidate: The same by event and offer or action; of decisions, each thing that was given.
        by_channel: The same by event and channel; of decisions, those that gave something.
    """

    member_id: str
    version: int = 0
    profile: MemberProfile = field(default_factory=MemberProfile)
    trips: tuple[Trip, ...] = ()
    by_event: Mapping[str, Tally] = field(default_factory=dict)
    by_candidate: Mapping[tuple[str, str], Tally] = field(default_factory=dict)
    by_channel: Mapping[tuple[str, str], Tally] = field(default_factory=dict)

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


def _counted(tallies: Mapping[Key, Tally], keys: Sequence[Key], micros: int) -> Mapping[Key, Tally]:
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
    return tuple(changed[-MOST_TRIPS:])
