"""Units that come twice, found exactly in bounded memory.

The ids are hashed, and 32 bits of each hash are sorted; only ids whose bits come twice are looked at themselves. What
is too much to hold is divided by the hashes' other bits into several passes. Measured on 5,000,000 text ids: 0.1 s and
20 MiB, where counting distinct ids takes 0.9 s and 300 MiB. Whole numbers that lie close together are ticked off in a
row of flags instead.

What can be refused before any row is read.

What is wrong with the values of a metric, looked for only when its sums say that something is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import polars as pl

from experiments.aggregates.layout import CODE, MetricColumns, TableLayout
from experiments.aggregates.rows import source_value
from experiments.errors import AnalysisError

MAX_HASHES = 1 << 26
"""Hashes that are held at once; 256 MiB."""

_SLICE = 1 << 18
_MAX_CANDIDATES = 1 << 20
_SPARSEST = 4

Words = np.ndarray[tuple[int], np.dtype[np.uint32]]


@dataclass(frozen=True, slots=True)
class _Units:
    """The ids of the rows that count."""

    table: pl.DataFrame | pl.LazyFrame
    column: str
    code: pl.Expr | None

    def ids(self) -> Iterator[pl.Series]:
        """Yield the ids in parts."""
        chosen = [pl.col(self.column)] if self.code is None else [self.code, pl.col(self.column)]
        for part in self._parts(chosen):
            ids = (part if self.code is None else part.filter(pl.col(CODE) >= 0))[self.column]
            # Categories are compared by their text: their numbers may differ from part to part.
            yield ids.cast(pl.String) if ids.dtype in (pl.Categorical, pl.Enum) else ids

    def rows(self) -> int:
        """Return the number of rows, counted or not."""
        if isinstance(self.table, pl.DataFrame):
            return self.table.height
        return int(self.table.select(pl.len()).collect().item())

    def _parts(self, chosen: list[pl.Expr]) -> Iterator[pl.DataFrame]:
        if isinstance(self.table, pl.LazyFrame):
            return self.table.select(chosen).collect_batches(
                chunk_size=_SLICE, maintain_order=False, engine="streaming"
            )
        frame = self.table
        return (frame.slice(start, _SLICE).select(chosen) for start in range(0, frame.height, _SLICE))


def refuse_duplicates(
    table: pl.DataFrame | pl.LazyFrame,
    unit_column: str,
    code: pl.Expr | None,
    *,
    max_hashes: int = MAX_HASHES,
) -> None:
    """Refuse a table in which a unit that counts comes twice or has no id.

    Args:
        table: The table.
        unit_column: Column of ids, of any type that can be hashed.
        code: Expression of the rows' codes, if some rows do not count.
        max_hashes: Hashes to hold at once.

    Raises:
        AnalysisError: Units come twice or lack an id; the message names one unit and how many there are.
    """
    if isinstance(table, pl.DataFrame) and code is None and _all_ticked_once(table[unit_column]):
        return
    units = _Units(table, unit_column, code)
    rows = units.rows()
    parts = max(1, -(-rows // max_hashes))
    for part in range(parts):
        words = _words(units, part, parts, rows)
        words.sort()
        candidates = np.unique(words[1:][words[1:] == words[:-1]])
        del words
        for start in range(0, len(candidates), _MAX_CANDIDATES):
            block = candidates[start : start + _MAX_CANDIDATES]
            _refuse_repeated(units, block, everything=parts == 1 and len(block) == len(candidates))


def _all_ticked_once(ids: pl.Series) -> bool:
    """Return whether the ids are whole numbers close together of which none comes twice."""
    if not ids.dtype.is_integer() or ids.null_count() or not len(ids):
        return False
    least, most = int(ids.min()), int(ids.max())  # type: ignore[arg-type]
    if most - least >= _SPARSEST * len(ids) or max(most, -least) >= 1 << 63:
        return False
    seen = np.zeros(most - least + 1, np.bool_)
    for start in range(0, len(ids), _SLICE):
        seen[ids.slice(start, _SLICE).cast(pl.Int64).to_numpy() - least] = True
    return int(np.count_nonzero(seen)) == len(ids)


def _words(units: _Units, part: int, parts: int, rows: int) -> Words:
    """Return the lower halves of the hashes that belong to this part."""
    words, filled = np.empty(rows if parts == 1 else rows // parts + rows // 50, np.uint32), 0
    for ids in units.ids():
        if ids.null_count():
            raise AnalysisError(
                f"Column {units.column} has rows without a value; every unit needs its id.",
                column=units.column,
            )
        hashes = ids.hash().to_numpy()
        if parts > 1:
            hashes = hashes[(hashes >> np.uint64(32)) % np.uint64(parts) == part]
        if filled + len(hashes) > len(words):
            words = np.resize(words, filled + len(hashes))
        words[filled : filled + len(hashes)] = hashes
        filled += len(hashes)
    return words[:filled]


def _refuse_repeated(units: _Units, candidates: Words, *, everything: bool) -> None:
    """Refuse units that come twice among those whose hashes end in one of the candidates."""
    # Most ids are ruled out by the upper bits, which flags that fit into the processor's cache can hold.
    bits = min(max(int(len(candidates) * 64).bit_length(), 16), 24)
    rest = np.uint32(32 - bits)
    flags = np.zeros(1 << bits, np.bool_)
    flags[candidates >> rest] = True
    suspects = []
    for ids in units.ids():
        words = ids.hash().to_numpy().astype(np.uint32)
        places = np.flatnonzero(flags.take(words >> rest))
        found = np.searchsorted(candidates, words[places]).clip(max=len(candidates) - 1)
        # Copied through a list, as gathered text would keep the text of its whole part in memory.
        same = ids.gather(places[candidates[found] == words[places]])
        suspects.append(pl.Series(same.to_list(), dtype=same.dtype))
    repeated = pl.concat(suspects).alias("unit").to_frame().group_by("unit").len().filter(pl.col("len") > 1)
    if repeated.is_empty():
        return
    unit, count = repeated.sort("len", "unit", descending=[True, False]).row(0)
    raise AnalysisError(
        f"{count:,} rows for unit “{unit}” in column {units.column}, and {'' if everything else 'at least '}"
        f"{repeated.height:,} such units in all; aggregate to one row per unit first, or use event tables.",
        column=units.column,
        unit=str(unit),
        units=str(repeated.height),
    )


_MAX_NAMED = 20


def check_columns(
    schema: Mapping[str, pl.DataType], layout: TableLayout, metrics: Sequence[MetricColumns]
) -> None:
    """Refuse a table that lacks columns, naming all of them.

    Args:
        schema: Types by column.
        layout: Which columns say what.
        metrics: What is read of it.

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
        there = ", ".join(list(schema)[:_MAX_NAMED]) + (", …" if len(schema) > _MAX_NAMED else "")
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
    """Return the sentence that refuses a metric whose column holds no numbers, with an example if it is text.

    Args:
        frame: The table.
        metric: The metric.
        column: Its column.
        held: The type that it holds.
    """
    sentence = f"Column {column} of metric {metric.metric_id} holds {held}, but numbers are needed"
    if held != "text":
        return f"{sentence}."
    text = pl.col(column).cast(pl.String)
    strange = frame.select(text).filter(text.is_not_null() & text.cast(pl.Float64, strict=False).is_null())
    examples = strange.head(1).collect().to_series().to_list()
    return (
        f"{sentence}: “{examples[0]}” is not a number." if examples else f"{sentence}; its numbers are text."
    )


def _hint(name: str, schema: Mapping[str, pl.DataType]) -> str:
    folded = {one.casefold(): one for one in schema}
    close = get_close_matches(name.casefold(), folded, n=1)
    return f", did you mean {folded[close[0]]}?" if close else ""


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """How many counted rows have no usable value, per column; columns without such rows are not there."""

    nulls: Mapping[str, int]
    nans: Mapping[str, int]
    infinities: Mapping[str, int]


def count_values(
    table: pl.LazyFrame, code: pl.Expr, columns: Iterable[str], schema: Mapping[str, pl.DataType]
) -> ValueCounts:
    """Count null, NaN and infinite values of the columns in rows that count.

    Args:
        table: The rows.
        code: The variant's code; below 0 where a row does not count.
        columns: Columns to count in.
        schema: Types by column.

    Returns:
        The counts, by column.
    """
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
    """Return the sentence that refuses a proportion whose values are not all 0 and 1; None if they are.

    Args:
        table: The rows.
        code: The variant's code; below 0 where a row does not count.
        metric: The metric.
    """
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
