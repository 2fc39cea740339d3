"""The value of a policy from a table of logged choices: reading the table, naming the policy, and a model of rewards."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.display import Displayed
from experiments.errors import OptionError
from experiments.off_policy.estimators import LoggedChoices, PredictedRewards
from experiments.off_policy.evaluation import (
    PolicyEvaluation,
    PolicyVerdict,
    evaluate_policy,
    policy_document,
    policy_lines,
)
from experiments.uplift.trial import Floats, Ints, arm_positions
from training.data.tables import fingerprint, open_frame, refuse, require
from training.errors import DatasetError, TrainingError
from training.uplift.features import encode, learn_encoding
from training.uplift.learners import folds_of
from training.uplift.models import fit_ridge

_TOLERANCE = 1e-6
_HELP = "write uniform, logging, always:ACTION or table:FILE"


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedPolicy:
    """A policy whose probabilities do not depend on the member.

    Attributes:
        name: In words.
        chances: float64[positions, actions], each row sums to 1; or none for the logging policy, which is whatever it was.
    """

    name: str
    chances: Floats | None

    def of(self, action: Ints, place: Ints, propensity: Floats) -> Floats:
        """Look up how likely the policy was to choose what was logged.

        Args:
            action: int64[n], which action.
            place: int64[n], which position, from 0.
            propensity: float64[n], of the logging policy.

        Returns:
            float64[n], probabilities of the logged actions.
        """
        return propensity if self.chances is None else self.chances[place, action]


def parse_policy(text: str, actions: list[str], positions: list[int]) -> EvaluatedPolicy:
    """Read which policy a text means.

    ``uniform`` chooses each action of the log alike, ``logging`` is the logging policy itself, ``always:ACTION`` one action. ``table:FILE`` is a
    Parquet or CSV table with columns ``action``, ``probability`` and maybe ``position``.

    Args:
        text: The policy.
        actions: Those of the log.
        positions: Those of the log, ``[1]`` without any.

    Returns:
        The policy.

    Raises:
        TrainingError: The text is none, or the table's probabilities are none.
    """
    kind, _, rest = text.partition(":")
    if text == "uniform":
        return EvaluatedPolicy(
            "The uniform policy", np.full((len(positions), len(actions)), 1 / len(actions))
        )
    if text == "logging":
        return EvaluatedPolicy("The logging policy", None)
    if kind == "always" and rest:
        if rest not in actions:
            listed = ", ".join(actions[:20]) + (" …" if len(actions) > 20 else "")
            raise TrainingError(f"The log never chose {rest!r}; it chose {listed}.")
        chances = np.zeros((len(positions), len(actions)))
        chances[:, actions.index(rest)] = 1.0
        return EvaluatedPolicy(f"Always {rest}", chances)
    if kind == "table" and rest:
        return _table(Path(rest), actions, positions)
    raise TrainingError(f"There is no policy {text!r}; {_HELP}.")


def _table(path: TableSource, actions: list[str], positions: list[int]) -> EvaluatedPolicy:
    frame = open_frame(path)
    for name in ("action", "probability"):
        require(frame, path, name, "policy")
    rows = frame.collect()
    if not rows["probability"].dtype.is_numeric():
        raise TrainingError(
            f"Column 'probability' of {path} is of type {rows['probability'].dtype}; it must be a number."
        )
    rows = rows.with_columns(pl.col("action").cast(pl.String), pl.col("probability").cast(pl.Float64))
    refuse(~rows["probability"].is_between(0, 1), path, "probability", "a probability outside [0, 1]")
    keys = ["position", "action"] if "position" in rows.columns else ["action"]
    refuse(rows.select(keys).is_duplicated(), path, "action", "an action that another row has too")
    chances = np.zeros((len(positions), len(actions)))
    for place, position in enumerate(positions):
        here = rows.filter(pl.col("position") == position) if "position" in rows.columns else rows
        total = float(here["probability"].sum())
        if abs(total - 1) > _TOLERANCE:
            at = f" at position {position}" if "position" in rows.columns else ""
            raise TrainingError(f"The probabilities of {path}{at} sum to {total:.6g}, not 1.")
        found = dict(zip(here["action"], here["probability"], strict=True))
        chances[place] = [found.get(action, 0.0) for action in actions]
    return EvaluatedPolicy(f"The policy of {path.name}", chances)


FOLDS = 5


def predict_rewards(
    reward: Floats,
    action: Ints,
    place: Ints,
    chances: Floats,
    features: pl.DataFrame,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> PredictedRewards:
    """Predict rewards by a ridge regression on features, the action and the position; each fold by a model of the others.

    Since it is a sum, what it expects of a policy is the sum over actions of probability times the action's part.

    Args:
        reward: float64[n].
        action: int64[n].
        place: int64[n], the position, from 0.
        chances: float64[positions, actions], the evaluated policy.
        features: n rows, maybe without columns.
        folds: At least 2.
        seed: Of the folds.

    Returns:
        Predictions of what was chosen, and under the policy.
    """
    context = encode(learn_encoding(features), features) if features.width else np.zeros((len(reward), 0))
    spots = np.eye(chances.shape[0])[place][:, 1:]
    context = np.hstack([context, spots])
    logged, under = np.empty(len(reward)), np.empty(len(reward))
    fold = folds_of(action, folds, seed)
    for number in range(folds):
        inside = fold == number
        design = np.hstack([context, np.eye(chances.shape[1])[action]])
        line = fit_ridge(design[~inside], reward[~inside])
        base = context[inside] @ line.coefficients[: context.shape[1]] + line.intercept
        parts = line.coefficients[context.shape[1] :]
        logged[inside] = base + parts[action[inside]]
        under[inside] = base + (chances @ parts)[place[inside]]
    return PredictedRewards(logged, under)


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

    @classmethod
    def of_options(
        cls,
        *,
        action: str,
        propensity: str,
        reward: str,
        position: str,
        policy: str,
        features: Sequence[str],
        own_log: bool,
    ) -> Self:
        """Return the columns that options name, completed by those of the server's own log where that is read.

        Args:
            action: As the attributes.
            propensity: As the attributes.
            reward: As the attributes; empty for that of the server's log.
            position: As the attributes.
            policy: As the attributes.
            features: As the attributes.
            own_log: Whether the log is the server's.

        Returns:
            The columns.

        Raises:
            OptionError: A table's reward is not named.
        """
        if not own_log and not reward:
            raise OptionError("Name the column with what came of a choice.", "--reward-column")
        if own_log:
            reward, position = reward or "responded", position or "rank"
        return cls(action, propensity, reward, position, policy, tuple(features))


@dataclass(frozen=True, slots=True, repr=False)
class EvaluatedLog(Displayed):
    """An evaluation with the data that it rests on.

    Attributes:
        found: The evaluation.
        fingerprint: SHA-256 of the columns that were read.
    """

    found: PolicyEvaluation
    fingerprint: str

    @property
    def verdict(self) -> PolicyVerdict:
        """Whether the policy earns more, less, about as much, or nothing can be said."""
        return self.found.verdict

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as a JSON document."""
        return {**policy_document(self.found), "fingerprint": self.fingerprint}

    def summary(self) -> str:
        """Return the verdict and the figures that it rests on."""
        return policy_lines(self.found)


