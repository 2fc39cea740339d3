"""Bandit logs with a known value, and the Open Bandit Dataset as counts."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from experiments.off_policy.estimators import LoggedChoices, PredictedRewards
from experiments.uplift.trial import Floats, Ints

_LEAN = 0.5
"""How far both policies lean; the largest weights are about 20."""
COUNTS = Path(__file__).parents[2] / "data" / "open_bandit_all.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Bandit:
    """A drawn log, what a model of rewards expects, and the true value.

    Attributes:
        logged: The log.
        predicted: By the given model.
        truth: The evaluated policy's value.
    """

    logged: LoggedChoices
    predicted: PredictedRewards
    truth: float


def bandit(seed: int, n: int = 2_000, *, wrong: float = 0.0) -> Bandit:
    """Return a log of three actions chosen by contexts, and a policy that leans the other way.

    Args:
        seed: Of the draw.
        n: Rows.
        wrong: How far the model of rewards is off.
    """
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 1))
    logging = _softmax(_LEAN * np.hstack([x, -x, 0 * x]))
    target = _softmax(_LEAN * np.hstack([-x, x, 0 * x]))
    means = np.hstack([1 + x, 2 - x, 1 + 0 * x])
    action: Ints = (random.random(n)[:, None] > logging.cumsum(axis=1)).sum(axis=1).clip(max=2)
    rows = np.arange(n)
    reward = means[rows, action] + random.normal(size=n)
    expected = means + wrong * np.sin(3 * means)
    return Bandit(
        LoggedChoices(reward, logging[rows, action], target[rows, action]),
        PredictedRewards(expected[rows, action], (target * expected).sum(axis=1)),
        true_value(),
    )


@cache
def true_value() -> float:
    """Return the evaluated policy's value over 400,000 contexts."""
    x = np.random.default_rng(99).normal(size=(400_000, 1))
    chances = _softmax(_LEAN * np.hstack([-x, x, 0 * x]))
    return float((chances * np.hstack([1 + x, 2 - x, 1 + 0 * x])).sum(axis=1).mean())


def open_bandit() -> LoggedChoices:
    """Return the uniform log of campaign *all*, row by row, with Bernoulli-TS as the evaluated policy."""
    counts = pl.read_csv(COUNTS)
    clicked = np.repeat(
        [1.0, 0.0], [int(counts["clicks"].sum()), int((counts["impressions"] - counts["clicks"]).sum())]
    )
    times = [counts["clicks"].to_numpy(), (counts["impressions"] - counts["clicks"]).to_numpy()]
    places = np.concatenate([np.repeat(np.arange(len(counts)), one) for one in times])
    return LoggedChoices(
        clicked,
        np.full(len(clicked), 1 / 80),
        counts["bernoulli_ts"].to_numpy()[places],
        counts["position"].to_numpy()[places].astype(np.int64),
    )


def _softmax(scores: Floats) -> Floats:
    exponents = np.exp(scores)
    shares: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return shares
