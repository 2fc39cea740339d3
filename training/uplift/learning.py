"""Learning the effects of a trial's arms: cross-fitted, calibrated, and by a challenger only where its policy earns more."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.stats.estimate import Estimate, mean_estimate
from experiments.uplift.calibration import UpliftCalibration, apply_all, calibrate_arms
from experiments.uplift.trial import Floats, Ints, Trial, doubly_robust_scores
from training.bundle.encoding import Encoding
from training.errors import TrainingError
from training.uplift.features import encode, learn_encoding
from training.uplift.learners import (
    CHALLENGERS,
    DEFAULT_LEARNER,
    LEARNERS,
    EffectModel,
    Rows,
    cross_fitted_outcomes,
    folds_of,
)
from training.uplift.models import Family

_SAME = 1e-9


def arm_chances(trial: Trial, matrix: Floats) -> Floats:
    """Return float64[n, arms], rows summing to 1.

    Where every arm had one propensity they are these; else they are estimated by a multinomial logistic regression on the
    features, and the known one of the member's own arm is kept.

    Args:
        trial: The trial.
        matrix: float64[n, width], its encoded features.
    """
    arms = len(trial.arms)
    levels = [trial.propensity[trial.arm == arm] for arm in range(arms)]
    if all(np.ptp(level) <= _SAME for level in levels if len(level)):
        chances = np.array([level[0] if len(level) else 0.0 for level in levels])
        return np.tile(chances / chances.sum(), (len(trial), 1))
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1.0, max_iter=200).fit(matrix, trial.arm)
    estimated: Floats = fitted.predict_proba(matrix)
    rows = np.arange(len(trial))
    others = 1.0 - estimated[rows, trial.arm]
    scale = np.divide(1.0 - trial.propensity, others, out=np.zeros(len(rows)), where=others > 0)
    chances = estimated * scale[:, None]
    chances[rows, trial.arm] = trial.propensity
    return chances


FOLDS = 5
FEWEST_PER_ARM = 20
"""Fewer members of an arm cannot be split into folds that a model can be fitted to."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """One learner's effects of a trial.

    Attributes:
        name: The learner.
        effects: float64[n, arms - 1], each member's by models that did not see their outcome.
        calibrations: One per arm.
        shrunk: float64[n, arms - 1], calibrated.
    """

    name: str
    effects: Floats
    calibrations: tuple[UpliftCalibration, ...]
    shrunk: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FittedEffects:
    """Effects for anybody, by models of all members of a trial.

    Attributes:
        encoding: How attributes become numbers.
        model: Effects of numbers.
        calibrations: What holds of them, one per arm.
    """

    encoding: Encoding
    model: EffectModel
    calibrations: tuple[UpliftCalibration, ...]

    def effects(self, features: pl.DataFrame) -> Floats:
        """Return float64[n, arms - 1], calibrated.

        Args:
            features: A table with the trial's features.
        """
        return apply_all(self.calibrations, self.model.effects(encode(self.encoding, features)))


@dataclass(frozen=True, slots=True, eq=False)
class LearnedEffects:
    """What a trial teaches of its arms' effects on one outcome.

    Attributes:
        trial: The trial.
        outcome: Name of the outcome.
        chosen: The learner that serves.
        learners: By name, the default first.
        differences: By challenger, what its policy earns more than the default's a member, with an interval that holds for all
            challengers at once.
        predicted: float64[n, arms], the outcome under each arm, by models that did not see the member's.
        scores: float64[n, arms], doubly robust scores of them.
        fold: int64[n], the member's fold.
        fitted: Effects for anybody, by the chosen learner.
    """

    trial: Trial
    outcome: str
    chosen: Learned
    learners: dict[str, Learned]
    differences: dict[str, Estimate]
    predicted: Floats
    scores: Floats
    fold: Ints
    fitted: FittedEffects

    @property
    def effects(self) -> Floats:
        """float64[n, arms - 1], the chosen learner's, as they were predicted."""
        return self.chosen.effects

    @property
    def shrunk(self) -> Floats:
        """float64[n, arms - 1], the same calibrated."""
        return self.chosen.shrunk

    @property
    def averages(self) -> tuple[Estimate, ...]:
        """The average effect of each arm but the control on everybody, doubly robust."""
        return tuple(
            mean_estimate(self.scores[:, arm] - self.scores[:, 0]) for arm in range(1, len(self.trial.arms))
        )


