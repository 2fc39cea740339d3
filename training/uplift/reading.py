"""A user's table of a trial: which arm each member got, what was known of them before, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.uplift.trial import Floats, Trial, arm_positions
from training.data.tables import open_frame, refuse, require
from training.errors import DatasetError
from training.uplift.features import all_features, named_features

_MAX_ARMS = 50


@dataclass(frozen=True, slots=True)
class TrialColumns:
    """Which columns of a table say what.

    Attributes:
        treatment: The arm that each member got.
        control: The arm that the others are compared with.
        outcome: What came of it: numbers, or yes and no.
        margin: Money that it earned before the cost of the arms; the outcome itself if empty.
        response: Whether they responded, where a response costs; whether the outcome is above 0 if empty.
        member: Ids; members are numbered by row if empty.
        propensity: The probability with which the member got their arm; each arm's share of the rows if empty.
        features: What was known before the arm was drawn; every other column that can be one if none is named.
    """

    treatment: str
    control: str
    outcome: str
    margin: str = ""
    response: str = ""
    member: str = ""
    propensity: str = ""
    features: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ReadTrial:
    """A trial as it was read.

    Attributes:
        trial: Its outcomes are named as their columns.
        outcome: The outcome's name.
        money: The name of what decides: the margin's, else the outcome's.
        response: Name of the outcome that is 1 where the member responded.
        columns: What was asked for.
        left_out: Columns that are not features although none was named, each with the reason.
        warnings: What the reader should know, in sentences.
    """

    trial: Trial
    outcome: str
    money: str
    response: str
    columns: TrialColumns
    left_out: dict[str, str]
    warnings: tuple[str, ...]


def read_trial(path: TableSource, columns: TrialColumns) -> ReadTrial:
    """Read a trial from a Parquet or CSV table, one row per member.

    Raises:
        DatasetError: The table cannot be read, a column is missing, or values are none; the message names column and row.
    """
    frame = open_frame(path)
    asked = {
        "treatment": columns.treatment,
        "outcome": columns.outcome,
        "margin": columns.margin,
        "response": columns.response,
        "member": columns.member,
        "propensity": columns.propensity,
    }
    for kind, name in asked.items():
        if name:
            require(frame, path, name, kind)
    for name in columns.features:
        require(frame, path, name, "feature")
        if name in {columns.treatment, columns.outcome, columns.margin, columns.response, columns.propensity}:
            raise DatasetError(
                f"Column {name!r} cannot be a feature: it is what the trial gave or what came of it."
            )
    table = frame.collect()
    if table.is_empty():
        raise DatasetError(f"{path} has no rows.", table=str(path))
    arms, given = _arms(table[columns.treatment], path, columns)
    arm = arm_positions(arms, given)
    outcomes = {
        name: _outcome(table[name], path, name)
        for name in dict.fromkeys((columns.outcome, columns.margin))
        if name
    }
    for name, values in outcomes.items():
        if np.ptp(values) == 0:
            raise DatasetError(
                f"Column {name!r} of {path} is {values[0]:g} for everybody; nothing can be learned from it."
            )
    response = _response(table, path, columns, outcomes)
    propensity, warnings = _propensity(table, path, columns, arm, len(arms))
    trial = Trial(
        _members(table, path, columns.member),
        arms,
        arm,
        propensity,
        {**outcomes, **response},
        pl.DataFrame(height=table.height),
    )
    if columns.features:
        found = named_features(table, path, columns.features, trial)
    else:
        found = all_features(table, trial, {name for name in asked.values() if name})
    trial = replace(trial, features=found.columns)
    money = columns.margin or columns.outcome
    warnings += found.warnings
    return ReadTrial(trial, columns.outcome, money, next(iter(response)), columns, found.left_out, warnings)


def _arms(given: pl.Series, path: TableSource, columns: TrialColumns) -> tuple[tuple[str, ...], pl.Series]:
    name = columns.treatment
    refuse(given.is_null(), path, name, "no arm")
    if given.dtype.is_float():
        refuse(given != given.floor(), path, name, "an arm that is not a name: a number with a fraction")
        given = given.cast(pl.Int64)
    texts = given.cast(pl.String)
    found = sorted(texts.unique().to_list())
    control = columns.control
    if given.dtype == pl.Boolean and control.lower() in {"0", "1", "true", "false"}:
        control = "true" if control.lower() in {"1", "true"} else "false"
    if len(found) > _MAX_ARMS:
        raise DatasetError(
            f"Column {name!r} of {path} has {len(found):,} different values, more than the {_MAX_ARMS} arms that a trial may have;"
            " is it the treatment?"
        )
    if control not in found:
        raise DatasetError(
            f"The control {columns.control!r} is not in column {name!r} of {path}; it has {', '.join(found)}."
        )
    if len(found) < 2:
        raise DatasetError(
            f"Column {name!r} of {path} has the arm {control!r} alone; there is nothing to compare."
        )
    return (control, *(one for one in found if one != control)), texts


def _outcome(column: pl.Series, path: TableSource, name: str) -> Floats:
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Float64)
    if not column.dtype.is_numeric():
        raise DatasetError(
            f"Column {name!r} of {path} is of type {column.dtype}; an outcome is a number, or true and false."
        )
    numbers = column.cast(pl.Float64)
    refuse(numbers.is_null() | ~numbers.is_finite(), path, name, "no outcome (null, NaN or infinite)")
    values: Floats = numbers.to_numpy().copy()
    return values


def _response(
    table: pl.DataFrame, path: TableSource, columns: TrialColumns, outcomes: dict[str, Floats]
) -> dict[str, Floats]:
    if columns.response:
        values = _outcome(table[columns.response], path, columns.response)
        if not np.isin(values, (0.0, 1.0)).all():
            raise DatasetError(
                f"Column {columns.response!r} of {path} must be 0 or 1: whether the member responded."
            )
        return {columns.response: values}
    values = outcomes[columns.outcome]
    if np.isin(values, (0.0, 1.0)).all():
        return {columns.outcome: values}
    return {f"{columns.outcome} above 0": (values > 0).astype(np.float64)}


def _propensity(
    table: pl.DataFrame,
    path: TableSource,
    columns: TrialColumns,
    arm: np.ndarray[tuple[int], np.dtype[np.int64]],
    arms: int,
) -> tuple[Floats, tuple[str, ...]]:
    if not columns.propensity:
        shares = np.bincount(arm, minlength=arms) / len(arm)
        return shares[arm], ()
    column = table[columns.propensity]
    if not column.dtype.is_numeric():
        raise DatasetError(
            f"Column {columns.propensity!r} of {path} is of type {column.dtype}; propensities are numbers."
        )
    numbers = column.cast(pl.Float64)
    refuse(
        numbers.is_null() | ~((numbers > 0) & (numbers <= 1)),
        path,
        columns.propensity,
        "a propensity outside (0, 1]",
    )
    values: Floats = numbers.to_numpy().copy()
    # By arm, Σ 1/p over its members estimates how many members there are.
    counted = np.bincount(arm, weights=1 / values, minlength=arms) / len(arm)
    squares = np.bincount(arm, weights=(1 / values) ** 2 * (1 - values), minlength=arms)
    off = np.abs(counted - 1) > 5 * np.sqrt(squares) / len(arm) + 1e-9
    if off.any():
        worst = int(np.abs(counted - 1).argmax())
        sentence = (
            f"The propensities do not fit the arms: weighted by them, arm {worst + 1} of {arms} stands for {counted[worst]:.0%} of all"
            " members. Are they the probabilities of the arm that each member got?"
        )
        return values, (sentence,)
    return values, ()


def _members(table: pl.DataFrame, path: TableSource, name: str) -> pl.Series:
    if not name:
        return pl.int_range(1, table.height + 1, dtype=pl.Int64, eager=True).alias("row")
    refuse(table[name].is_null(), path, name, "no id")
    twice = int(table[name].is_duplicated().sum())
    if twice:
        raise DatasetError(
            f"Column {name!r} of {path}: {twice:,} rows have an id that other rows have too; a trial has one row per member."
        )
    return table[name]
