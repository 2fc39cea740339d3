"""Novelty: does the effect fade, or grow, with the days?"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from experiments.errors import AnalysisError
from experiments.stats.figure import Array, PairEstimate, arm_units, pooled_unit_variances

FEWEST_DAYS = 4
"""Two early days and two late ones; fewer show no trend."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """How the daily effect moved.

    Attributes:
        days: Days that have an effect.
        slope: Change of the effect per day.
        slope_standard_error: Of the slope.
        p_value: Two-sided, of the slope; small where the effect fades or grows.
        early: Effect over the first half of the days.
        late: Effect over the rest.
        change: Late minus early.
        change_standard_error: Of the change.
        change_p_value: Two-sided, of the change.
    """

    days: int
    slope: float
    slope_standard_error: float
    p_value: float
    early: float
    late: float
    change: float
    change_standard_error: float
    change_p_value: float


def novelty(days: Mapping[int, PairEstimate]) -> Novelty:
    """Return the trend of the daily effects.

    Weighted least squares of the effect on the day with known variances (Draper and Smith, *Applied Regression
    Analysis*, section 9.2), and the same weights for the effect of the early and of the late days. Variances per unit
    are pooled over the days.

    Args:
        days: The effect by day, each of units of its own: those first exposed on that day. Days since exposure do as
            well if every unit counts on one day only.

    Raises:
        AnalysisError: There are fewer than four days, or nothing varies.
    """
    if len(days) < FEWEST_DAYS:
        raise AnalysisError(
            f"{len(days)} day{'' if len(days) == 1 else 's'} with an effect; a trend needs at least {FEWEST_DAYS}"
        )
    day = np.array(sorted(days), dtype=np.float64)
    pairs = [days[one] for one in sorted(days)]
    effects = np.array([pair.estimate for pair in pairs])
    variances = (pooled_unit_variances(pairs) / arm_units(pairs)).sum(axis=1)
    if variances[0] == 0:
        raise AnalysisError(
            "all units of both variants have the same value on every day, so that no trend can be judged"
        )
    weights = 1 / variances
    from_middle = day - np.average(day, weights=weights)
    spread = float(weights @ from_middle**2)
    slope, slope_error = float(weights @ (from_middle * effects)) / spread, 1 / math.sqrt(spread)
    half = len(pairs) // 2
    early, early_variance = _mean(effects[:half], weights[:half])
    late, late_variance = _mean(effects[half:], weights[half:])
    change, change_error = late - early, math.sqrt(early_variance + late_variance)
    return Novelty(
        days=len(pairs),
        slope=slope,
        slope_standard_error=slope_error,
        p_value=_two_sided(slope / slope_error),
        early=early,
        late=late,
        change=change,
        change_standard_error=change_error,
        change_p_value=_two_sided(change / change_error),
    )


def _mean(effects: Array, weights: Array) -> tuple[float, float]:
    return float(weights @ effects / weights.sum()), float(1 / weights.sum())


def _two_sided(deviation: float) -> float:
    return 2 * float(ndtr(-abs(deviation)))
