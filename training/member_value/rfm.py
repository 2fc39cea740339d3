"""Recency, frequency and monetary value: scores from 1 to 5, and a named segment for every member."""

from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

SCORES = 5

_GRID = {
    5: ("new", "potential_loyal", "potential_loyal", "champions", "champions"),
    4: ("promising", "potential_loyal", "potential_loyal", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    1: ("lost", "lost", "at_risk", "cannot_lose", "cannot_lose"),
}
"""Segments by recency score, then by value score 1 to 5."""

SEGMENTS = tuple(dict.fromkeys(segment for row in _GRID.values() for segment in row))


def rfm_table(members: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``recency_days``, ``rfm_recency``, ``rfm_frequency``, ``rfm_monetary`` and ``rfm_segment``, row by row.

    Recency is the days since the last order, frequency the orders ever, monetary value all spend less what was returned. A score is
    1 plus five times the share of members who do worse, rounded down: equal values have equal scores, whatever the order of rows.

    Args:
        members: ``last`` (day of the last order), ``orders``, ``spend``.
        as_of: The last day that is observed.
    """
    recency = (pl.lit(as_of) - pl.col("last")).dt.total_days().cast(pl.Int64)
    table = members.select(recency_days=recency)
    r = score(-table["recency_days"].to_numpy().astype(np.float64))
    f = score(members["orders"].to_numpy().astype(np.float64))
    m = score(members["spend"].to_numpy().astype(np.float64))
    return table.with_columns(
        rfm_recency=pl.Series(r),
        rfm_frequency=pl.Series(f),
        rfm_monetary=pl.Series(m),
        rfm_segment=pl.Series(
            [segment(*cell) for cell in zip(r.tolist(), f.tolist(), m.tolist(), strict=True)], dtype=pl.String
        ),
    )


def score(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return int64[n] from 1 to 5, more being better.

    Args:
        values: float64[n], finite.
    """
    ordered = np.sort(values)
    worse = np.searchsorted(ordered, values, side="left")
    scores: npt.NDArray[np.int64] = 1 + worse * SCORES // max(len(values), 1)
    return scores


def segment(recency: int, frequency: int, monetary: int) -> str:
    """Return the segment of three scores: by recency, and by the mean of the other two, a half rounded up."""
    return _GRID[recency][(frequency + monetary + 1) // 2 - 1]
