"""Times of any kind of column as UTC."""

import polars as pl

from experiments.errors import AnalysisError

UTC = pl.Datetime("us", "UTC")
"""The type that all times are brought to."""

_ISO = "%+"


def utc_time(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return the expression of a column's times in UTC; null where text is no ISO 8601 time.

    A date is its first moment; a time without a zone is taken as UTC.

    Args:
        column: Dates, dates with time, or ISO 8601 text such as ``2024-03-01``, ``2024-03-01 10:30`` or
            ``2024-03-01T10:30:00+01:00``.
        dtype: Type of the column.

    Raises:
        AnalysisError: The column is of another type.
    """
    times = pl.col(column)
    if dtype == pl.Null:
        return times.cast(UTC)
    if dtype == pl.Date:
        return times.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if isinstance(dtype, pl.Datetime):
        aware = times.dt.convert_time_zone("UTC") if dtype.time_zone else times.dt.replace_time_zone("UTC")
        return aware.cast(UTC)
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return _from_text(times.cast(pl.String).str.strip_chars())
    raise AnalysisError(
        f"Column {column} holds no times but {dtype}; dates, dates with time or ISO 8601 text are needed.",
        column=column,
    )


def is_text(dtype: pl.DataType) -> bool:
    """Return whether the type holds text."""
    return dtype in (pl.String, pl.Categorical, pl.Enum)


def refuse_unreadable(frame: pl.LazyFrame, column: str, dtype: pl.DataType) -> None:
    """Refuse text that is no time.

    Raises:
        AnalysisError: Values of the column cannot be read.
    """
    if not is_text(dtype):
        return
    unreadable = frame.select(
        pl.col(column).cast(pl.String).alias("text"), time=utc_time(column, dtype)
    ).filter(pl.col("text").is_not_null() & pl.col("time").is_null())
    found = unreadable.select(pl.len(), pl.col("text").first()).collect()
    count, example = found.row(0)
    if count:
        raise AnalysisError(
            f"Column {column} has {count:,} values that are no ISO 8601 times, for example “{example}”.",
            column=column,
        )


def _from_text(text: pl.Expr) -> pl.Expr:
    # Chrono reads a full ISO time only with seconds and zone, so what people leave out is filled in.
    joined = text.str.replace(r"^(\d{4}-\d{2}-\d{2}) +", "${1}T")
    whole = (
        pl.when(joined.str.len_bytes() == 10)
        .then(joined + "T00:00:00Z")
        .otherwise(joined.str.replace(r"T(\d{2}:\d{2})($|Z|[+-])", "T${1}:00${2}"))
    )
    zoned = whole.str.replace(r"([+-]\d{2})(\d{2})?$", "${1}:${2}").str.replace(r"([+-]\d{2}:)$", "${1}00")
    named = (
        pl.when(whole.str.contains(r"T.*(Z|[+-]\d{2}:?(\d{2})?)$"))
        .then(pl.when(whole.str.contains(r"(Z|[+-]\d{2}:\d{2})$")).then(whole).otherwise(zoned))
        .otherwise(whole + "Z")
    )
    return named.str.to_datetime(_ISO, time_unit="us", time_zone="UTC", strict=False)
