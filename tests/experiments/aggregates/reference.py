"""The same figures by plain arithmetic in double precision, twice through the data."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from experiments.aggregates import ColumnSource, MetricColumns
from experiments.stats import Moments


def two_pass(*columns: Sequence[float | None]) -> tuple[int, np.ndarray, np.ndarray]:
    """Return count, means and centred products of the rows in which no column misses a value."""
    table = np.array(
        [[np.nan if value is None else value for value in column] for column in columns], dtype=float
    )
    table = table[:, ~np.isnan(table).any(axis=0)]
    if not table.shape[1]:
        return 0, np.zeros(len(columns)), np.zeros((len(columns), len(columns)))
    centred = table - table.mean(axis=1, keepdims=True)
    return table.shape[1], table.mean(axis=1), centred @ centred.T


def assert_same(moments: Moments, *columns: Sequence[float | None], rel: float = 1e-9) -> None:
    """Assert that the moments are those of the columns."""
    count, means, products = two_pass(*columns)

    assert moments.count == count
    np.testing.assert_allclose(moments.means, means, rtol=rel, atol=1e-300)
    # A product may be zero by cancellation; what counts is its size against the deviations.
    scale = np.sqrt(np.outer(np.diag(products), np.diag(products)))
    floor = count * np.outer(abs(means), abs(means)) * 1e-24 + 1e-300
    assert (abs(np.array(moments.products) - products) <= rel * scale + floor).all()


def metric(metric_id: str, *columns: str, binary: bool = False) -> MetricColumns:
    """Return a metric of plain columns."""
    return MetricColumns(metric_id, tuple(ColumnSource.column(name) for name in columns), binary=binary)


def rows_of(frame: pl.DataFrame, variant: str) -> pl.DataFrame:
    """Return the rows of one variant."""
    return frame.filter(pl.col("variant") == variant)