def evaluate_log(
    table: pl.DataFrame, path: TableSource, columns: LogColumns, policy: str, *, seed: int = 0
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

    Returns:
        The evaluation.

    Raises:
        OptionError: There is not exactly one policy.
        TrainingError, AnalysisError: A column is missing or wrong, or the policy is none.
    """
    if bool(policy) == bool(columns.policy):
        raise OptionError("Give either --policy or --policy-column.")
    if table.is_empty():
        raise DatasetError(f"{path} has no rows.", table=str(path))
    reward = _numbers(table, path, columns.reward, "a reward that is not a number")
    propensity = _numbers(table, path, columns.propensity, "a propensity that is not a number")
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
        chance = _numbers(table, path, columns.policy, "a probability that is not a number")
        refuse(~pl.Series(chance).is_between(0, 1), path, columns.policy, "a probability outside [0, 1]")
    else:
        chosen = parse_policy(policy, actions, positions)
        name, chance = chosen.name, chosen.of(action, place, propensity)
        if chosen.chances is not None:
            features = table.select(columns.features) if columns.features else pl.DataFrame()
            predicted = predict_rewards(reward, action, place, chosen.chances, features, seed=seed)
    found = evaluate_policy(
        LoggedChoices(reward, propensity, chance, position), predicted, name, informed=bool(columns.features)
    )
    read = [
        one
        for one in (columns.action, columns.propensity, columns.reward, columns.position, columns.policy)
        if one
    ]
    return EvaluatedLog(found, fingerprint([table.select(list(dict.fromkeys([*read, *columns.features])))]))


def read_log_table(path: TableSource, columns: LogColumns) -> pl.DataFrame:
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


def _numbers(table: pl.DataFrame, path: TableSource, name: str, what: str) -> Floats:
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
    table: pl.DataFrame, path: TableSource, name: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    if not name:
        return None
    numbers = _numbers(table, path, name, "no position")
    refuse(pl.Series(numbers != np.floor(numbers)), path, name, "a position that is not a whole number")
    return numbers.astype(np.int64)
