"""The rows that are summed up: one per unit of analysis, with its code, day, segments and each metric's values.

The limits at which numerators are capped: those of the plan, and quantiles over all variants together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.aggregates.cells import MIXED, NO_VALUE, Bounds
from experiments.aggregates.layout import (
    CODE,
    SEVERAL_VARIANTS,
    ColumnSource,
    MetricColumns,
    TableLayout,
    Winsor,
)
from experiments.aggregates.tables import utc_time

DAY = "day"
_CLUSTER = "cluster"
MEMBERS = "members"


def value_name(metric: int, column: int) -> str:
    """Return the name of a metric's value column."""
    return f"m{metric}c{column}"


def complete_name(metric: int) -> str:
    """Return the name of the column that says whether a unit has all values of a metric."""
    return f"m{metric}ok"


def segment_name(place: int) -> str:
    """Return the name of a segment column."""
    return f"segment{place}"


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What is read, settled before the pass.

    Attributes:
        schema: Types of the table's columns.
        layout: Which column means what.
        metrics: The metrics whose columns hold numbers.
        code: Expression of the rows' codes.
        bounds: Caps of the numerator, per metric id.
    """

    schema: Mapping[str, pl.DataType]
    layout: TableLayout
    metrics: tuple[MetricColumns, ...]
    code: pl.Expr
    bounds: Mapping[str, Bounds]

    @property
    def clustered(self) -> bool:
        """Whether clusters of rows are the units of analysis."""
        return self.layout.cluster_column is not None

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the columns that make a cell."""
        day = (DAY,) if self.layout.time_column is not None else ()
        segments = tuple(segment_name(place) for place in range(len(self.layout.segment_columns)))
        return (CODE, *day, *segments)

    def width(self, metric: int) -> int:
        """Return the number of a metric's columns in the moments; clusters have their members' count too."""
        return len(self.metrics[metric].columns) + self.clustered

    def labels(self, metric: MetricColumns) -> tuple[str, ...]:
        """Return what the columns of a metric's moments are."""
        return tuple(source.label for source in metric.columns) + ((MEMBERS,) if self.clustered else ())


def source_value(source: ColumnSource) -> pl.Expr:
    """Return the expression of a source as a floating number; null or NaN where a term is."""
    terms = [_term(name, factor) for name, factor in source.terms]
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total


def unit_rows(table: pl.LazyFrame, plan: ReadPlan, guarded: Sequence[bool]) -> pl.LazyFrame:
    """Return the rows to be summed up.

    Args:
        table: One row per unit or member of a cluster.
        plan: What to read.
        guarded: Per metric, whether null and NaN must be looked for. A guarded metric has a column that says
            whether the unit has all values; where it has not, the values are null.
    """
    layout = plan.layout
    keys = [plan.code]
    if layout.time_column is not None:
        keys.append(utc_time(layout.time_column, plan.schema[layout.time_column]).dt.date().alias(DAY))
    for place, name in enumerate(layout.segment_columns):
        keys.append(_segment(name, plan.schema[name]).alias(segment_name(place)))
    if layout.cluster_column is not None:
        keys.append(pl.col(layout.cluster_column).alias(_CLUSTER))
    values = [
        (_capped(metric, plan.bounds) if column == 0 else source_value(source)).alias(
            value_name(place, column)
        )
        for place, metric in enumerate(plan.metrics)
        for column, source in enumerate(metric.columns)
    ]
    complete = [
        _complete(metric, plan.schema).alias(complete_name(place))
        for place, metric in enumerate(plan.metrics)
        if guarded[place]
    ]
    rows = table.select(*keys, *values, *complete)
    return _clusters(rows, plan, guarded) if plan.clustered else rows


def counted_value(metric: int, column: int, guarded: Sequence[bool]) -> pl.Expr:
    """Return the expression of a value that is null where the unit does not count.

    Args:
        metric: Its position.
        column: The column's position in it.
        guarded: Which columns count only with the unit.
    """
    value = pl.col(value_name(metric, column))
    return pl.when(pl.col(complete_name(metric))).then(value) if guarded[metric] else value


def _term(name: str, factor: float) -> pl.Expr:
    value = pl.col(name).cast(pl.Float64)
    return value if factor == 1 else value * factor


def _capped(metric: MetricColumns, bounds: Mapping[str, Bounds]) -> pl.Expr:
    value = source_value(metric.columns[0])
    limits = bounds.get(metric.metric_id)
    return value if limits is None else value.clip(limits.lower, limits.upper)


def _complete(metric: MetricColumns, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    there = [pl.col(name).is_not_null() for name in metric.names]
    there += [pl.col(name).is_not_nan() for name in metric.names if schema[name].is_float()]
    # Infinite terms can cancel to NaN; the unit is left out here, and the infinity is found and refused afterwards.
    there += [source_value(source).is_not_nan() for source in metric.columns if len(source.terms) > 1]
    return pl.all_horizontal(there).fill_null(value=False)


def _segment(name: str, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(name).fill_nan(None) if dtype.is_float() else pl.col(name)
    return value.cast(pl.String).fill_null(NO_VALUE)


def _clusters(rows: pl.LazyFrame, plan: ReadPlan, guarded: Sequence[bool]) -> pl.LazyFrame:
    """Return one row per cluster of counted rows: sums of each column over members, and their number last."""
    code = pl.col(CODE)
    made = [
        pl.when(code.min() == code.max())
        .then(code.first())
        .otherwise(pl.lit(SEVERAL_VARIANTS, pl.Int16))
        .alias(CODE),
        pl.len().alias(MEMBERS),
    ]
    for key in plan.keys[1:]:
        value = pl.col(key)
        made.append(
            value.min()
            if key == DAY
            else pl.when(value.min() == value.max()).then(value.first()).otherwise(pl.lit(MIXED)).alias(key)
        )
    for place, metric in enumerate(plan.metrics):
        size = len(metric.columns)
        made += [
            counted_value(place, column, guarded).sum().alias(value_name(place, column))
            for column in range(size)
        ]
        members = pl.col(complete_name(place)).sum() if guarded[place] else pl.len()
        made.append(members.cast(pl.Float64).alias(value_name(place, size)))
        if guarded[place]:
            made.append(pl.col(complete_name(place)).any())
    return rows.filter(code >= 0).group_by(_CLUSTER).agg(made)


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
