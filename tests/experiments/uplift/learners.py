"""Cross-fitted learners of other libraries, as the anchors' measurements used them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.uplift.trial import Floats, Trial, doubly_robust_scores
from tests.experiments.uplift.hillstrom import encoded


def logistic() -> Any:
    """Return a logistic regression."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1_000)


def boosted() -> Any:
    """Return boosted trees: 150 of 15 leaves, at 0.05."""
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=150, num_leaves=15, learning_rate=0.05, verbose=-1, n_jobs=1, random_state=0
    )


def arm_chances(trial: Trial, outcome: str, learner: Callable[[], Any], seed: int = 0) -> Floats:
    """Return each member's predicted chance of a binary outcome in each arm, from four fifths without the member: float64[n, arms]."""
    x, y = encoded(trial), trial.outcomes[outcome]
    fold = np.random.default_rng(seed).permutation(len(trial)) % 5
    chances = np.empty((len(trial), len(trial.arms)))
    for held in range(5):
        for arm in range(len(trial.arms)):
            rows = (fold != held) & (trial.arm == arm)
            chances[fold == held, arm] = learner().fit(x[rows], y[rows]).predict_proba(x[fold == held])[:, 1]
    return chances


def effects(chances: Floats) -> Floats:
    """Return the arms' chances minus the control's."""
    return chances[:, 1:] - chances[:, [0]]


def scores(trial: Trial, outcome: str, chances: Floats) -> Floats:
    """Return the doubly robust scores with given chances."""
    return doubly_robust_scores(trial.arm, trial.propensity, trial.outcomes[outcome], chances)
