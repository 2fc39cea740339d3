"""A model of rewards, cross-fitted: features and the action, added up."""

import numpy as np
import polars as pl

from experiments.off_policy.logged import Predicted
from experiments.uplift.trial import Floats, Ints
from training.actions.encoding import encode, learn_encoding
from training.actions.folds import folds_of
from training.uplift.models import fit_ridge

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
) -> Predicted:
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
    return Predicted(logged, under)
