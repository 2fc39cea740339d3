"""What members did with products up to one moment, as statistics that can be merged and moved in time.

Every recommender learns from a history and every score reads one row of it, so today's purchases enter tomorrow's
training, or the next answer, without the raw rows of the past: counts add, ages shift, decayed counts shrink.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

HALF_LIVES = (7.0, 14.0, 28.0, 56.0, 84.0, 168.0, 336.0)
"""Days after which a purchase counts half, one decayed count for each."""

TRIPS, LAST_AGE, FIRST_AGE, VALUE, DISCOUNTED, DECAYED = 0, 1, 2, 3, 4, 5
COLUMNS = (
    "trips",
    "last_age",
    "first_age",
    "value",
    "discounted",
    *(f"decayed_{days:g}" for days in HALF_LIVES),
)
"""Columns of a pair: trips with the product; days since the last and the first of them; sum of values; trips with a
discount; trips weighing ``0.5 ** (age / half life)``, one column per half-life."""

MEMBER_COLUMNS = COLUMNS
"""Columns of a member: the same over whole trips, whatever was bought on them."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Statistics per (member, product) pair as compressed sparse rows, and per member.

    Attributes:
        indptr: int64[members + 1], where each member's pairs start.
        indices: int32[pairs], product indices, ascending within a member.
        columns: float32[pairs, len(COLUMNS)].
        members: float32[members, len(MEMBER_COLUMNS)].
        product_count: Number of products.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    columns: Array
    members: Array
    product_count: int

    @property
    def member_count(self) -> int:
        """Number of members."""
        return len(self.indptr) - 1

    def profile(self, member: int) -> "Profile":
        """Return one member's row; views, not copies.

        Raises:
            IndexError: The index is out of range; a negative index is never taken from the end.
        """
        if not 0 <= member < self.member_count:
            raise IndexError(f"member_index == {member}, must be in [0, {self.member_count}).")
        start, end = int(self.indptr[member]), int(self.indptr[member + 1])
        return Profile(self.indices[start:end], self.columns[start:end], self.members[member])

    def product_sums(self, columns: Array) -> npt.NDArray[np.float64]:
        """Add up a value per pair to a value per product."""
        sums = np.bincount(self.indices, weights=columns, minlength=self.product_count)
        return sums.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What one member did up to a moment.

    Attributes:
        products: int32[n], ascending.
        columns: float32[n, len(COLUMNS)].
        stats: float32[len(MEMBER_COLUMNS)].
    """

    products: npt.NDArray[np.int32]
    columns: Array
    stats: Array

    def advanced(self, days: float) -> "Profile":
        """Return the same history seen from a later moment, ``days`` from 0 on."""
        if days <= 0 or self.stats[TRIPS] == 0:
            return self
        return Profile(self.products, advance(self.columns, days), advance(self.stats[None, :], days)[0])

    def with_trip(self, products: Sequence[int], age: float = 0.0) -> "Profile":
        """Return the history with one more trip, made ``age`` days ago; see ``with_trips``."""
        return self.with_trips([(age, products)])

    def with_trips(self, trips: Sequence[tuple[float, Sequence[int]]]) -> "Profile":
        """Return the history with more trips: for each its age in days and the products that were bought on it.

        The trips have no value or discount of their own: neither is known for a basket that is not paid yet. What earlier
        trips paid on average, for a product or as a whole, stands in for what these will.
        """
        if not trips:
            return self
        rows = np.array([_one_trip(age) for age, _ in trips], dtype=np.float32)
        # A product counts once a trip, however often it was named.
        pairs = {(place, product) for place, (_, products) in enumerate(trips) for product in products}
        pair_trips, pair_products = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2).T
        products, added = add_up_rows(pair_products, rows[pair_trips])
        products_now, columns_now = merge_rows(self.products, self.columns, products, added)
        more = np.zeros(len(products_now), np.float32)
        more[np.searchsorted(products_now, products)] = added[:, TRIPS]
        earlier = np.maximum(columns_now[:, TRIPS] - more, 1)
        columns_now[:, VALUE] += more * (columns_now[:, VALUE] / earlier)
        _, whole = add_up_rows(np.zeros(len(trips), np.int32), rows)
        if self.stats[TRIPS] > 0:
            whole[0, VALUE] = whole[0, TRIPS] * (self.stats[VALUE] / self.stats[TRIPS])
        return Profile(products_now, columns_now, merge_columns(self.stats[None, :], whole)[0])


def empty_profile() -> Profile:
    """Return the history of somebody who did nothing yet."""
    return Profile(
        np.zeros(0, np.int32),
        np.zeros((0, len(COLUMNS)), np.float32),
        np.zeros(len(MEMBER_COLUMNS), np.float32),
    )


def one_trip(age: float) -> Array:
    """Return the columns of one trip ``age`` days ago, without value and discount."""
    return np.array(_one_trip(age), dtype=np.float32)


def _one_trip(age: float) -> list[float]:
    return [1.0, age, age, 0.0, 0.0, *(0.5 ** (age / days) for days in HALF_LIVES)]


def advance(columns: Array, days: float) -> Array:
    """Return columns as they will be seen ``days`` later."""
    moved: Array = columns.copy()
    moved[:, LAST_AGE] += np.float32(days)
    moved[:, FIRST_AGE] += np.float32(days)
    moved[:, DECAYED:] *= np.array([0.5 ** (days / half) for half in HALF_LIVES], dtype=np.float32)
    return moved


def merge_columns(first: Array, second: Array) -> Array:
    """Return the statistics of two disjoint sets of trips, row by row, both seen from the same moment."""
    merged: Array = first + second
    empty_first, empty_second = first[:, TRIPS] == 0, second[:, TRIPS] == 0
    for column, pick in ((LAST_AGE, np.minimum), (FIRST_AGE, np.maximum)):
        both = pick(first[:, column], second[:, column])
        merged[:, column] = np.where(
            empty_first, second[:, column], np.where(empty_second, first[:, column], both)
        )
    return merged


def add_up_rows(keys: npt.NDArray[np.int32], columns: Array) -> tuple[npt.NDArray[np.int32], Array]:
    """Add up rows of the same key, each row the trips of one moment; return the keys, ascending, and their rows."""
    if not len(keys):
        return keys, columns
    order = np.argsort(keys, kind="stable")
    keys, rows = keys[order], columns[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    summed: Array = np.add.reduceat(rows, starts, axis=0)
    summed[:, LAST_AGE] = np.minimum.reduceat(rows[:, LAST_AGE], starts)
    summed[:, FIRST_AGE] = np.maximum.reduceat(rows[:, FIRST_AGE], starts)
    return keys[starts], summed


def merge_rows(
    keys: npt.NDArray[np.int32], columns: Array, more_keys: npt.NDArray[np.int32], more: Array
) -> tuple[npt.NDArray[np.int32], Array]:
    """Merge two sets of rows with ascending unique keys; rows of the same key become one.

    Args:
        keys: int32[n], ascending and unique.
        columns: One value per key and statistic.
        more_keys: int32[m], ascending and unique.
        more: Their values.

    Returns:
        Merged keys and columns.
    """
    merged = np.union1d(keys, more_keys).astype(np.int32)
    first, second = np.zeros((2, len(merged), columns.shape[1]), np.float32)
    first[np.searchsorted(merged, keys)] = columns
    second[np.searchsorted(merged, more_keys)] = more
    return merged, merge_columns(first, second)
