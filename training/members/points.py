"""Points as lots that expire: what is spent comes from the lot that expires first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from heapq import heappop, heappush

import polars as pl

from experiments.aggregates.tables import TableSource
from training.data.tables import as_days, as_ids, open_frame, refuse, require
from training.errors import DatasetError
from training.members.orders import EPOCH

_NEVER = 2**31 - 1
_COLUMNS = ("member", "time", "points")


@dataclass(frozen=True, slots=True)
class Balance:
    """A member's points on a day.

    Attributes:
        points: What they can spend.
        next_points: What they lose first, if they spend nothing.
        next_day: The last day on which that can be spent; ``None`` where nothing expires.
        expired: What they lost.
        overspent: What was spent beyond the balance, which takes nothing from later lots.
    """

    points: float
    next_points: float
    next_day: int | None
    expired: float
    overspent: float


def read_points(path: TableSource, valid_days: int | None) -> pl.DataFrame:
    """Return ``member``, ``day``, ``points``, ``until`` (days since 1970), sorted by member and day, of a table of points.

    Args:
        path: Columns ``member``, ``time``, ``points`` (below 0 where they are spent) and maybe ``expires``, the last day on which they can be
            spent.
        valid_days: How long points last after the day they were earned where ``expires`` says nothing; for ever if not given.

    Raises:
        DatasetError: The table cannot be read, or a column is missing or wrong.
    """
    frame = open_frame(path)
    for name in _COLUMNS:
        require(frame, path, name, "points")
    rows = frame.collect()
    refuse(rows["time"].is_null(), path, "time", "no time")
    if not rows["points"].dtype.is_numeric():
        raise DatasetError(
            f"Column 'points' of {path} is of type {rows['points'].dtype}; it must be a number."
        )
    refuse(
        rows["points"].is_null() | ~rows["points"].cast(pl.Float64).is_finite(), path, "points", "no number"
    )
    day = as_days(rows["time"], f"Column 'time' of {path}").floor().cast(pl.Int64)
    forever = pl.Series([_NEVER] * rows.height, dtype=pl.Int64)
    until = forever if valid_days is None else day + valid_days
    if "expires" in rows.columns and rows["expires"].null_count() < rows.height:
        given = as_days(rows["expires"].drop_nulls(), f"Column 'expires' of {path}").floor().cast(pl.Int64)
        places = rows["expires"].is_not_null().arg_true()
        until = until.scatter(places, given)
    return pl.DataFrame(
        {
            "member": as_ids(rows["member"], path, "member"),
            "day": day,
            "points": rows["points"].cast(pl.Float64),
            "until": until,
        }
    ).sort("member", "day", maintain_order=True)


def balances(points: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``member``, ``points_balance``, ``points_expiring``, ``points_expiry_date``, ``points_expired``, sorted by member.

    Args:
        points: As ``read_points`` returns it.
        as_of: The day; what came after it is not counted.
    """
    today = (as_of - EPOCH).days
    found = [
        (member, balance(list(rows), today))
        for member, rows in _by_member(points.filter(pl.col("day") <= today))
    ]
    return pl.DataFrame(
        {
            "member": [member for member, _ in found],
            "points_balance": [one.points for _, one in found],
            "points_expiring": [one.next_points for _, one in found],
            "points_expiry_date": pl.Series([one.next_day for _, one in found], dtype=pl.Int32).cast(pl.Date),
            "points_expired": [one.expired for _, one in found],
        },
        schema_overrides={"member": pl.String},
    )


def balance(rows: list[tuple[int, float, int]], today: int) -> Balance:
    """Return one member's points on a day.

    Args:
        rows: Day, points (below 0 where spent) and last day of use, in the order of days; on one day in the order given.
        today: The day.
    """
    lots: list[tuple[int, int, float]] = []
    expired = overspent = 0.0
    for place, (day, points, until) in enumerate(rows):
        expired += _expire(lots, day)
        if points >= 0:
            heappush(lots, (until, place, points))
            continue
        wanted = -points
        while wanted > 0 and lots:
            last, number, left = heappop(lots)
            if left > wanted:
                heappush(lots, (last, number, left - wanted))
            wanted -= min(left, wanted)
        overspent += wanted
    expired += _expire(lots, today)
    first = lots[0][0] if lots else _NEVER
    expiring = sum(left for until, _, left in lots if until == first) if first < _NEVER else 0.0
    return Balance(
        sum(left for _, _, left in lots),
        expiring,
        first if first < _NEVER and lots else None,
        expired,
        overspent,
    )


def _expire(lots: list[tuple[int, int, float]], day: int) -> float:
    lost = 0.0
    while lots and lots[0][0] < day:
        lost += heappop(lots)[2]
    return lost


def _by_member(points: pl.DataFrame) -> Iterator[tuple[str, Iterator[tuple[int, float, int]]]]:
    members = points["member"].to_list()
    rows = list(
        zip(points["day"].to_list(), points["points"].to_list(), points["until"].to_list(), strict=True)
    )
    begin = 0
    for place in range(1, len(members) + 1):
        if place == len(members) or members[place] != members[begin]:
            yield members[begin], iter(rows[begin:place])
            begin = place
