"""A figure with its standard error, its interval and its p-value, which always agree."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a sample says about a figure.

    The p-value is below alpha exactly if the interval excludes zero. Where nothing varies, the standard error is 0, the interval is
    the value alone, and the p-value is 1: there is no chance to judge the value by.

    Attributes:
        value: The figure, in its own unit.
        standard_error: Its standard error, 0 or more; NaN where the sample is too small for one.
        lower: Lower end of the interval; minus infinity without a standard error.
        upper: Upper end; infinity without a standard error.
        p_value: Two-sided, against zero.
    """

    value: float
    standard_error: float
    lower: float
    upper: float
    p_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.lower, self.upper

    @property
    def above_zero(self) -> bool:
        """Whether the value varies by chance and its whole interval lies above zero."""
        return self.standard_error > 0 and self.lower > 0

    @property
    def below_zero(self) -> bool:
        """Whether the value varies by chance and its whole interval lies below zero."""
        return self.standard_error > 0 and self.upper < 0


def estimate_of(
    value: float, standard_error: float, *, alpha: float = 0.05, degrees_of_freedom: float = math.inf
) -> Estimate:
    """Return a figure with the interval that its standard error gives.

    Args:
        value: The figure.
        standard_error: Its standard error; NaN or infinity where it is not known.
        alpha: The accepted error: 0.05 gives an interval of 95 %.
        degrees_of_freedom: Of Student's distribution; infinity for the normal one.

    Returns:
        The estimate; its interval is unbounded without a standard error or degrees of freedom.
    """
    if not math.isfinite(standard_error) or degrees_of_freedom <= 0:
        return Estimate(value, math.nan, -math.inf, math.inf, 1.0)
    if standard_error == 0:
        return Estimate(value, 0.0, value, value, 1.0)
    distance = -abs(value) / standard_error
    student = math.isfinite(degrees_of_freedom)
    quantile = float(-stdtrit(degrees_of_freedom, alpha / 2) if student else -ndtri(alpha / 2))
    p_value = 2 * float(stdtr(degrees_of_freedom, distance) if student else ndtr(distance))
    half = quantile * standard_error
    return Estimate(float(value), float(standard_error), float(value - half), float(value + half), p_value)


def mean_estimate(values: npt.NDArray[np.float64], *, alpha: float = 0.05) -> Estimate:
    """Return the mean of one number per member, with Student's interval.

    A paired difference of two policies is the mean of the members' own differences of scores.

    Args:
        values: float64[n]; with one value there is no interval, with none the mean is NaN.
        alpha: The accepted error.
    """
    n = len(values)
    if n < 2:
        return estimate_of(float(values[0]) if n else math.nan, math.nan)
    spread = float(np.std(values, ddof=1))
    mean = float(np.mean(values))
    # Numbers that differ by the rounding of their sums do not vary.
    if spread <= 64 * np.finfo(np.float64).eps * abs(mean):
        spread = 0.0
    return estimate_of(mean, spread / math.sqrt(n), alpha=alpha, degrees_of_freedom=n - 1)
