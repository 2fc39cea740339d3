"""A user's table of transactions as orders: one per member and day, with returns set against spend."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from training.data.tables import as_days, as_ids, fingerprint, open_frame, refuse, require
from training.errors import DatasetError
from training.members.history import Floats, OrderHistory, TimeUnit

EPOCH = date(1970, 1, 1)
ORDER_SCHEMA = {
    "member": pl.String,
    "day": pl.Date,
    "value": pl.Float64,
    "returned": pl.Float64,
    "discounted": pl.Boolean,
    "discount": pl.Float64,
    "category": pl.String,
    "channel": pl.String,
}
"""Columns of the kept lines: a member's transactions of one day in one category and channel."""


@dataclass(frozen=True, slots=True)
class TransactionColumns:
    """Which columns of a table say what; those that are empty are not read.

    Attributes:
        member: Who bought.
        time: When: dates, timestamps, numbers such as 20170131, or days or seconds since 1970.
        value: Money; below 0 for a return, which is not an order and reduces spend.
        category: What kind of thing was bought.
        channel: Where.
        discount: Money off, at least 0, of a transaction.
    """

    member: str
    time: str
    value: str
    category: str = ""
    channel: str = ""
    discount: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """Everything that members bought until a day.

    Attributes:
        lines: Sorted by member, day, category and channel; columns as in ``ORDER_SCHEMA``. ``value`` is the sum of transactions of at least
            0, ``returned`` that of the others, as a number above 0; null where a line has only returns.
        as_of: The last day that is observed.
        dropped: Rows that could not be used, by reason.
        has: Which of ``category``, ``channel`` and ``discount`` were given.
    """

    lines: pl.DataFrame
    as_of: date
    dropped: dict[str, int]
    has: frozenset[str]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the lines and the day."""
        return fingerprint([self.lines.with_columns(as_of=pl.lit(self.as_of))])

    @property
    def orders(self) -> pl.DataFrame:
        """``member``, ``day``, ``value``: one row per order, sorted. All that a member buys on a day is one order."""
        bought = self.lines.filter(pl.col("value").is_not_null())
        return bought.group_by("member", "day", maintain_order=True).agg(pl.col("value").sum())

    def until(self, day: date) -> "Orders":
        """Return what was known at the end of a day."""
        return Orders(self.lines.filter(pl.col("day") <= day), day, {}, self.has)


def read_orders(path: TableSource, columns: TransactionColumns, as_of: date | None = None) -> Orders:
    """Read a table of transactions, Parquet or CSV.

    Args:
        path: The table.
        columns: Which column says what.
        as_of: The last day that is observed, transactions after it are not read; the day of the last transaction if not given.

    Returns:
        The orders.

    Raises:
        DatasetError: The table cannot be read, a column is missing, or values are none; the message names column and row.
    """
    frame = open_frame(path)
    wanted = {
        kind: getattr(columns, kind)
        for kind in ("member", "time", "value", "category", "channel", "discount")
        if getattr(columns, kind)
    }
    for kind, name in wanted.items():
        require(frame, path, name, kind)
    rows = frame.select(**{kind: pl.col(name) for kind, name in wanted.items()}).collect()
    nameless = int(rows["member"].is_null().sum())
    rows = rows.filter(pl.col("member").is_not_null())
    if rows.is_empty():
        raise DatasetError(f"{path} has no transactions of a member.", table=str(path))
    refuse(rows["time"].is_null(), path, columns.time, "no time")
    days = as_days(rows["time"], f"Column {columns.time!r} of {path}")
    refuse(~days.is_finite(), path, columns.time, "a time that is not a number")
    for kind in ("value", "discount"):
        if kind in wanted:
            _check_money(rows[kind], path, wanted[kind], lowest=-np.inf if kind == "value" else 0.0)
    value = pl.col("value").cast(pl.Float64)
    rows = rows.select(
        member=as_ids(rows["member"], path, columns.member),
        day=days.floor().cast(pl.Int32).cast(pl.Date),
        value=pl.when(value >= 0).then(value),
        returned=pl.when(value < 0).then(-value).otherwise(0.0),
        discount=pl.col("discount").cast(pl.Float64) if "discount" in wanted else pl.lit(None, pl.Float64),
        category=pl.col("category").cast(pl.String) if "category" in wanted else pl.lit(None, pl.String),
        channel=pl.col("channel").cast(pl.String) if "channel" in wanted else pl.lit(None, pl.String),
    )
    dropped = {"without a member": nameless} if nameless else {}
    if as_of is not None:
        later = rows.filter(pl.col("day") > as_of).height
        dropped |= {f"after {as_of}": later} if later else {}
        rows = rows.filter(pl.col("day") <= as_of)
        if rows.is_empty():
            raise DatasetError(f"{path} has no transactions until {as_of}.", table=str(path))
    last: date = as_of or rows["day"].max()  # type: ignore[assignment]  # a column of dates that is not empty
    lines = rows.group_by("member", "day", "category", "channel").agg(
        value=pl.when(pl.col("value").count() > 0).then(pl.col("value").sum()),
        returned=pl.col("returned").sum(),
        discounted=(pl.col("discount") > 0).any(),
        discount=pl.col("discount").sum(),
    )
    known = frozenset({"category", "channel", "discount"} & set(wanted))
    if "discount" not in wanted:
        lines = lines.with_columns(discounted=pl.lit(None, pl.Boolean), discount=pl.lit(None, pl.Float64))
    orders = Orders(_sorted(lines), last, dropped, known)
    if orders.orders.is_empty():
        raise DatasetError(
            f"{path} has returns only: no transaction has a value of at least 0.", table=str(path)
        )
    return orders


def add_orders(before: Orders, new: Orders) -> Orders:
    """Return earlier lines and new ones together; what is new but not later than the earlier ones' last day is left out and counted.

    Args:
        before: What an earlier job kept.
        new: Transactions since.

    Raises:
        DatasetError: The new ones end earlier.
    """
    if new.as_of < before.as_of:
        raise DatasetError(
            f"The transactions end on {new.as_of}, before the table that they continue, which ends on {before.as_of}."
        )
    known = new.lines["day"] <= before.as_of
    dropped = dict(new.dropped)
    if known.any():
        dropped[f"not later than {before.as_of}, in the table already"] = int(known.sum())
    lines = pl.concat([before.lines, new.lines.filter(~known)])
    return Orders(_sorted(lines), new.as_of, dropped, before.has & new.has)


def order_history(
    orders: pl.DataFrame, as_of: date, unit: TimeUnit
) -> tuple[pl.DataFrame, OrderHistory, Floats]:
    """Return the members, sorted, their histories, and float64[n], the mean value of their repeat orders (NaN without any).

    Args:
        orders: One row per order, sorted by member and day.
        as_of: The end of observation.
        unit: What times count; weeks are days / 7.
    """
    members = orders.group_by("member", maintain_order=True).agg(
        first=pl.col("day").min(),
        last=pl.col("day").max(),
        orders=pl.len(),
        repeat=pl.col("value").slice(1).mean(),
    )
    first, last = (members[name].cast(pl.Int32).to_numpy().astype(np.float64) for name in ("first", "last"))
    end = float((as_of - EPOCH).days)
    history = OrderHistory(
        members["orders"].to_numpy().astype(np.float64) - 1.0,
        (last - first) / unit.days,
        (end - first) / unit.days,
        unit,
    )
    repeat: Floats = members["repeat"].fill_null(np.nan).to_numpy().astype(np.float64)
    return members, history, repeat


def day_before(as_of: date, days: float) -> date:
    """Return the day so many days earlier, rounded to whole ones."""
    return as_of - timedelta(days=round(days))


def _sorted(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.select(pl.col(name).cast(kind) for name, kind in ORDER_SCHEMA.items()).sort(
        "member", "day", "category", "channel", nulls_last=False
    )


def _check_money(column: pl.Series, path: TableSource, name: str, *, lowest: float) -> None:
    if not column.dtype.is_numeric():
        raise DatasetError(f"Column {name!r} of {path} is of type {column.dtype}; it must be a number.")
    numbers = column.cast(pl.Float64)
    refuse(numbers.is_null() | ~numbers.is_finite(), path, name, "no number (null, NaN or infinite)")
    refuse(numbers < lowest, path, name, f"a number below {lowest:g}")
