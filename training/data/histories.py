"""From purchase rows to histories and to trips by day of the last year: one aggregation, whatever the number of rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from training.bundle.history import (
    COLUMNS,
    DECAYED,
    DISCOUNTED,
    FIRST_AGE,
    HALF_LIVES,
    LAST_AGE,
    TRIPS,
    VALUE,
    History,
)
from training.errors import DatasetError

DAY = 86_400.0
_MAX_KEYS = 2**63


def build_history(rows: pl.DataFrame, cutoff: float, *, member_count: int, product_count: int) -> History:
    """Aggregate the rows up to a moment.

    Args:
        rows: ``member`` and ``product`` (int32 codes), ``time`` (float64, days since 1970; all 0 where times are not
            known), ``trip`` (int64: rows of one member with the same number are one trip), ``value`` (float32), ``discounted``
            (boolean).
        cutoff: The moment, in days since 1970; rows after it are left out.
        member_count: Number of members.
        product_count: Number of products.

    Returns:
        The history.
    """
    seen = rows.filter(pl.col("time") <= cutoff)
    member, product = (seen[name].to_numpy().astype(np.int64) for name in ("member", "product"))
    trip, trip_count = _trip_numbers(seen, max(member_count * product_count, 1))
    # Sorted by pair and trip, so that sums are always added up in one order: the bits do not depend on the threads.
    keys = (member * product_count + product) * trip_count + trip
    del member, product, trip
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    age = (cutoff - seen["time"].to_numpy()[order]).astype(np.float32)
    value = seen["value"].to_numpy()[order].astype(np.float64)
    discounted = seen["discounted"].to_numpy()[order]
    del order, seen
    keys, trips = _one_row_a_trip(keys, _Trips(age, value, discounted))
    pairs = keys // trip_count
    pair_starts = _starts(pairs)
    pair_keys = pairs[pair_starts]
    columns = _statistics(trips, pair_starts)
    # The same once more over whole trips, whatever was bought on them.
    keys = pairs // product_count * trip_count + keys % trip_count
    order = np.argsort(keys, kind="stable")
    keys, trips = _one_row_a_trip(keys[order], trips.taken(order))
    del order
    whole = keys // trip_count
    member_starts = _starts(whole)
    members = np.zeros((member_count, len(COLUMNS)), np.float32)
    members[whole[member_starts]] = _statistics(trips, member_starts)
    counts = np.bincount(pair_keys // product_count, minlength=member_count)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        indices=(pair_keys % product_count).astype(np.int32),
        columns=columns,
        members=members,
        product_count=product_count,
    )


def merge_histories(first: History, second: History, days: float) -> History:
    """Merge two histories of the same members and products.

    Args:
        first: The history up to some moment.
        second: What happened since, of the same members and products, seen from ``days`` later.
        days: Days between the two moments, at least 0.

    Returns:
        The history of everything, seen from the second one's moment.
    """
    frames = [_frame(first, days), _frame(second, 0.0)]
    merged = pl.concat(frames).group_by("member", "product").agg(_merging()).sort("member", "product")
    whole = (
        pl.concat([_members(first, days), _members(second, 0.0)])
        .group_by("member")
        .agg(_merging())
        .sort("member")
    )
    counts = np.bincount(merged["member"].to_numpy(), minlength=first.member_count)
    members = np.zeros_like(first.members)
    members[whole["member"].to_numpy()] = whole.select(COLUMNS).to_numpy()
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        indices=merged["product"].to_numpy().astype(np.int32),
        columns=np.ascontiguousarray(merged.select(COLUMNS).to_numpy().astype(np.float32)),
        members=members,
        product_count=first.product_count,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Trips:
    """One row per trip, or per purchase on one.

    Attributes:
        age: float32[rows], days.
        value: float64[rows].
        discounted: bool[rows].
    """

    age: npt.NDArray[np.float32]
    value: npt.NDArray[np.float64]
    discounted: npt.NDArray[np.bool_]

    def taken(self, order: npt.NDArray[np.int64]) -> "_Trips":
        return _Trips(self.age[order], self.value[order], self.discounted[order])


def _trip_numbers(rows: pl.DataFrame, pairs: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return int64[rows], the trips' numbers from 0 on, and how many there may be.

    Raises:
        DatasetError: There is no room for a number of each trip of each of so many possible pairs.
    """
    trip = rows["trip"].to_numpy()
    if not len(trip):
        return trip, 1
    low, span = int(trip.min()), int(trip.max()) - int(trip.min()) + 1
    if span * pairs < _MAX_KEYS:
        return trip - low, span
    known, places = np.unique(trip, return_inverse=True)
    if len(known) * pairs >= _MAX_KEYS:
        raise DatasetError(
            f"{len(known):,} trips of {pairs:,} possible pairs of member and product are too many for one job."
        )
    return places.astype(np.int64), len(known)


