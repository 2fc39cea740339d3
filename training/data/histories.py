"""From purchase rows to histories: one aggregation, whatever the number of rows."""

import numpy as np
import numpy.typing as npt
import polars as pl

from training.bundle.history import COLUMNS, DECAYED, HALF_LIVES, History

DAY = 86_400.0
YEAR_DAYS = 364.0
"""A year of whole weeks, so that Saturdays meet Saturdays."""


def build_history(rows: pl.DataFrame, cutoff: float, *, member_count: int, product_count: int) -> History:
    """Aggregate the rows up to a moment.

    Args:
        rows: ``member`` and ``product`` (int32 codes), ``time`` (float64, days since 1970; all 0 where times are not
            known), ``trip`` (int64: rows of one member with the same number are one trip), ``value`` (float32), ``discounted``
            (boolean).
        cutoff: The moment, in days since 1970; rows after it are left out.
        member_count: Number of members.
        product_count: Number of products.
    """
    seen = (
        rows.lazy()
        .filter(pl.col("time") <= cutoff)
        .with_columns(age=(cutoff - pl.col("time")).cast(pl.Float32))
    )
    per_trip = seen.group_by("member", "product", "trip").agg(
        pl.col("age").min(), pl.col("value").sum(), pl.col("discounted").any()
    )
    pairs = _statistics(per_trip, ["member", "product"]).sort("member", "product").collect()
    trips = seen.group_by("member", "trip").agg(
        pl.col("age").min(), pl.col("value").sum(), pl.col("discounted").any()
    )
    whole = _statistics(trips, ["member"]).collect()
    members = np.zeros((member_count, len(COLUMNS)), np.float32)
    members[whole["member"].to_numpy()] = whole.select(COLUMNS).to_numpy()
    counts = np.bincount(pairs["member"].to_numpy(), minlength=member_count)
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        indices=pairs["product"].to_numpy().astype(np.int32),
        columns=np.ascontiguousarray(pairs.select(COLUMNS).to_numpy().astype(np.float32)),
        members=members,
        product_count=product_count,
    )


def season_trips(
    rows: pl.DataFrame, cutoff: float, days: float, product_count: int
) -> npt.NDArray[np.float64] | None:
    """Return float64[products], trips with each product a year before the days after a moment.

    Args:
        rows: As for ``build_history``.
        cutoff: The moment, in days since 1970.
        days: How many days after it.
        product_count: Number of products.

    Returns:
        ``None`` where the rows do not reach back so far.
    """
    start = cutoff - YEAR_DAYS
    first = rows["time"].min()
    if first is None or float(first) > start:  # type: ignore[arg-type]  # a float column
        return None
    then = rows.lazy().filter((pl.col("time") > start) & (pl.col("time") <= min(start + days, cutoff)))
    products = then.select("member", "product", "trip").unique().collect()["product"]
    return np.bincount(products.to_numpy(), minlength=product_count).astype(np.float64)


def merge_histories(first: History, second: History, days: float) -> History:
    """Return the history of everything, seen from the second one's moment.

    Args:
        first: The history up to some moment.
        second: What happened since, of the same members and products, seen from ``days`` later.
        days: Days between the two moments, at least 0.
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


def _statistics(trips: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    decayed = {
        name: pl.lit(0.5).pow(pl.col("age") / days).sum().cast(pl.Float32)
        for name, days in zip(COLUMNS[DECAYED:], HALF_LIVES, strict=True)
    }
    return trips.group_by(keys).agg(
        trips=pl.len().cast(pl.Float32),
        last_age=pl.col("age").min(),
        first_age=pl.col("age").max(),
        value=pl.col("value").sum().cast(pl.Float32),
        discounted=pl.col("discounted").sum().cast(pl.Float32),
        **decayed,
    )


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
