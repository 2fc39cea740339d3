"""Columns of a user's own tables: opened, and checked with the first row that is wrong; tables written for users."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource, open_table
from experiments.errors import AnalysisError
from training.errors import DatasetError

DAY_SECONDS = 86_400.0
# A plain number is read as what its size allows: days, or seconds, milliseconds, microseconds, nanoseconds since 1970.
_NUMBER_UNITS = ((1e8, DAY_SECONDS), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))
_FIRST_DATE, _LAST_DATE = 1900_01_01, 2100_12_31


def open_frame(path: TableSource) -> pl.LazyFrame:
    """Open a table without reading it.

    Raises:
        DatasetError: There is none.
    """
    try:
        return open_table(path)
    except AnalysisError as error:
        raise DatasetError(error.message, **error.metadata) from error


def as_ids(column: pl.Series, path: TableSource, name: str) -> pl.Series:
    """Return ids as texts.

    Args:
        column: Texts or whole numbers.
        path: The table, for errors.
        name: The column, for errors.

    Raises:
        DatasetError: A row has none, or they are of another type.
    """
    refuse(column.is_null(), path, name, "no id")
    if column.dtype.is_float():
        refuse(column != column.floor(), path, name, "an id that is not a whole number")
        column = column.cast(pl.Int64)
    if not (
        column.dtype.is_integer() or column.dtype in {pl.String, pl.Categorical} or column.dtype == pl.Enum
    ):
        raise DatasetError(
            f"Column {name!r} of {path} is of type {column.dtype}; ids are texts or whole numbers."
        )
    return column.cast(pl.String)


def require(frame: pl.LazyFrame, path: TableSource, column: str, kind: str) -> None:
    """Refuse a table without a column.

    Args:
        frame: The table.
        path: The table, for errors.
        column: The column.
        kind: What the column is for.

    Raises:
        DatasetError: It is missing; the message lists those that are there.
    """
    names = frame.collect_schema().names()
    if column not in names:
        raise DatasetError(
            f"{path} has no column {column!r} for the {kind}; it has {', '.join(names)}.",
            table=str(path),
            column=column,
        )


def as_days(column: pl.Series, where: str) -> pl.Series:
    """Return times as float64 days since 1970.

    Whole numbers that all read as a date of 1900 to 2100, such as 20170131, are dates.

    Raises:
        DatasetError: The column is not a time.
    """
    if column.dtype == pl.String:
        column = _parsed(column)
    elif column.dtype.is_integer():
        column = _calendar(column)
    if column.dtype == pl.Date:
        return column.cast(pl.Int32).cast(pl.Float64)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.timestamp("us").cast(pl.Float64) / (DAY_SECONDS * 1e6)
    if column.dtype.is_numeric():
        numbers = column.cast(pl.Float64)
        largest = float(numbers.abs().max() or 0.0)  # type: ignore[arg-type]  # numeric by the test above
        seconds = next(factor for bound, factor in _NUMBER_UNITS if largest < bound)
        return numbers * (seconds / DAY_SECONDS)
    raise DatasetError(
        f"{where} is of type {column.dtype}, which is not a time: give dates, timestamps or numbers."
    )


def _calendar(numbers: pl.Series) -> pl.Series:
    lowest, highest = numbers.min(), numbers.max()
    if lowest is None or not _FIRST_DATE <= lowest <= highest <= _LAST_DATE:  # type: ignore[operator]  # whole numbers
        return numbers
    dates = numbers.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return numbers if dates.null_count() > numbers.null_count() else dates


def _parsed(column: pl.Series) -> pl.Series:
    """Return texts as times where they are, with or without a time of day; else as they were."""
    if bool(column.str.contains(r"^\d{8}$").all()):
        return _calendar(column.cast(pl.Int64))
    try:
        return column.str.to_datetime(time_zone="UTC")
    except pl.exceptions.PolarsError:
        try:
            return column.str.to_date()
        except pl.exceptions.PolarsError:
            return column


def refuse(wrong: pl.Series, path: TableSource, column: str, what: str) -> None:
    """Refuse a column with wrong rows.

    Args:
        wrong: Boolean; a null is wrong.
        path: The table.
        column: Its column.
        what: What a wrong row has.

    Raises:
        DatasetError: There is one; the message counts them and names the first.
    """
    wrong = wrong.fill_null(value=True)
    count = int(wrong.sum())
    if count:
        first = int(wrong.arg_max() or 0) + 1
        rows = "1 row has" if count == 1 else f"{count:,} rows have"
        raise DatasetError(
            f"Column {column!r} of {path}: {rows} {what}, the first is row {first:,}. Mend or remove them.",
            table=str(path),
            column=column,
        )


def fingerprint(frames: list[pl.DataFrame]) -> str:
    """Return the SHA-256 over all values in the order of their rows."""
    digest = hashlib.sha256()
    for frame in frames:
        for name in sorted(frame.columns):
            digest.update(f"{name}:{len(frame)}\n".encode())
            digest.update(np.ascontiguousarray(frame[name].hash(seed=1).to_numpy()).data)
    return digest.hexdigest()


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table, into a folder that is made if there is none.

    Args:
        table: What to write.
        path: Where; a CSV file if it ends so, else Parquet.

    Raises:
        DatasetError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            table.write_csv(path)
        else:
            table.write_parquet(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}.", table=str(path)) from None
