"""Which columns of a trial's table are features: those that are named, or every one that can have been known before."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from experiments.uplift.trial import Trial
from training.actions.encoding import is_text
from training.actions.leaks import find_leaks
from training.errors import DatasetError

_MICROSECONDS_A_DAY = 86_400e6


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features as they were read.

    Attributes:
        columns: n rows, as many where there are no columns.
        left_out: Columns that are none, each with the reason.
        warnings: What the reader should know, in sentences.
    """

    columns: pl.DataFrame
    left_out: dict[str, str]
    warnings: tuple[str, ...]


def named_features(table: pl.DataFrame, path: Path, names: Sequence[str], trial: Trial) -> Features:
    """Return the columns that were named, with a warning for one that looks as if it was not known before.

    Args:
        table: All columns.
        path: Where it is from, for errors.
        names: The features.
        trial: Arms, propensities and outcomes of the same rows.

    Raises:
        DatasetError: A column is of a type that no feature has.
    """
    for column in (table[name] for name in names):
        if not _readable(column):
            raise DatasetError(
                f"Column {column.name!r} of {path} is of type {column.dtype}; a feature is a number, a date, yes or no, or a text."
            )
    columns = _features(table, names)
    return Features(
        columns,
        {},
        tuple(
            f"Feature {name!r} {leak.sentence}; if it was not known before the arm was drawn, leave it out."
            for name, leak in find_leaks(columns, trial).items()
        ),
    )


def all_features(table: pl.DataFrame, trial: Trial, taken: set[str]) -> Features:
    """Return all columns but ids, constants, and what looks as if it was not known before.

    Args:
        table: All columns.
        trial: Arms, propensities and outcomes of the same rows.
        taken: Columns that say something else of the trial.
    """
    left_out: dict[str, str] = {}
    kept = []
    for column in table:
        if column.name in taken:
            continue
        distinct = column.n_unique()
        if not _readable(column):
            left_out[column.name] = f"it is of type {column.dtype}"
        elif distinct == 1:
            left_out[column.name] = "it is the same everywhere"
        elif distinct == table.height and (is_text(column) or column.dtype.is_integer()):
            left_out[column.name] = "it is different for every member, like an id"
        else:
            kept.append(column.name)
    leaks = find_leaks(_features(table, kept), trial)
    left_out |= {
        name: f"it {leak.sentence}, so it was hardly known before the arm was drawn; name it with --features if it was"
        for name, leak in leaks.items()
    }
    return Features(
        _features(table, [name for name in kept if name not in leaks]),
        left_out,
        tuple(f"Column {name!r} is not used as a feature: {reason}." for name, reason in left_out.items()),
    )


def _readable(column: pl.Series) -> bool:
    return (
        column.dtype.is_numeric()
        or column.dtype.is_temporal()
        or column.dtype == pl.Boolean
        or is_text(column)
    )


def _features(table: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    if not names:
        return pl.DataFrame(height=table.height)
    return table.select(_plain(table[name]) for name in names)


def _plain(column: pl.Series) -> pl.Series:
    """Return texts as such, times of day and durations as days, decimals as floats, and null for what is not finite."""
    if is_text(column):
        return column.cast(pl.String)
    if column.dtype == pl.Time:
        column = column.cast(pl.Duration("us"))
    if column.dtype == pl.Duration:
        column = column.dt.total_microseconds() / _MICROSECONDS_A_DAY
    if column.dtype.is_decimal():
        column = column.cast(pl.Float64)
    if column.dtype.is_float():
        return column.set(~column.is_finite(), None)
    return column
