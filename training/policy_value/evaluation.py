"""Reading a table of logged choices, and evaluating a policy on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.off_policy.evaluation import PolicyEvaluation, evaluate_policy
from experiments.off_policy.logged import Logged
from experiments.uplift.trial import Floats, arm_positions
from training.data.columns import fingerprint, open_frame, refuse, require
from training.errors import DatasetError
from training.policy_value.policies import parse_policy
from training.policy_value.rewards import predict_rewards


@dataclass(frozen=True, slots=True)
class LogColumns:
    """Which columns of a log say what.

    Attributes:
        action: What was chosen.
        propensity: With which probability.
        reward: What came of it.
        position: Where in a slate, whole numbers from 1; empty where answers have one position.
        policy: The probability with which the evaluated policy would have chosen the same; empty where the policy is named.
        features: What a model of rewards may see.
    """

    action: str
    propensity: str
    reward: str
    position: str = ""
    policy: str = ""
    features: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class EvaluatedLog:
    """An evaluation with the data that it rests on.

    Attributes:
        found: The evaluation.
        fingerprint: SHA-256 of the columns that were read.
    """

    found: PolicyEvaluation
    fingerprint: str


def evaluate_log(
    table: pl.DataFrame, path: Path, columns: LogColumns, policy: str, *, seed: int = 0
) -> EvaluatedLog:
    """Evaluate a policy on a table of logged choices.

    Where the policy is named, its probability of every action is known, and a model of rewards allows doubly robust estimates. Where a column
    has its probability of what was chosen, those are left out.

    Args:
        table: The log.
        path: Where it is from, for errors.
        columns: Which column says what.
        policy: As ``parse_policy`` reads it; empty where a column has its probabilities.
        seed: Of the folds of the model of rewards.

    Raises:
        TrainingError, AnalysisError: A column is missing or wrong, or the policy is none.
    """
    if table.is_empty():
        raise DatasetError(f"{path} has no rows.", table=str(path))
    reward = _numbers(table, path, columns.reward, "a reward that is no number")
    propensity = _numbers(table, path, columns.propensity, "a propensity that is no number")
    refuse(
        ~pl.Series(propensity).is_between(0, 1, closed="right"),
        path,
        columns.propensity,
        "a propensity outside (0, 1]",
    )
    refuse(table[columns.action].is_null(), path, columns.action, "no action")
    given = table[columns.action].cast(pl.String)
    actions = given.unique().sort().to_list()
    action = arm_positions(actions, given)
    position = _positions(table, path, columns.position)
    positions = [1] if position is None else np.unique(position).tolist()
    place = (
        np.zeros(len(action), dtype=np.int64) if position is None else np.searchsorted(positions, position)
    )
    predicted = None
    if columns.policy:
        name = f"The policy of column {columns.policy!r}"
        chance = _numbers(table, path, columns.policy, "a probability that is no number")
        refuse(~pl.Series(chance).is_between(0, 1), path, columns.policy, "a probability outside [0, 1]")
    else:
        chosen = parse_policy(policy, actions, positions)
        name, chance = chosen.name, chosen.of(action, place, propensity)
        if chosen.chances is not None:
            features = table.select(columns.features) if columns.features else pl.DataFrame()
            predicted = predict_rewards(reward, action, place, chosen.chances, features, seed=seed)
    found = evaluate_policy(
        Logged(reward, propensity, chance, position), predicted, name, informed=bool(columns.features)
    )
    read = [
        one
        for one in (columns.action, columns.propensity, columns.reward, columns.position, columns.policy)
        if one
    ]
    return EvaluatedLog(found, fingerprint([table.select(list(dict.fromkeys([*read, *columns.features])))]))


def read_log_table(path: Path, columns: LogColumns) -> pl.DataFrame:
    """Return the table of a log with the columns that are asked for.

    Raises:
        DatasetError: It cannot be read, or a column is missing.
    """
    frame = open_frame(path)
    asked = {
        "action": columns.action,
        "propensity": columns.propensity,
        "reward": columns.reward,
        "position": columns.position,
        "policy": columns.policy,
    }
    wanted = {kind: name for kind, name in asked.items() if name}
    for kind, name in wanted.items():
        require(frame, path, name, kind)
    for name in columns.features:
        require(frame, path, name, "feature")
    return frame.select(list(dict.fromkeys([*wanted.values(), *columns.features]))).collect()


def _numbers(table: pl.DataFrame, path: Path, name: str, what: str) -> Floats:
    column = table[name]
    if column.dtype == pl.Boolean:
        column = column.cast(pl.Float64)
    if not column.dtype.is_numeric():
        raise DatasetError(f"Column {name!r} of {path} is of type {column.dtype}; it must be a number.")
    numbers = column.cast(pl.Float64)
    refuse(numbers.is_null() | ~numbers.is_finite(), path, name, what)
    values: Floats = numbers.to_numpy().copy()
    return values


def _positions(
    table: pl.DataFrame, path: Path, name: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    if not name:
        return None
    numbers = _numbers(table, path, name, "no position")
    refuse(pl.Series(numbers != np.floor(numbers)), path, name, "a position that is no whole number")
    return numbers.astype(np.int64)