def _starts(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where each run of equal keys begins."""
    return np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))


def _one_row_a_trip(keys: npt.NDArray[np.int64], rows: _Trips) -> tuple[npt.NDArray[np.int64], _Trips]:
    """Make rows with the same key one trip: as old as the latest of them, with all they paid."""
    starts = _starts(keys)
    if len(starts) == len(keys):
        return keys, rows
    return keys[starts], _Trips(
        np.minimum.reduceat(rows.age, starts),
        np.add.reduceat(rows.value, starts),
        np.logical_or.reduceat(rows.discounted, starts),
    )


def _statistics(trips: _Trips, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return float32[starts, COLUMNS], what each run of trips adds up to; sums in double precision."""
    result = np.zeros((len(starts), len(COLUMNS)), np.float32)
    if not len(starts):
        return result
    result[:, TRIPS] = np.diff(starts, append=len(trips.age))
    result[:, LAST_AGE] = np.minimum.reduceat(trips.age, starts)
    result[:, FIRST_AGE] = np.maximum.reduceat(trips.age, starts)
    result[:, VALUE] = np.add.reduceat(trips.value, starts)
    result[:, DISCOUNTED] = np.add.reduceat(trips.discounted, starts, dtype=np.int64)
    for column, days in enumerate(HALF_LIVES, start=DECAYED):
        result[:, column] = np.add.reduceat(np.exp2(trips.age * np.float64(-1.0 / days)), starts)
    return result


def _merging() -> list[pl.Expr]:
    combine = {"last_age": pl.Expr.min, "first_age": pl.Expr.max}
    return [combine.get(name, pl.Expr.sum)(pl.col(name)) for name in COLUMNS]


def _frame(history: History, days: float) -> pl.DataFrame:
    member = np.repeat(np.arange(history.member_count, dtype=np.int32), np.diff(history.indptr))
    keys = pl.DataFrame({"member": member, "product": history.indices})
    return keys.hstack(pl.DataFrame(_advanced(history.columns, days), schema=list(COLUMNS)))


def _members(history: History, days: float) -> pl.DataFrame:
    known = np.flatnonzero(history.members[:, 0] > 0).astype(np.int32)
    columns = pl.DataFrame(_advanced(history.members[known], days), schema=list(COLUMNS))
    return pl.DataFrame({"member": known}).hstack(columns)


def _advanced(columns: npt.NDArray[np.float32], days: float) -> npt.NDArray[np.float32]:
    from training.bundle.history import advance

    return advance(columns, days) if days > 0 else columns


YEAR_DAYS = 364.0
"""A year of whole weeks, so that Saturdays meet Saturdays."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calendar:
    """Trips by day and product.

    Attributes:
        days: int32[entries], days since 1970, ascending.
        products: int32[entries].
        trips: int32[entries], members' trips with the product on that day.
    """

    days: npt.NDArray[np.int32]
    products: npt.NDArray[np.int32]
    trips: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: pl.DataFrame, moment: float) -> Self:
        """Count the rows of the year before a moment; see ``build_history`` for the rows."""
        inside = (pl.col("time") >= year_before(moment)) & (pl.col("time") <= moment)
        counted = (
            rows.lazy()
            .filter(inside)
            .select("member", "product", "trip", day=pl.col("time").floor().cast(pl.Int32))
            .unique()
            .group_by("day", "product")
            .agg(trips=pl.len().cast(pl.Int32))
            .sort("day", "product")
            .collect()
        )
        return cls(*(counted[name].to_numpy() for name in ("day", "product", "trips")))

    def moved(self, places: npt.NDArray[np.int64]) -> "Calendar":
        """Return the same with products at other positions."""
        return Calendar(self.days, places[self.products].astype(np.int32), self.trips)

    def with_rows(self, rows: pl.DataFrame, moment: float) -> "Calendar":
        """Return the year before a later moment, with the rows that came since."""
        since = Calendar.of(rows, moment)
        kept = self.days >= year_before(moment)
        return Calendar(
            np.concatenate([self.days[kept], since.days]),
            np.concatenate([self.products[kept], since.products]),
            np.concatenate([self.trips[kept], since.trips]),
        )

    def season(self, moment: float, days: int, product_count: int) -> Floats:
        """Count the trips of the coming season, a year earlier.

        Args:
            moment: In days since 1970.
            days: How many days, the moment's own a year before included.
            product_count: Number of products.

        Returns:
            float64[products], trips in the whole days a year before those after the moment.
        """
        start = year_before(moment)
        inside = (self.days >= start) & (self.days < start + days)
        weights = self.trips[inside]
        return np.bincount(self.products[inside], weights, minlength=product_count).astype(np.float64)


def season_trips(rows: pl.DataFrame, moment: float, days: int, product_count: int) -> Floats | None:
    """Count the trips of the coming season, a year earlier, from rows; see ``Calendar.season``.

    Args:
        rows: One row per purchase.
        moment: Days since 1970.
        days: Length of the season.
        product_count: How many products there are.

    Returns:
        float64[products]; ``None`` where the rows do not reach back a year.
    """
    start = year_before(moment)
    first = rows["time"].min()
    if first is None or np.floor(float(first)) > start:  # type: ignore[arg-type]  # a float column
        return None
    window = rows.filter(pl.col("time") < start + days)
    return Calendar.of(window, moment).season(moment, days, product_count)


def year_before(moment: float) -> float:
    """Return the day a year before a moment, in whole days since 1970."""
    return float(np.floor(moment - YEAR_DAYS))
