"""How much a log says of another policy: its weights, and when that is too little."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from experiments.off_policy.logged import Logged

FEWEST_EFFECTIVE = 100.0
"""Rows that a mean must effectively rest on: with fewer, normal intervals of skewed rewards do not hold."""
FEWEST_EFFECTIVE_SHARE = 0.01
"""Below a hundredth of the log a handful of large weights decides."""
FEWEST_REWARDS = 50
"""Rows with a reward and a weight above 0: with fewer, a rate is not known to a quarter of itself."""
_MEAN_WEIGHT_CHANCE = 0.001


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the weights of an evaluation look like.

    Attributes:
        rows: In the log.
        mean_weight: Which is 1 on average if propensities are right and every choice of the policy could be logged.
        mean_weight_p: Chance of a mean that far from 1.
        effective_rows: Kish (1965): (Σ w)² / Σ w².
        largest_weight: Of a row.
        agreeing_share: Rows where the policy could have chosen what was chosen.
        rewarded: Rows with a reward that is not 0 among them.
        refusal: Why no value is believed, in a sentence; empty if one is.
        warning: What else is wrong; empty if nothing.
    """

    rows: int
    mean_weight: float
    mean_weight_p: float
    effective_rows: float
    largest_weight: float
    agreeing_share: float
    rewarded: int
    refusal: str
    warning: str


def overlap_of(logged: Logged) -> Overlap:
    """Return what a log's weights say."""
    weights, n = logged.weights, len(logged)
    total, squares = float(weights.sum()), float(weights @ weights)
    effective = total**2 / squares if squares else 0.0
    mean = total / n
    spread = float(weights.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    p = 2 * float(ndtr(-abs(mean - 1) / spread)) if spread else float(abs(mean - 1) < 1e-9)
    agreeing = weights > 0
    rewarded = int((agreeing & (logged.reward != 0)).sum())
    warning = ""
    if p < _MEAN_WEIGHT_CHANCE:
        warning = (
            f"The mean weight is {mean:.3g}, which should be 1 (chance {p:.1g}): propensities are wrong, or the policy chooses what was never"
            " logged."
        )
    return Overlap(
        n,
        mean,
        p,
        effective,
        float(weights.max()),
        float(agreeing.mean()),
        rewarded,
        _refusal(effective, rewarded, n, agreeing_share=float(agreeing.mean())),
        warning,
    )


def _refusal(effective: float, rewarded: int, rows: int, *, agreeing_share: float) -> str:
    if agreeing_share == 0:
        return "The policy never chooses what was logged, so the log says nothing of it."
    floor = max(FEWEST_EFFECTIVE, FEWEST_EFFECTIVE_SHARE * rows)
    if effective < floor:
        return (
            f"The log says too little of this policy: {rows:,} rows count as {effective:,.0f}, at least {np.ceil(floor):,.0f} are needed"
            f" ({100 * agreeing_share:.3g} % of the choices could have been its own)."
        )
    if rewarded < FEWEST_REWARDS:
        return f"The value rests on {rewarded} rewards; at least {FEWEST_REWARDS} are needed to compare policies."
    return ""
