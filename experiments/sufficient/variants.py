"""Which rows count, as small codes: the variant's place, or why a row is left out."""

import math
from collections.abc import Mapping, Sequence

import polars as pl

from experiments.aggregates.layout import TableLayout
from experiments.errors import AnalysisError

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
