"""A figure with its standard error, its interval and its p-value, which always agree."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from experiments.uplift.trial import Floats


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sample says about a figure.

    The p-value is below the level exactly if the interval excludes zero. Where nothing varies, the error is 0, the interval is
    the estimate, and the p-value is 1: there is nothing to judge chance by.

    Attributes:
        estimate: The figure.
        error: Its standard error, 0 or more; NaN where the sample is too small for one.
        lower: Lower end of the interval; minus infinity without an error.
        upper: Upper end; infinity without an error.
        p_value: Two-sided, against zero.
    """

    estimate: float
    error: float
    lower: float
    upper: float
    p_value: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above zero, and there is chance to judge it by."""
        return self.error > 0 and self.lower > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below zero, and there is chance to judge it by."""
        return self.error > 0 and self.upper < 0


def estimate_of(estimate: float, error: float, *, level: float = 0.05, degrees: float = math.inf) -> Estimate:
    """Return a figure with the interval that its standard error gives.

    Args:
        estimate: The figure.
        error: Its standard error.
        level: The accepted error: 0.05 gives an interval of 95 %.
        degrees: Of freedom, for Student's distribution; the normal one where infinite.
    """
    if not math.isfinite(error) or degrees <= 0:
        return Estimate(estimate, math.nan, -math.inf, math.inf, 1.0)
    if error == 0:
        return Estimate(estimate, 0.0, estimate, estimate, 1.0)
    distance = -abs(estimate) / error
    finite = math.isfinite(degrees)
    quantile = float(-stdtrit(degrees, level / 2) if finite else -ndtri(level / 2))
    p_value = 2 * float(stdtr(degrees, distance) if finite else ndtr(distance))
    half = quantile * error
    return Estimate(float(estimate), float(error), float(estimate - half), float(estimate + half), p_value)


def mean_estimate(values: Floats, *, level: float = 0.05) -> Estimate:
    """Return the mean of one number per member, with Student's interval.

    A paired difference of two policies is the mean of the members' own differences of scores.

    Args:
        values: float64[n]; with fewer than two there is no interval, with none the estimate is NaN.
        level: The accepted error.
    """
    n = len(values)
    if n < 2:
        return estimate_of(float(values[0]) if n else math.nan, math.nan, level=level)
    spread = float(np.std(values, ddof=1))
    mean = float(np.mean(values))
    # Numbers that differ by the rounding of their sums do not vary.
    if spread <= 64 * np.finfo(np.float64).eps * abs(mean):
        spread = 0.0
    return estimate_of(mean, spread / math.sqrt(n), level=level, degrees=n - 1)
