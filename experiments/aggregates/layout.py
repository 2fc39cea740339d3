"""What is read from a table with one row per unit: which columns, for which metrics.

Which rows count, as small codes: the variant's place, or why a row is left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import polars as pl

from experiments.errors import AnalysisError

MAX_COLUMNS = 32
"""Most columns of one metric; its products grow with their square."""


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """A number per unit: a column of the table, or columns multiplied by factors and added up.

    Attributes:
        terms: Column names with their factors, in the order of addition.
    """

    terms: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError("a source needs at least one term")
        if not all(math.isfinite(factor) for _, factor in self.terms):
            raise ValueError(f"the factors of {self.label} must be finite")

    @classmethod
    def column(cls, name: str) -> Self:
        """Return the source that is one column as it stands."""
        return cls(((name, 1.0),))

    @property
    def label(self) -> str:
        """The source as it reads in messages: ``revenue``, ``0.25 × revenue + -1 × cost``."""
        return " + ".join(name if factor == 1 else f"{factor:g} × {name}" for name, factor in self.terms)


@dataclass(frozen=True, slots=True)
class Winsor:
    """Limits at which a metric's numerator is capped, the same for all variants.

    Only the first column is capped: the value of a mean, the numerator of a ratio. Denominators and covariates stay
    as they are. Quantiles are taken over the units of all variants together (capping each variant at its own quantile
    doubles the false alarms); where a limit and a quantile are given for the same end, the tighter one holds.

    Attributes:
        lower: Smallest value that stays, in the metric's unit.
        upper: Largest value that stays, in the metric's unit.
        lower_quantile: Share of units at or below the lower limit, between 0 and 1.
        upper_quantile: Share of units at or below the upper limit, between 0 and 1.
    """

    lower: float | None = None
    upper: float | None = None
    lower_quantile: float | None = None
    upper_quantile: float | None = None

    def __post_init__(self) -> None:
        for share in (self.lower_quantile, self.upper_quantile):
            if share is not None and not 0 <= share <= 1:
                raise ValueError(f"a quantile must lie between 0 and 1, not at {share}")


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """The columns of one metric, in the order that its moments have.

    A unit counts for the metric only where all of its columns have a value; null and NaN are not values.

    Attributes:
        metric_id: The metric.
        columns: Numerator, then the denominator of a ratio, then covariates.
        winsorize: Limits of the numerator.
        binary: The numerator may hold only 0 and 1.
    """

    metric_id: str
    columns: tuple[ColumnSource, ...]
    winsorize: Winsor | None = None
    binary: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise AnalysisError(
                f"Metric {self.metric_id} has {len(self.columns)} columns; 1 to {MAX_COLUMNS} are possible.",
                metric_id=self.metric_id,
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the table that are read, each once."""
        return tuple(dict.fromkeys(name for source in self.columns for name, _ in source.terms))


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Which column of the table means what, besides the metrics.

    Attributes:
        variant_column: What the unit met.
        unit_column: The unit's id; each may come once. Without it duplicates are not looked for.
        time_column: First exposure: a date, a date with time (UTC where no zone is given) or ISO 8601 text.
        cluster_column: Group of units that got their variant together; the group becomes the unit of analysis.
        trigger_column: Whether the unit met the place where variants differ (true or 1); others are left out.
        segment_columns: Columns whose values partition the units.
    """

    variant_column: str
    unit_column: str | None = None
    time_column: str | None = None
    cluster_column: str | None = None
    trigger_column: str | None = None
    segment_columns: tuple[str, ...] = ()

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """Each column with its role, as messages name it."""
        singles = (
            ("variant", self.variant_column),
            ("unit", self.unit_column),
            ("time", self.time_column),
            ("cluster", self.cluster_column),
            ("trigger", self.trigger_column),
        )
        return tuple((role, name) for role, name in singles if name is not None) + tuple(
            ("segment", name) for name in self.segment_columns
        )


def check_metrics(metrics: Sequence[MetricColumns]) -> None:
    """Refuse metrics that cannot be told apart.

    Raises:
        AnalysisError: There are no metrics, or two have the same id.
    """
    if not metrics:
        raise AnalysisError("There are no metrics to collect.")
    ids = [metric.metric_id for metric in metrics]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise AnalysisError(f"Metric {twice[0]} is there twice.", metric_id=twice[0])


NO_VARIANT, UNKNOWN_VARIANT, NOT_TRIGGERED, NO_CLUSTER, SEVERAL_VARIANTS = -1, -2, -3, -4, -5
"""Codes of rows (the last: of clusters) that are left out; codes from 0 are places in the list of variants."""

LEFT_OUT = (NO_VARIANT, UNKNOWN_VARIANT, NOT_TRIGGERED, NO_CLUSTER, SEVERAL_VARIANTS)
"""All codes of what is left out."""

CODE = "code"
"""Name of the column with the codes."""

_TYPE = pl.Int16()


def variant_code(
    schema: Mapping[str, pl.DataType],
    layout: TableLayout,
    variants: Mapping[str, str],
    variant_ids: Sequence[str],
) -> pl.Expr:
    """Return the expression of each row's code.

    Numbers and truth values in the table are compared as such, so that ``0`` finds 0, 0.0 and false.

    Args:
        schema: Types of the table's columns.
        layout: Which column is the variant, the trigger, the cluster.
        variants: Variant id by value in the table.
        variant_ids: Variant ids in the order of the codes.

    Raises:
        AnalysisError: The type of a column has no such values.
    """
    dtype = schema[layout.variant_column]
    column = pl.col(layout.variant_column)
    absent = column.is_null() | column.is_nan() if dtype.is_float() else column.is_null()
    # The first of two conditions makes the chain, which all others are added to.
    code = pl.when(absent).then(_lit(NO_VARIANT)).when(pl.lit(value=False)).then(_lit(NO_VARIANT))
    for value, variant_id in variants.items():
        literal = _literal(str(value), dtype, layout.variant_column)
        if literal is not None:
            code = code.when(column == literal).then(_lit(variant_ids.index(variant_id)))
    known = code.otherwise(_lit(UNKNOWN_VARIANT))
    if layout.trigger_column is not None:
        met = is_met(layout.trigger_column, schema[layout.trigger_column])
        known = pl.when((known >= 0) & ~met).then(_lit(NOT_TRIGGERED)).otherwise(known)
    if layout.cluster_column is not None:
        missing = pl.col(layout.cluster_column).is_null()
        known = pl.when((known >= 0) & missing).then(_lit(NO_CLUSTER)).otherwise(known)
    return known.alias(CODE)


def _lit(code: int) -> pl.Expr:
    return pl.lit(code, _TYPE)


def _literal(value: str, dtype: pl.DataType, column: str) -> str | bool | int | float | None:
    """Return the value as one of the column's type; None if the column cannot hold it."""
    if isinstance(dtype, pl.Enum):
        return value if value in dtype.categories else None
    if dtype in (pl.String, pl.Categorical):
        return value
    folded = value.casefold()
    if dtype == pl.Boolean:
        return {"true": True, "1": True, "false": False, "0": False}.get(folded)
    if not (dtype.is_numeric() or dtype == pl.Null):
        raise AnalysisError(
            f"The variant column {column} holds {dtype}; text, numbers or true and false are needed.",
            column=column,
        )
    return None if dtype == pl.Null else _number({"true": "1", "false": "0"}.get(folded, folded))


def _number(text: str) -> int | float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def is_met(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression of whether a trigger was met: true or any number but 0; a missing value is not.

    Raises:
        AnalysisError: The column holds neither truth values nor numbers.
    """
    if dtype == pl.Boolean:
        return pl.col(column).fill_null(value=False)
    if dtype == pl.Null:
        return pl.lit(value=False)
    if dtype.is_numeric():
        met = pl.col(column) != 0
        return (met & pl.col(column).is_not_nan() if dtype.is_float() else met).fill_null(value=False)
    raise AnalysisError(
        f"The trigger column {column} holds {dtype}; true and false, or 1 and 0, are needed.", column=column
    )
