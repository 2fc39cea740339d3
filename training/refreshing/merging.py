"""Adding purchases to a history as if both had been counted at once."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from training.bundle.history import DECAYED, FIRST_AGE, HALF_LIVES, LAST_AGE, TRIPS, Array, History
from training.data.histories import build_history, merge_histories

_ROUNDING = 1e-6
"""Days by which an age may be off as a float32: a tenth of a second."""


def add_purchases(before: History, rows: pl.DataFrame, known_until: float, moment: float) -> History:
    """Return the history of everything, as of a moment.

    What a member bought on one day is one trip, so a day on both sides of ``known_until`` is made one trip again.

    Args:
        before: What was known, of the same members and products.
        rows: Later purchases, see ``build_history``; ``trip`` is the day.
        known_until: The moment that ``before`` reaches to, in days since 1970.
        moment: The moment of the new history, from the last purchase on.
    """
    since = build_history(rows, moment, member_count=before.member_count, product_count=before.product_count)
    days = moment - known_until
    merged = merge_histories(before, since, days)
    day = int(np.floor(known_until))
    same_day = rows.filter(pl.col("trip") == day)
    if same_day.is_empty():
        return merged
    latest = known_until - day + _ROUNDING
    columns, members = np.array(merged.columns), np.array(merged.members)
    codes = np.unique(same_day["member"].to_numpy())
    codes = codes[(before.members[codes, TRIPS] > 0) & (before.members[codes, LAST_AGE] <= latest)]
    _count_once(members, codes, before.members[codes], since.members[codes], days)
    keys = [_pair_keys(history) for history in (before, since, merged)]
    bought = same_day["member"].to_numpy().astype(np.int64) * before.product_count
    pairs = np.intersect1d(
        bought + same_day["product"].to_numpy(), keys[0][before.columns[:, LAST_AGE] <= latest]
    )
    first, second, both = (np.searchsorted(known, pairs) for known in keys)
    _count_once(columns, both, before.columns[first], since.columns[second], days)
    return History(merged.indptr, merged.indices, columns, members, merged.product_count)


def _pair_keys(history: History) -> npt.NDArray[np.int64]:
    """Return int64[pairs], ascending."""
    member = np.repeat(np.arange(history.member_count, dtype=np.int64), np.diff(history.indptr))
    return member * history.product_count + history.indices


def _count_once(
    merged: Array, places: Sequence[int] | npt.NDArray[np.int64], before: Array, since: Array, days: float
) -> None:
    """Take the last trip of ``before`` out of merged rows: the first one of ``since`` is the same trip."""
    age = before[:, LAST_AGE, None].astype(np.float64) + days
    merged[places, TRIPS] -= 1
    merged[places, DECAYED:] -= (0.5 ** (age / np.array(HALF_LIVES))).astype(np.float32)
    only = before[:, TRIPS] == 1
    merged[np.asarray(places)[only], FIRST_AGE] = since[only, FIRST_AGE]
