"""How likely each member responds to each arm: logistic, cross-fitted for the trial's own members."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats, Trial
from training.actions.chances import arm_chances
from training.actions.encoding import encode
from training.uplift.learners import Rows, cross_fitted_outcomes, outcome_models
from training.uplift.learning import LearnedEffects
from training.uplift.models import Family, Predictor

_FAMILY = Family(boosted=False, binary=True)


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
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


def learn_responses(trial: Trial, response: str, learned: LearnedEffects, seed: int) -> Responses:
    """Learn the probability of a response to each arm, in the folds of the effects.

    Args:
        trial: The trial.
        response: Name of an outcome that is 0 or 1.
        learned: The effects.
        seed: Of everything random.
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
    return Responses(predicted, tuple(outcome_models(rows, _FAMILY)), learned)
