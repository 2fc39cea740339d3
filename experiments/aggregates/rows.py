"""The rows that are summed up: one per unit of analysis, with its code, day, segments and each metric's values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from experiments.aggregates.cells import MIXED, NO_VALUE, Bounds
from experiments.aggregates.layout import MetricColumns, Source, TableLayout
from experiments.sufficient.times import utc_time
from experiments.sufficient.variants import CODE, SEVERAL_VARIANTS

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
class Plan:
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


def source_value(source: Source) -> pl.Expr:
    """Return the expression of a source as a floating number; null or NaN where a term is."""
    terms = [_term(name, factor) for name, factor in source.terms]
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total


def unit_rows(table: pl.LazyFrame, plan: Plan, guarded: Sequence[bool]) -> pl.LazyFrame:
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
    """Return the expression of a value that is null where the unit does not count."""
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


def _clusters(rows: pl.LazyFrame, plan: Plan, guarded: Sequence[bool]) -> pl.LazyFrame:
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
