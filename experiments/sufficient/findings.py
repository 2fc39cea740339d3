"""What is wrong with the values of a metric, looked for only when its sums say that something is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from experiments.aggregates.layout import MetricColumns
from experiments.aggregates.rows import source_value
from experiments.sufficient.variants import CODE


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How many counted rows have no usable value, per column; columns without such rows are not there."""

    nulls: Mapping[str, int]
    nans: Mapping[str, int]
    infinities: Mapping[str, int]


def count_values(
    table: pl.LazyFrame, code: pl.Expr, columns: Iterable[str], schema: Mapping[str, pl.DataType]
) -> ValueCounts:
    """Count null, NaN and infinite values of the columns in rows that count."""
    names = tuple(dict.fromkeys(columns))
    floats = [name for name in names if schema[name].is_float()]
    if not names:
        return ValueCounts({}, {}, {})
    row = (
        table.select(code, *names)
        .filter(pl.col(CODE) >= 0)
        .select(
            *(pl.col(name).null_count().alias(f"null {name}") for name in names),
            *(pl.col(name).is_nan().sum().alias(f"nan {name}") for name in floats),
            *(pl.col(name).is_infinite().sum().alias(f"infinite {name}") for name in floats),
        )
        .collect(engine="streaming")
        .row(0, named=True)
    )

    def found(what: str, among: Iterable[str]) -> dict[str, int]:
        return {name: row[f"{what} {name}"] for name in among if row[f"{what} {name}"]}

    return ValueCounts(found("null", names), found("nan", floats), found("infinite", floats))


def infinity_refusal(metric: MetricColumns, counts: ValueCounts) -> str | None:
    """Return the sentence that refuses a metric with infinite values; None if there are none."""
    for name in metric.names:
        if name in counts.infinities:
            number = counts.infinities[name]
            values = "1 infinite value" if number == 1 else f"{number:,} infinite values"
            return f"Metric {metric.metric_id} cannot be computed: column {name} has {values}."
    return None


def size_refusal(metric: MetricColumns) -> str:
    """Return the sentence that refuses a metric whose values cannot be squared and summed."""
    return (
        f"Metric {metric.metric_id} cannot be computed: values of {', '.join(metric.names)} are so large that"
        " their squares are beyond the range of numbers."
    )


def binary_refusal(table: pl.LazyFrame, code: pl.Expr, metric: MetricColumns) -> str | None:
    """Return the sentence that refuses a proportion whose values are not all 0 and 1; None if they are."""
    value = source_value(metric.columns[0])
    row = (
        table.select(code, value.alias("value"))
        .filter((pl.col(CODE) >= 0) & pl.col("value").is_not_nan() & ~pl.col("value").is_in([0.0, 1.0]))
        .select(pl.len(), pl.col("value").first())
        .collect(engine="streaming")
        .row(0)
    )
    count, example = row
    if not count:
        return None
    return (
        f"Metric {metric.metric_id} is a proportion, so {metric.columns[0].label} must be 0 or 1;"
        f" it is something else in {count:,} rows, for example {example:g}."
    )
