"""Learners of effects, each for any number of arms: S, T, X, R and DR, by lines or by boosted trees.

Each returns models whose weighted sums are the effects, so that one form serves, whoever learned it:
``effects[arm] = Σ weights[arm, m] · models[m](member)``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from experiments.uplift.trial import Floats, Ints, doubly_robust_scores
from training.uplift.models import Family, Line, Predictor


def folds_of(arm: Ints, folds: int, seed: int) -> Ints:
    """Draw a fold for each member, so that every arm is spread evenly.

    Args:
        arm: int64[n].
        folds: How many.
        seed: Decides the draw.

    Returns:
        int64[n], from 0 to ``folds - 1``.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(arm))
    shuffled = order[np.argsort(arm[order], kind="stable")]
    fold = np.empty(len(arm), dtype=np.int64)
    fold[shuffled] = np.arange(len(arm)) % folds
    return fold


DEFAULT_LEARNER = "dr_ridge"
_INNER_FOLDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What a learner learns from.

    Attributes:
        matrix: float64[n, width], encoded features.
        arm: int64[n], 0 is the control.
        arms: How many arms there are.
        outcome: float64[n].
        propensity: float64[n], of the member's own arm.
        chances: float64[n, arms], of every arm.
        binary: Whether outcomes are 0 or 1.
        seed: Of everything drawn.
    """

    matrix: Floats
    arm: Ints
    arms: int
    outcome: Floats
    propensity: Floats
    chances: Floats
    binary: bool
    seed: int

    def take(self, places: Ints) -> "Rows":
        """Return some of the rows."""
        return Rows(
            self.matrix[places],
            self.arm[places],
            self.arms,
            self.outcome[places],
            self.propensity[places],
            self.chances[places],
            self.binary,
            self.seed,
        )

    def of_arm(self, arm: int) -> tuple[Floats, Floats]:
        """Return the matrix and outcomes of an arm's members."""
        own = self.arm == arm
        return self.matrix[own], self.outcome[own]


@dataclass(frozen=True, slots=True, eq=False)
class EffectModel:
    """Effects as weighted sums of models.

    Attributes:
        models: M of them.
        weights: float64[arms - 1, M].
    """

    models: tuple[Predictor, ...]
    weights: Floats

    def effects(self, matrix: Floats) -> Floats:
        """Return float64[n, arms - 1], against the control."""
        predictions = np.column_stack([model.predict(matrix) for model in self.models])
        effects: Floats = predictions @ self.weights.T
        return effects


Learner = Callable[[Rows], EffectModel]


def outcome_models(rows: Rows, family: Family) -> tuple[Predictor, ...]:
    """Return a model of the outcome under each arm, fitted to that arm's members."""
    return tuple(family.outcome(*rows.of_arm(arm)) for arm in range(rows.arms))


def cross_fitted_outcomes(rows: Rows, fold: Ints, family: Family) -> Floats:
    """Predict what each arm would bring each member, by models that did not see their fold.

    Args:
        rows: Members with their arms and outcomes.
        fold: int64[n].
        family: What outcomes are made of.

    Returns:
        float64[n, arms], in the outcome's unit.
    """
    predicted = np.empty((len(rows.arm), rows.arms))
    for number in np.unique(fold):
        inside = fold == number
        models = outcome_models(rows.take(np.flatnonzero(~inside)), family)
        predicted[inside] = np.column_stack([model.predict(rows.matrix[inside]) for model in models])
    return predicted


def learn_t(rows: Rows, family: Family) -> EffectModel:
    """One model of the outcome per arm, and their differences (Künzel et al. 2019, *Metalearners*, section 2, T-learner)."""
    return EffectModel(outcome_models(rows, family), _against_control(rows.arms))


