"""The members a list is made for, the trial's or another table's, and how likely each responds to each arm."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.send_plan import Audience
from experiments.uplift.calibration import apply_all
from experiments.uplift.trial import Floats, Ints, Trial
from training.data.tables import open_frame, refuse, require
from training.errors import DatasetError
from training.send_plan.costs import expected_costs
from training.uplift.features import encode, is_text
from training.uplift.learners import Rows, cross_fitted_outcomes, outcome_models
from training.uplift.learning import LearnedEffects, arm_chances
from training.uplift.models import Family, Predictor

_FAMILY = Family(boosted=False, binary=True)


@dataclass(frozen=True, slots=True, eq=False)
class ResponseModels:
    """Probabilities of a response.

    Attributes:
        predicted: float64[n, arms], of the trial's members, by models that did not see them.
        models: One per arm, of all members of the trial.
        learned: Says how features become numbers.
    """

    predicted: Floats
    models: tuple[Predictor, ...]
    learned: LearnedEffects

    def of(self, features: pl.DataFrame) -> Floats:
        """Return float64[n, arms] for anybody with the trial's features."""
        matrix = encode(self.learned.fitted.encoding, features)
        return np.column_stack([model.predict(matrix).clip(0, 1) for model in self.models])


def learn_responses(trial: Trial, response: str, learned: LearnedEffects, seed: int) -> ResponseModels:
    """Learn the probability of a response to each arm, in the folds of the effects.

    Args:
        trial: The trial.
        response: Name of an outcome that is 0 or 1.
        learned: The effects.
        seed: Of everything random.

    Returns:
        Models of responses.
    """
    matrix = encode(learned.fitted.encoding, trial.features)
    rows = Rows(
        matrix,
        trial.arm,
        len(trial.arms),
        trial.outcomes[response],
        trial.propensity,
        arm_chances(trial, matrix),
        binary=True,
        seed=seed,
    )
    predicted = cross_fitted_outcomes(rows, learned.fold, _FAMILY).clip(0, 1)
    return ResponseModels(predicted, tuple(outcome_models(rows, _FAMILY)), learned)


@dataclass(frozen=True, slots=True, eq=False)
class Addressed:
    """Members with what the plan knows of them.

    Attributes:
        audience: For the plan.
        raw: float64[n, K], net gains as they were predicted.
        features: n rows.
        matrix: float64[n, width], the features as numbers.
    """

    audience: Audience
    raw: Floats
    features: pl.DataFrame
    matrix: Floats


def of_the_trial(responses: ResponseModels, costs: tuple[Floats, Floats], rule: Ints | None) -> Addressed:
    """Address the trial's own members, predicted by models that did not see them.

    Args:
        responses: And the effects that they were learned with.
        costs: Per send and per response, by arm.
        rule: What the own rule gives them.

    Returns:
        The members, with what each arm is expected to change.
    """
    learned = responses.learned
    trial = learned.trial
    raw, expected = learned.effects, learned.shrunk
    audience = Audience(
        members=trial.members,
        gains=expected if differ(learned) else raw,
        costs=expected_costs(responses.predicted, costs),
        response=responses.predicted[:, 1:],
        rule=rule,
        expected=expected,
    )
    return Addressed(audience, raw, trial.features, encode(learned.fitted.encoding, trial.features))


def of_a_table(
    path: TableSource,
    member: str,
    responses: ResponseModels,
    costs: tuple[Floats, Floats],
    rule: Ints | None,
) -> Addressed:
    """Address the members of a table, predicted by models of all members of the trial.

    Args:
        path: The table.
        member: Its column with ids; members are numbered by row if empty.
        responses: And the effects that they were learned with.
        costs: Per send and per response, by arm.
        rule: What the own rule gives them.

    Returns:
        The members, with what each arm is expected to change.

    Raises:
        DatasetError: The table lacks a feature, or has one of another kind, or an id twice.
    """
    frame = open_frame(path)
    learned = responses.learned
    trial = learned.trial
    for name in trial.features.columns:
        require(frame, path, name, "feature")
    if member:
        require(frame, path, member, "member")
    table = frame.collect()
    if table.is_empty():
        raise DatasetError(f"{path} has no rows.", table=str(path))
    names = trial.features.columns
    # Polars forgets the number of rows where no column is selected.
    features = table.select(names) if names else pl.DataFrame(height=table.height)
    for column in features:
        if is_text(column) != is_text(trial.features[column.name]):
            raise DatasetError(
                f"Column {column.name!r} of {path} is of type {column.dtype}, but of type {trial.features[column.name].dtype} in the"
                " trial; a feature must be of one kind in both."
            )
    matrix = encode(learned.fitted.encoding, features)
    raw = learned.fitted.model.effects(matrix)
    expected = apply_all(learned.fitted.calibrations, raw)
    response = responses.of(features)
    audience = Audience(
        members=_members(table, path, member),
        gains=expected if differ(learned) else raw,
        costs=expected_costs(response, costs),
        response=response[:, 1:],
        rule=rule,
        expected=expected,
    )
    return Addressed(audience, raw, features, matrix)


def differ(learned: LearnedEffects) -> bool:
    """Return whether the effects of any arm differ measurably between members: the heterogeneity gate."""
    return any(calibration.passes for calibration in learned.chosen.calibrations)


def _members(table: pl.DataFrame, path: TableSource, name: str) -> pl.Series:
    if not name:
        return pl.Series("row", np.arange(1, table.height + 1))
    refuse(table[name].is_null(), path, name, "no id")
    twice = int(table[name].is_duplicated().sum())
    if twice:
        raise DatasetError(
            f"Column {name!r} of {path}: {twice:,} rows have an id that other rows have too; a list has one row per member."
        )
    return table[name]
