"""Turning fitted effects into the model that the server holds."""

import numpy as np

from training.bundle import ActionModel
from training.bundle.trees import Trees, compile_trees
from training.uplift.learning import FittedEffects
from training.uplift.models import Boosted, Line


def compile_effects(fitted: FittedEffects, arms: tuple[str, ...], outcome: str) -> ActionModel:
    """Return fitted effects as arrays.

    Args:
        fitted: Effects for anybody.
        arms: All arms, the control first.
        outcome: What the effects are on.
    """
    lines = [(place, model) for place, model in enumerate(fitted.model.models) if isinstance(model, Line)]
    boosted = [
        (place, model) for place, model in enumerate(fitted.model.models) if isinstance(model, Boosted)
    ]
    order = [place for place, _ in (*lines, *boosted)]
    logistic = [model.logistic for _, model in lines] + [model.binary for _, model in boosted]
    width = fitted.encoding.width
    return ActionModel(
        control=arms[0],
        arms=arms[1:],
        outcome=outcome,
        encoding=fitted.encoding,
        lines=np.array([model.coefficients for _, model in lines], dtype=np.float64).reshape(
            len(lines), width
        ),
        intercepts=np.array([model.intercept for _, model in lines], dtype=np.float64),
        trees=tuple(_trees(model) for _, model in boosted),
        logistic=np.array(logistic, dtype=np.bool_),
        weights=np.ascontiguousarray(fitted.model.weights[:, order]),
        averages=np.array([one.average.estimate for one in fitted.calibrations]),
        shrinkages=np.array([one.shrinkage for one in fitted.calibrations]),
        means=np.array([one.predicted_mean for one in fitted.calibrations]),
    )


def _trees(model: Boosted) -> Trees:
    return compile_trees([tree["tree_structure"] for tree in model.booster.dump_model()["tree_info"]])
