"""What members bought since the models' feature time, kept in memory so that the next decision knows of it.

Filled from the log at the start, then by every purchase that the log has taken in. Adding the same trip twice changes
nothing, so reading from the log and hearing of new outcomes may overlap.
"""

import bisect
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.events import Outcome, to_micros

PURCHASE = "purchase"
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


Purchase = tuple[str, int, Sequence[str]]
"""Member, microseconds since the Unix epoch, products."""
ReadPurchases = Callable[[str, int], Iterable[Purchase]]
"""Reads the purchases of a programme from a time on, in microseconds, from the log."""


class RecentPurchases:
    """The trips of each member, by programme. Safe to share between threads.

    A programme without a model keeps nothing.

    Args:
        read: Reads the log.
    """

    def __init__(self, read: ReadPurchases) -> None:
        self._read = read
        self._trips: dict[str, dict[str, tuple[Trip, ...]]] = {}
        self._since: dict[str, int] = {}
        self._changing = threading.Lock()

    def of(self, programme: str, member_id: str) -> tuple[Trip, ...]:
        """Return the member's trips, oldest first."""
        members = self._trips.get(programme)
        return () if members is None else members.get(member_id, ())

    def took(self, outcomes: Iterable[Outcome]) -> None:
        """Take in outcomes that are new in the log; those that are no purchase of named products are passed over."""
        bought = [one for one in outcomes if one.outcome_type == PURCHASE and one.product_ids]
        if bought:
            with self._changing:
                for one in bought:
                    purchase = (one.member_id, to_micros(one.outcome_time), one.product_ids)
                    self._add(one.programme, purchase)

    def keep_since(self, programme: str, time: datetime) -> None:
        """Keep what was bought from this time on, which is the oldest that a model of the programme needs.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        micros = to_micros(time)
        with self._changing:
            before = self._since.get(programme)
            self._since[programme] = micros
            if before is not None and micros >= before:
                self._drop(programme, micros)
                return
        # Not under the lock: the log's writer must not wait for this. What it adds meanwhile may be read here too.
        try:
            purchases = self._read(programme, micros)
        except BaseException:
            with self._changing:
                self._set_since(programme, before)
            raise
        with self._changing:
            for purchase in purchases:
                self._add(programme, purchase)

    def _set_since(self, programme: str, micros: int | None) -> None:
        if micros is None:
            self._since.pop(programme, None)
        else:
            self._since[programme] = micros

    def _add(self, programme: str, purchase: Purchase) -> None:
        member_id, micros, product_ids = purchase
        since = self._since.get(programme)
        if since is None or micros < since:
            return
        members = self._trips.setdefault(programme, {})
        trips = list(members.get(member_id, ()))
        place = bisect.bisect_left(trips, micros, key=lambda trip: trip.micros)
        earlier: tuple[str, ...] = ()
        if place < len(trips) and trips[place].micros == micros:
            earlier = trips.pop(place).product_ids
        # Interned: a product is bought again and again, and its name is most of a trip.
        products = {sys.intern(product_id) for product_id in product_ids}
        trips.insert(place, Trip(micros, tuple(sorted(products.union(earlier)))))
        members[member_id] = tuple(trips[-MOST_TRIPS:])

    def _drop(self, programme: str, micros: int) -> None:
        members = self._trips.get(programme, {})
        kept = {
            member: tuple(trip for trip in trips if trip.micros >= micros)
            for member, trips in members.items()
        }
        self._trips[programme] = {member: trips for member, trips in kept.items() if trips}