def learn_effects(
    trial: Trial,
    outcome: str,
    *,
    learner: str = DEFAULT_LEARNER,
    others: Sequence[str] = tuple(CHALLENGERS),
    folds: int = FOLDS,
    seed: int = 0,
    costs: Floats | None = None,
    alpha: float = 0.05,
) -> LearnedEffects:
    """Learn the effects of every arm on an outcome.

    Each fold is predicted by models of the other folds, both for effects and for the outcomes that scores rest on. A
    challenger serves in the default's place if its policy, each member's best arm by calibrated effects after costs, earns more on
    doubly robust scores, with an interval above zero that is shared among the challengers (Bonferroni).

    Args:
        trial: The trial.
        outcome: Name of one of its outcomes.
        learner: The default.
        others: Learners to show beside it; those of ``CHALLENGERS`` may replace it.
        folds: At least 2.
        seed: Of the folds and of everything drawn.
        costs: float64[arms - 1] or float64[n, arms - 1], what giving each arm costs, in the outcome's unit; nothing if not given.
        alpha: Accepted error of gates and intervals.

    Returns:
        The effects, calibrated.

    Raises:
        TrainingError: A learner is not known, or an arm has too few members.
    """
    for name in (learner, *others):
        if name not in LEARNERS:
            raise TrainingError(f"There is no learner {name!r}; choose from {', '.join(LEARNERS)}.")
    for arm, count in zip(trial.arms, trial.counts.tolist(), strict=True):
        if count < FEWEST_PER_ARM:
            raise TrainingError(
                f"Arm {arm!r} has {count} members; to learn effects every arm needs at least {FEWEST_PER_ARM}."
            )
    encoding = learn_encoding(trial.features)
    matrix = encode(encoding, trial.features)
    values = trial.outcomes[outcome]
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    rows = Rows(
        matrix, trial.arm, len(trial.arms), values, trial.propensity, arm_chances(trial, matrix), binary, seed
    )
    fold = folds_of(trial.arm, folds, seed)
    predicted = cross_fitted_outcomes(rows, fold, Family(boosted=False, binary=binary))
    scores = doubly_robust_scores(trial.arm, trial.propensity, values, predicted)
    learners = {}
    for name in dict.fromkeys((learner, *others)):
        effects = _cross_fitted(name, rows, fold)
        calibrations = calibrate_arms(scores, effects, alpha=alpha)
        learners[name] = Learned(name, effects, calibrations, apply_all(calibrations, effects))
    differences = _challenge(learners, learner, scores, costs, alpha)
    winners = [name for name, difference in differences.items() if difference.lower > 0]
    chosen = max(winners, key=lambda name: differences[name].value, default=learner)
    fitted = FittedEffects(encoding, LEARNERS[chosen](rows), learners[chosen].calibrations)
    return LearnedEffects(
        trial, outcome, learners[chosen], learners, differences, predicted, scores, fold, fitted
    )


def _cross_fitted(name: str, rows: Rows, fold: Ints) -> Floats:
    effects = np.empty((len(fold), rows.arms - 1))
    for number in np.unique(fold):
        inside = fold == number
        model = LEARNERS[name](rows.take(np.flatnonzero(~inside)))
        effects[inside] = model.effects(rows.matrix[inside])
    return effects


def best_arms(effects: Floats, costs: Floats | None = None) -> Ints:
    """Return int64[n], the arm with the highest effect after its cost; the control where none is above zero.

    Args:
        effects: float64[n, arms - 1].
        costs: As in ``learn_effects``.
    """
    net = effects if costs is None else effects - costs
    best = net.argmax(axis=1)
    chosen: Ints = np.where(net[np.arange(len(net)), best] > 0, best + 1, 0)
    return chosen


def _challenge(
    learners: dict[str, Learned], default: str, scores: Floats, costs: Floats | None, alpha: float
) -> dict[str, Estimate]:
    challengers = [name for name in learners if name in CHALLENGERS and name != default]
    net = scores.copy()
    if costs is not None:
        net[:, 1:] -= costs
    rows = np.arange(len(net))
    values = {name: net[rows, best_arms(learners[name].shrunk, costs)] for name in (default, *challengers)}
    shared = alpha / max(len(challengers), 1)
    return {name: mean_estimate(values[name] - values[default], alpha=shared) for name in challengers}
