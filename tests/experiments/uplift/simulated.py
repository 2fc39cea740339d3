"""Simulated trials with known effects, and a small cross-fitted learner to predict them."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats, Trial, doubly_robust_scores


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A trial, the members' true effects float64[n, arms - 1], and what a learner made of it.

    Attributes:
        trial: Of one outcome, ``value``.
        truth: float64[n, arms - 1].
        predicted: float64[n, arms - 1], cross-fitted.
        scores: float64[n, arms], doubly robust, with the same cross-fitted models.
    """

    trial: Trial
    truth: Floats
    predicted: Floats
    scores: Floats

    @property
    def contrasts(self) -> Floats:
        """Of the first arm."""
        return self.scores[:, 1] - self.scores[:, 0]


def simulate(
    seed: int,
    *,
    n: int = 2_000,
    interaction: float = 0.0,
    effect: float = 0.3,
    arms: int = 2,
    noise: str = "normal",
    features: int = 4,
    folds: int = 5,
) -> Simulated:
    """Return a trial with the effect ``effect + interaction x_0`` of each arm on each member."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, features))
    chances = np.full(arms, 1 / arms)
    arm = random.choice(arms, size=n, p=chances)
    truth = np.repeat((effect + interaction * x[:, [0]]), arms - 1, axis=1)
    given = np.column_stack([np.zeros(n), truth])[np.arange(n), arm]
    error = random.normal(size=n) if noise == "normal" else random.lognormal(0.0, 1.2, n)
    outcome = 0.5 * x[:, 1] + given + error
    means = cross_fitted(x, arm, outcome, arms, random.permutation(n) % folds)
    table = pl.DataFrame(x, schema=[f"x{number}" for number in range(features)])
    trial = Trial(
        pl.Series(np.arange(n)),
        tuple(f"arm {number}" for number in range(arms)),
        arm,
        chances[arm],
        {"value": outcome},
        table,
    )
    return Simulated(
        trial,
        truth,
        means[:, 1:] - means[:, [0]],
        doubly_robust_scores(arm, trial.propensity, outcome, means),
    )


def cross_fitted(x: Floats, arm: np.ndarray, outcome: Floats, arms: int, fold: np.ndarray) -> Floats:
    """Return what least squares predicts of each arm for members of folds that it did not see, float64[n, arms]."""
    design = np.column_stack([np.ones(len(x)), x])
    means = np.empty((len(x), arms))
    for held in np.unique(fold):
        for one in range(arms):
            rows = (fold != held) & (arm == one)
            weights = np.linalg.lstsq(design[rows], outcome[rows], rcond=None)[0]
            means[fold == held, one] = design[fold == held] @ weights
    return means
