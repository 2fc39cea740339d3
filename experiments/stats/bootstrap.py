"""The bootstrap: how much any figure varies by chance, for figures that have no formula.

Each replicate gives every unit a weight drawn from a Poisson distribution with mean one, as if the unit had been met
that often (Hanley and MacGibbon 2006, https://doi.org/10.1016/j.cmpb.2006.04.006). Only a bounded number of weights is
in memory at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.errors import AnalysisError
from experiments.stats.figure import ArmEstimate
from experiments.stats.interval import NOTHING_VARIES, Alternative, Interval, check_alpha, no_interval

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]
"""Takes columns (columns x units) and weights (replicates x units); returns one figure per replicate.

A weight counts how often the unit is taken. Units stand in ascending order of the first column.
"""

DEFAULT_REPLICATES = 1_999
"""With these, two-sided p-values come in steps of 0.001."""
_FEWEST_UNITS = 30
# Weights held at once: 16 MiB as float64.
WEIGHTS_AT_ONCE = 2_000_000
# The Poisson distribution in steps of 2**-16, so that a weight is looked up by 16 random bits instead of computed.
# Its mean is 1 and its variance 0.99997.
_STEPS = 1 << 16
_POISSON = np.searchsorted(
    np.cumsum([math.exp(-1) / math.factorial(k) for k in range(9)]), (np.arange(_STEPS) + 0.5) / _STEPS
).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class ResampledArm:
    """A variant's figure, and what it might have been by chance.

    Attributes:
        estimate: The figure, with the variance of its replicates.
        replicates: The figure in each resample.
    """

    estimate: ArmEstimate
    replicates: Array


def weighted_mean(columns: Array, weights: Array) -> Array:
    """Return the mean of the first column."""
    means: Array = (weights @ columns[0]) / weights.sum(axis=1)
    return means


def weighted_ratio(columns: Array, weights: Array) -> Array:
    """Return the sum of the first column over the sum of the second."""
    ratios: Array = (weights @ columns[0]) / (weights @ columns[1])
    return ratios


def weighted_quantile(share: float) -> Statistic:
    """Return the statistic that is the interpolated sample quantile (Hyndman and Fan's type 7) of the first column."""

    def quantile(columns: Array, weights: Array) -> Array:
        values = columns[0]
        figures = np.empty(len(weights))
        for i, row in enumerate(weights):
            reached = np.cumsum(row)
            place = (reached[-1] - 1) * share
            below, above = np.searchsorted(reached, [math.floor(place), math.ceil(place)], side="right")
            figures[i] = values[below] + (place - math.floor(place)) * (values[above] - values[below])
        return figures

    return quantile


def resample(
    columns: Sequence[ArrayLike], statistic: Statistic, *, seed: int, count: int = DEFAULT_REPLICATES
) -> ResampledArm:
    """Return a variant's figure and its replicates.

    Time grows with units times replicates; memory does not grow with the replicates.

    Args:
        columns: One value per unit in each; a unit with NaN in any is left out.
        statistic: The figure.
        seed: Of the generator; take different ones for different variants.
        count: Replicates, at least 2.

    Raises:
        AnalysisError: There are too few units, values are not finite, or the figure does not exist for some
            resample.
    """
    table = np.asarray(columns, dtype=np.float64)
    table = table[:, ~np.isnan(table).any(axis=0)]
    units = table.shape[1]
    if units < _FEWEST_UNITS:
        raise AnalysisError(
            f"{units} unit{'' if units == 1 else 's'} in a variant; the bootstrap needs at least {_FEWEST_UNITS}"
        )
    if not np.isfinite(table).all():
        raise AnalysisError("there are values that are not finite numbers")
    table = table[:, np.argsort(table[0], kind="stable")]
    random = np.random.default_rng(seed)
    at_once = max(1, WEIGHTS_AT_ONCE // units)
    figures = np.empty(count)
    with np.errstate(all="ignore"):
        figure = float(statistic(table, np.ones((1, units)))[0])
        for start in range(0, count, at_once):
            rows = min(at_once, count - start)
            drawn = random.integers(0, _STEPS, size=(rows, units), dtype=np.uint16)
            figures[start : start + rows] = statistic(table, _POISSON[drawn].astype(np.float64))
    if not (math.isfinite(figure) and np.isfinite(figures).all()):
        raise AnalysisError(
            "the figure does not exist for every resample of a variant: its denominator rests on too few units"
        )
    # Replicates that differ by the rounding of their sums do not vary.
    rounding = 64 * np.finfo(np.float64).eps * abs(figure)
    if np.ptp(figures) <= rounding:
        figures = np.full(count, figure)
    return ResampledArm(ArmEstimate(units, figure, float(figures.var(ddof=1))), figures)


def bootstrap_interval(
    control: ResampledArm,
    treatment: ResampledArm,
    alpha: float,
    alternative: Alternative = Alternative.TWO_SIDED,
) -> Interval:
    """Return the percentile interval of the difference, and of the relative effect, with the p-value of both.

    The p-value counts the replicates of the difference on the other side of zero, ``(1 + these) / (1 + all)``, twice
    the smaller side's count if two-sided (Davison and Hinkley 1997, section 4.4); the ends are the order statistics
    that make it fall below alpha exactly when they exclude zero.

    Args:
        control: The control.
        treatment: The treatment, with as many replicates.
        alpha: Accepted error, in (0, 1); one-sided below a half.
        alternative: Which effects are looked for.

    Raises:
        AnalysisError: There are too few replicates for this alpha.
        ValueError: The arms have different numbers of replicates, or alpha is out of range.
    """
    check_alpha(alpha, alternative)
    base, other = control.replicates, treatment.replicates
    if len(base) != len(other):
        raise ValueError(f"{len(base)} and {len(other)} replicates; the arms need equally many")
    differences = np.sort(other - base)
    if differences[0] == differences[-1]:
        return no_interval(alpha, NOTHING_VARIES)
    rank = _rank(len(differences), alpha, alternative)
    relative: Array | None = np.sort((other - base) / base) if (base > 0).all() else None
    reasons: dict[str, str] = {}
    if relative is None:
        text = "the control's figure is not above zero in every resample; a relative effect needs that"
        reasons |= dict.fromkeys(("relative_ci_lower", "relative_ci_upper"), text)
    lower = upper = relative_lower = relative_upper = None
    if alternative is Alternative.LESS:
        text = "one-sided: the test looks for a fall, and has no lower end"
        reasons |= dict.fromkeys(("ci_lower", "relative_ci_lower"), text)
    else:
        lower = float(differences[rank - 1])
        relative_lower = None if relative is None else float(relative[rank - 1])
    if alternative is Alternative.GREATER:
        text = "one-sided: the test looks for a rise, and has no upper end"
        reasons |= dict.fromkeys(("ci_upper", "relative_ci_upper"), text)
    else:
        upper = float(differences[-rank])
        relative_upper = None if relative is None else float(relative[-rank])
    return Interval(
        alpha=alpha,
        ci_lower=lower,
        ci_upper=upper,
        relative_ci_lower=relative_lower,
        relative_ci_upper=relative_upper,
        p_value=_p_value(differences, alternative),
        reasons=reasons,
    )


def _p_value(differences: Array, alternative: Alternative) -> float:
    against = {
        Alternative.GREATER: int((differences <= 0).sum()),
        Alternative.LESS: int((differences >= 0).sum()),
    }
    fewer = against.get(alternative, min(against.values()))
    return min(1.0, _p_of_count(fewer, len(differences), alternative))


def _p_of_count(beyond: int, count: int, alternative: Alternative) -> float:
    return alternative.sides * (beyond + 1) / (count + 1)


def _rank(count: int, alpha: float, alternative: Alternative) -> int:
    """Return which order statistic from either side is the end: one more than the largest significant count."""
    rank = math.ceil(alpha / alternative.sides * (count + 1)) + 1
    # Asked of the p-value itself, so that rounding cannot set the two apart.
    while rank > 0 and _p_of_count(rank - 1, count, alternative) >= alpha:
        rank -= 1
    if rank == 0:
        raise AnalysisError(f"{count} replicates are too few for an interval at alpha {alpha:g}")
    return rank
