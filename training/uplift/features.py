"""Which columns of a trial are features, which were not known in time, and how they become a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import ndtr

from experiments.aggregates.tables import TableSource
from experiments.uplift.trial import Floats, Trial
from training.bundle.encoding import Encoding, LevelsPart, NumberPart, Part
from training.errors import DatasetError

MAX_LEVELS = 20
FEWEST_ROWS = 20
"""A level that fewer members have is pooled with the other rare ones."""


def learn_encoding(features: pl.DataFrame) -> Encoding:
    """Return how the columns of a table become numbers: standardised, or one per frequent level.

    A number's missing values count as its mean, with a flag of their own if at least 20 members have none. Of a text's levels the 20
    most frequent are kept, less the most frequent, which the others are compared with.

    Args:
        features: Numbers, booleans, dates, times or texts; a column of which everything is missing or equal becomes nothing.
    """
    parts = [_part(column) for column in features]
    return Encoding(tuple(part for part in parts if part is not None))


def encode(encoding: Encoding, features: pl.DataFrame) -> Floats:
    """Return float64[n, width], the same numbers as ``Encoding.of_member`` gives one member.

    Args:
        encoding: Learned, maybe from other rows.
        features: A table with its columns.
    """
    matrix = np.zeros((features.height, encoding.width))
    at = 0
    for part in encoding.parts:
        column = features[part.name]
        if isinstance(part, NumberPart):
            values = as_numbers(column)
            missing = ~np.isfinite(values)
            matrix[:, at] = np.where(missing, 0.0, (values - part.mean) / part.deviation)
            if part.flagged:
                matrix[:, at + 1] = missing
        else:
            texts = column.cast(pl.String).fill_null("")
            for place, level in enumerate(part.levels):
                matrix[:, at + place] = (texts == level).to_numpy()
        at += part.width
    return matrix


def is_text(column: pl.Series) -> bool:
    """Tell whether a column is encoded by levels."""
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def as_numbers(column: pl.Series) -> Floats:
    """Return float64[n]: numbers, booleans as 0 and 1, dates and times as days since 1970; NaN where missing."""
    if column.dtype == pl.Date:
        column = column.cast(pl.Int32)
    elif isinstance(column.dtype, pl.Datetime):
        column = column.dt.timestamp("us").cast(pl.Float64) / 86_400e6
    values: Floats = column.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _part(column: pl.Series) -> Part | None:
    if is_text(column):
        counts = (
            column.cast(pl.String)
            .fill_null("")
            .alias("level")
            .value_counts()
            .sort("count", "level", descending=[True, False])
        )
        frequent = counts.filter(pl.col("count") >= FEWEST_ROWS).head(MAX_LEVELS)["level"].to_list()
        rare = counts.height > len(frequent)
        levels = frequent[1:] if frequent and (len(frequent) > 1 or not rare) else frequent
        return LevelsPart(column.name, tuple(levels)) if levels else None
    values = as_numbers(column)
    known = values[np.isfinite(values)]
    flagged = len(values) - len(known) >= FEWEST_ROWS
    deviation = float(known.std()) if len(known) else 0.0
    if deviation <= 1e-12 * max(1.0, float(np.abs(known).max()) if len(known) else 1.0):
        # Only whether it is missing can tell members apart.
        return (
            NumberPart(column.name, float(known.mean()), 1.0, flagged=True)
            if flagged and len(known)
            else None
        )
    return NumberPart(column.name, float(known.mean()), deviation, flagged)


_CHANCE = 1e-6
"""Accepted chance, per column, that a sound feature looks like a leak."""
_MAX_LEVELS = 20
_MANY = 0.5
_NEARLY_ALL = 0.9
_FEWEST_KNOWN = 20


@dataclass(frozen=True, slots=True)
class Leak:
    """Why a feature is none.

    Attributes:
        sentence: What follows its name.
    """

    sentence: str


def find_leaks(features: pl.DataFrame, trial: Trial) -> dict[str, Leak]:
    """Return the columns that cannot have been known before, by name.

    A column leaks if its mean, or the share of one of its levels, differs between an arm and the control by more than chance (each
    member weighted by 1 / propensity, normal approximation), or if one of its values stands for at least half of all members with
    some outcome and within it the outcome never varies, where it would if the column told nothing; both at a chance of one in a
    million, shared among the comparisons of the column. It also leaks if it explains nine tenths of the variance of an outcome or of
    its ranks: what was known before hardly does, and predictions from such a copy would hide the arm's effect.

    Args:
        features: What may be features.
        trial: Arms, propensities and outcomes of the same rows.
    """
    found = {}
    for column in features:
        if _differs(column, trial):
            found[column.name] = Leak("differs between the arms")
        else:
            outcome = _gives_away(column, trial)
            if outcome:
                found[column.name] = Leak(f"gives {outcome!r} away for most members")
    return found


def _levels(column: pl.Series) -> list[tuple[Floats, bool]]:
    """Return numbers that describe the column, each with whether it is an indicator."""
    if is_text(column):
        texts = column.cast(pl.String).fill_null("").alias("level")
        frequent = (
            texts.value_counts().sort("count", "level", descending=[True, False]).head(_MAX_LEVELS)["level"]
        )
        return [((texts == level).to_numpy().astype(np.float64), True) for level in frequent]
    values = as_numbers(column)
    missing = ~np.isfinite(values)
    zero = (values == 0).astype(np.float64)
    plain = [(np.where(missing, np.nanmean(values) if not missing.all() else 0.0, values), False)]
    return [
        *plain,
        *(
            (one, True)
            for one in (zero, 1.0 - zero - missing, missing.astype(np.float64))
            if 0 < one.sum() < len(one)
        ),
    ]


def _differs(column: pl.Series, trial: Trial) -> bool:
    levels = _levels(column)
    comparisons = len(levels) * (len(trial.arms) - 1)
    weights = 1 / trial.propensity
    for values, _ in levels:
        means = []
        for arm in range(len(trial.arms)):
            own = trial.arm == arm
            weight, value = weights[own], values[own]
            mean = float(np.average(value, weights=weight))
            means.append((mean, float((weight**2 * (value - mean) ** 2).sum() / weight.sum() ** 2)))
        for mean, variance in means[1:]:
            spread = np.sqrt(variance + means[0][1])
            if spread == 0:
                if mean != means[0][0]:
                    return True
            elif 2 * ndtr(-abs(mean - means[0][0]) / spread) * comparisons < _CHANCE:
                return True
    return False


def _gives_away(column: pl.Series, trial: Trial) -> str:
    for name, outcome in trial.outcomes.items():
        if _decides(column, outcome) or _follows(column, outcome):
            return name
    return ""


def _decides(column: pl.Series, outcome: Floats) -> bool:
    indicators = [values > 0 for values, is_level in _levels(column) if is_level]
    for inside in indicators:
        own = outcome[inside]
        if np.ptp(own):
            continue
        same = float((outcome == own[0]).mean())
        if inside.mean() < _MANY * same:
            # A feature that was known before may well name a few members who never buy.
            continue
        if len(own) * np.log(max(same, 1e-12)) < np.log(_CHANCE / len(indicators)):
            return True
    return False


def _follows(column: pl.Series, outcome: Floats) -> bool:
    """Tell whether the column is nearly a multiple of the outcome, or puts members nearly in its order."""
    if is_text(column):
        return False
    values = as_numbers(column)
    known = np.isfinite(values)
    if known.sum() < _FEWEST_KNOWN:
        return False
    pair = pl.DataFrame({"column": values[known], "outcome": outcome[known]})
    ranks = pair.select(pl.all().rank())
    return any(_correlation(one) ** 2 > _NEARLY_ALL for one in (pair, ranks))


def _correlation(pair: pl.DataFrame) -> float:
    first, second = (one.to_numpy() - one.mean() for one in pair.cast(pl.Float64))
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm else 0.0


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


def named_features(table: pl.DataFrame, path: TableSource, names: Sequence[str], trial: Trial) -> Features:
    """Take the columns that were named as features, with a warning for each that looks as if it was not known before.

    Args:
        table: All columns.
        path: Where it is from, for errors.
        names: The features.
        trial: Arms, propensities and outcomes of the same rows.

    Returns:
        The features.

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
    """Take all columns as features but ids, constants, and what looks as if it was not known before.

    Args:
        table: All columns.
        trial: Arms, propensities and outcomes of the same rows.
        taken: Columns that say something else of the trial.

    Returns:
        The features, and why others were left out.
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
