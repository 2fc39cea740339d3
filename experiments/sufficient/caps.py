"""The limits at which numerators are capped: those of the plan, and quantiles over all variants together."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from experiments.aggregates.cells import Bounds
from experiments.aggregates.layout import MetricColumns, Winsor
from experiments.aggregates.rows import source_value
from experiments.sufficient.variants import CODE

_HEAD = 10_000
_BUCKETS_PER_UNIT = 512
_FARTHEST = 1e300


def metric_bounds(
    table: pl.LazyFrame, code: pl.Expr, metrics: Sequence[MetricColumns]
) -> Mapping[str, Bounds]:
    """Return the limits of each metric that has some.

    Args:
        table: The table.
        code: Expression of the rows' codes; rows below 0 do not count.
        metrics: The metrics; their columns hold numbers.
    """
    return {
        metric.metric_id: _bounds(table, code, metric, metric.winsorize)
        for metric in metrics
        if metric.winsorize is not None
    }


def exact_quantile(values: pl.LazyFrame, share: float) -> float | None:
    """Return the quantile of the only column, interpolated linearly between neighbours; None without values.

    Exact in bounded memory: the values are counted in buckets whose order is the values' order, and only the
    buckets that hold the wanted ranks are read in full.

    Args:
        values: One column of numbers without null and NaN.
        share: Share of the values below the quantile, between 0 and 1.
    """
    name = values.collect_schema().names()[0]
    centre, scale = _typical(values.head(_HEAD).collect(engine="streaming").to_series().to_numpy())
    distance = ((pl.col(name) - centre) / scale).clip(-_FARTHEST, _FARTHEST)
    bucket = (distance.sign() * distance.abs().log1p() * _BUCKETS_PER_UNIT).floor().alias("bucket")
    buckets = (
        values.group_by(bucket)
        .agg(
            pl.len().cast(pl.Int64).alias("n"),
            pl.col(name).min().alias("least"),
            pl.col(name).max().alias("most"),
        )
        .sort("bucket")
        .with_columns(pl.col("n").cum_sum().alias("upto"))
        .collect(engine="streaming")
    )
    if buckets.is_empty():
        return None
    place = share * (int(buckets["n"].sum()) - 1)
    low, high = (
        _ranked(values.filter(bucket == found["bucket"]), found, rank)
        for rank in (math.floor(place), math.ceil(place))
        for found in [buckets.filter(pl.col("upto") > rank).row(0, named=True)]
    )
    return low if low == high else low + (high - low) * (place - math.floor(place))


def _bounds(table: pl.LazyFrame, code: pl.Expr, metric: MetricColumns, winsor: Winsor) -> Bounds:
    lower, upper = winsor.lower, winsor.upper
    if winsor.lower_quantile is None and winsor.upper_quantile is None:
        return Bounds(lower, upper)
    value = source_value(metric.columns[0]).alias("value")
    values = (
        table.select(code, value)
        .filter((pl.col(CODE) >= 0) & pl.col("value").is_not_null() & pl.col("value").is_not_nan())
        .select("value")
    )
    if winsor.lower_quantile is not None:
        found = exact_quantile(values, winsor.lower_quantile)
        lower = found if lower is None or found is None else max(lower, found)
    if winsor.upper_quantile is not None:
        found = exact_quantile(values, winsor.upper_quantile)
        upper = found if upper is None or found is None else min(upper, found)
    return Bounds(lower, upper)


def _typical(head: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, float]:
    """Return centre and scale of the first values, so that buckets are narrow where values are many."""
    finite = head[np.isfinite(head)]
    if not len(finite):
        return 0.0, 1.0
    centre = float(np.median(finite))
    spread = float(np.median(np.abs(finite - centre))) or float(np.abs(finite - centre).mean())
    return centre, spread if spread > 0 and math.isfinite(spread) else 1.0


def _ranked(values: pl.LazyFrame, bucket: Mapping[str, float], rank: int) -> float:
    if bucket["least"] == bucket["most"]:
        return bucket["least"]
    inside = values.collect(engine="streaming").to_series().to_numpy()
    within = int(rank - (bucket["upto"] - bucket["n"]))
    return float(np.partition(inside, within)[within])