def learn_s(rows: Rows, family: Family) -> EffectModel:
    """One line for all arms with every number's interaction with every arm (S-learner, there)."""
    given = [(rows.arm == arm).astype(np.float64)[:, None] for arm in range(1, rows.arms)]
    design = np.hstack([rows.matrix, *given, *(rows.matrix * one for one in given)])
    line = family.line(design, rows.outcome)
    width, others = rows.matrix.shape[1], rows.arms - 1
    lines = [Line(line.coefficients[:width], line.intercept, line.logistic)]
    for arm in range(others):
        start = width + others + arm * width
        extra = line.coefficients[start : start + width]
        lines.append(
            Line(
                lines[0].coefficients + extra,
                line.intercept + float(line.coefficients[width + arm]),
                line.logistic,
            )
        )
    return EffectModel(tuple(lines), _against_control(rows.arms))


def learn_x(rows: Rows, family: Family) -> EffectModel:
    """Effects imputed in each arm from the other's model, weighted by the arms' shares (X-learner, there, section 2)."""
    outcomes = outcome_models(rows, family)
    control, control_outcome = rows.of_arm(0)
    models: list[Predictor] = []
    weights = np.zeros((rows.arms - 1, 2 * (rows.arms - 1)))
    for arm in range(1, rows.arms):
        treated, outcome = rows.of_arm(arm)
        models.append(family.effect(treated, outcome - outcomes[0].predict(treated)))
        models.append(family.effect(control, outcomes[arm].predict(control) - control_outcome))
        share = len(treated) / (len(treated) + len(control))
        weights[arm - 1, 2 * (arm - 1) : 2 * arm] = 1 - share, share
    return EffectModel(tuple(models), weights)


def learn_r(rows: Rows, family: Family) -> EffectModel:
    """Residuals of the outcome on residuals of the arm (Nie & Wager 2021, *Quasi-oracle estimation*, equation 4), an arm at a time."""
    models = []
    for arm in range(1, rows.arms):
        pair = rows.take(np.flatnonzero((rows.arm == arm) | (rows.arm == 0)))
        fold = folds_of(pair.arm, _INNER_FOLDS, rows.seed)
        expected = np.empty(len(fold))
        for number in range(_INNER_FOLDS):
            inside = fold == number
            model = family.outcome(pair.matrix[~inside], pair.outcome[~inside])
            expected[inside] = model.predict(pair.matrix[inside])
        chance = pair.chances[:, arm] / (pair.chances[:, arm] + pair.chances[:, 0])
        left = (pair.arm == arm) - chance
        models.append(family.effect(pair.matrix, (pair.outcome - expected) / left, left**2))
    return EffectModel(tuple(models), np.eye(rows.arms - 1))


def learn_dr(rows: Rows, family: Family) -> EffectModel:
    """Doubly robust scores, cross-fitted, and a model of their differences (Kennedy 2023, *Towards optimal doubly robust estimation*)."""
    fold = folds_of(rows.arm, _INNER_FOLDS, rows.seed)
    predicted = cross_fitted_outcomes(rows, fold, family)
    scores = doubly_robust_scores(rows.arm, rows.propensity, rows.outcome, predicted)
    models = [family.effect(rows.matrix, scores[:, arm] - scores[:, 0]) for arm in range(1, rows.arms)]
    return EffectModel(tuple(models), np.eye(rows.arms - 1))


def _linear(learn: Callable[[Rows, Family], EffectModel]) -> Learner:
    return lambda rows: learn(rows, Family(boosted=False, binary=rows.binary))


def _boosted(learn: Callable[[Rows, Family], EffectModel]) -> Learner:
    return lambda rows: learn(rows, Family(boosted=True, binary=rows.binary))


LINEAR_LEARNERS: Mapping[str, Learner] = {
    DEFAULT_LEARNER: _linear(learn_dr),
    "r_ridge": _linear(learn_r),
    "x_ridge": _linear(learn_x),
    "t_linear": _linear(learn_t),
    "s_linear": _linear(learn_s),
}
"""By name; T and S are ridge regressions, of a binary outcome logistic ones."""

CHALLENGERS: Mapping[str, Learner] = {
    "dr_lightgbm": _boosted(learn_dr),
    "x_lightgbm": _boosted(learn_x),
    "t_lightgbm": _boosted(learn_t),
}

LEARNERS: Mapping[str, Learner] = {**LINEAR_LEARNERS, **CHALLENGERS}


def _against_control(arms: int) -> Floats:
    return np.hstack([-np.ones((arms - 1, 1)), np.eye(arms - 1)])
