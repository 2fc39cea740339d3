"""What can be refused before any row is read."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import polars as pl

from experiments.aggregates.layout import MetricColumns, TableLayout
from experiments.errors import AnalysisError

_MOST_NAMED = 20


def check_columns(
    schema: Mapping[str, pl.DataType], layout: TableLayout, metrics: Sequence[MetricColumns]
) -> None:
    """Refuse a table that lacks columns, naming all of them.

    Raises:
        AnalysisError: Columns are not there, or a segment column cannot have segments.
    """
    wanted = {name: f"{role} column" for role, name in reversed(layout.named)}
    for metric in metrics:
        for name in metric.names:
            wanted.setdefault(name, f"metric {metric.metric_id}")
    missing = {name: role for name, role in wanted.items() if name not in schema}
    if missing:
        hints = [f"{name} ({role}){_hint(name, schema)}" for name, role in missing.items()]
        there = ", ".join(list(schema)[:_MOST_NAMED]) + (", …" if len(schema) > _MOST_NAMED else "")
        raise AnalysisError(
            f"The table has no column {'; no column '.join(hints)}. It has: {there}.",
            columns=", ".join(missing),
        )
    for name, role in wanted.items():
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise AnalysisError(
                f"The column {name} ({role}) has a name that stands for many columns; rename it.", column=name
            )
    for name in layout.segment_columns:
        if schema[name].is_nested():
            raise AnalysisError(
                f"The segment column {name} holds {schema[name]}, no single values.", column=name
            )


def type_refusal(schema: Mapping[str, pl.DataType], metric: MetricColumns) -> tuple[str, str] | None:
    """Return the column that holds no numbers, and what it holds instead; None if all hold numbers."""
    for name in metric.names:
        dtype = schema[name]
        if dtype in (pl.String, pl.Categorical, pl.Enum):
            return name, "text"
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null)):
            return name, str(dtype)
    return None


def text_refusal(frame: pl.LazyFrame, metric: MetricColumns, column: str, held: str) -> str:
    """Return the sentence that refuses a metric whose column holds no numbers, with an example if it is text."""
    sentence = f"Column {column} of metric {metric.metric_id} holds {held}, but numbers are needed"
    if held != "text":
        return f"{sentence}."
    text = pl.col(column).cast(pl.String)
    strange = frame.select(text).filter(text.is_not_null() & text.cast(pl.Float64, strict=False).is_null())
    examples = strange.head(1).collect().to_series().to_list()
    return f"{sentence}: “{examples[0]}” is no number." if examples else f"{sentence}; its numbers are text."


def _hint(name: str, schema: Mapping[str, pl.DataType]) -> str:
    folded = {one.casefold(): one for one in schema}
    close = get_close_matches(name.casefold(), folded, n=1)
    return f", did you mean {folded[close[0]]}?" if close else ""
