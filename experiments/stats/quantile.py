"""Quantiles of a variant: the value below which a given share of the units lies, with its chance error.

The figure is the linearly interpolated sample quantile (Hyndman and Fan's type 7, as numpy and pandas give it). Its
variance comes from the interval between two other quantiles of the same values, which contains the true quantile
with 95 % whatever the distribution is (Deng, Knoblich and Lu 2018, section 4, https://arxiv.org/abs/1803.06336).
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from experiments.errors import AnalysisError
from experiments.stats.figure import ArmEstimate

FEWEST_DISTINCT_VALUES = 6
"""In simulations with rounded values, fewer around the quantile let the test err up to 23 % instead of 5 %."""
_FEWEST_CLUSTERS = 30
_NORMAL_QUANTILE = float(ndtri(0.975))


def quantile_estimate(values: ArrayLike, share: float, clusters: ArrayLike | None = None) -> ArmEstimate:
    """Return the quantile of a variant's values and its variance.

    Args:
        values: One value per row; a NaN is left out, with its cluster.
        share: Share of the values below the quantile, in (0, 1): 0.5 is the median.
        clusters: The unit of each row, if units have several rows; then the units count, not the rows.

    Raises:
        AnalysisError: The share is not a share, values are not finite, there are too few of them to see the
            neighbourhood of this quantile, or too many of them are equal there.
    """
    if not 0 < share < 1:
        raise AnalysisError(f"a quantile's share lies between 0 and 1, not at {share:g}")
    rows = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(rows)
    rows = rows[known]
    if not np.isfinite(rows).all():
        raise AnalysisError("there are values that are not finite numbers")
    if rows.size == 0:
        raise AnalysisError(f"no unit of a variant has a value; the quantile {share:g} needs them")
    if clusters is None:
        units, error = rows.size, math.sqrt(share * (1 - share) / rows.size)
    else:
        below = rows <= np.quantile(rows, share)
        units, error = _clustered_error(below, np.asarray(clusters)[known])
    half = _NORMAL_QUANTILE * error
    if not half <= share <= 1 - half:
        raise AnalysisError(
            f"{units} units in a variant are too few to see how far the quantile {share:g} may be off;"
            f" {_units_needed(units, share, half)} would do"
        )
    lower, figure, upper = (float(end) for end in np.quantile(rows, [share - half, share, share + half]))
    distinct = np.unique(rows[(rows >= lower) & (rows <= upper)]).size
    if distinct < FEWEST_DISTINCT_VALUES:
        raise AnalysisError(
            f"around the quantile {share:g} ({figure:g}) the units of a variant share {distinct} different"
            f" value{'' if distinct == 1 else 's'}; its chance error needs {FEWEST_DISTINCT_VALUES}: take a mean, or"
            " the share of units above a threshold"
        )
    return ArmEstimate(units, figure, ((upper - lower) / (2 * _NORMAL_QUANTILE)) ** 2)


def _clustered_error(below: np.ndarray, clusters: np.ndarray) -> tuple[int, float]:
    """Return the number of clusters and the standard error of the share of rows below, by the delta method."""
    _, cluster = np.unique(clusters, return_inverse=True)
    rows = np.bincount(cluster)
    if rows.size < _FEWEST_CLUSTERS:
        raise AnalysisError(
            f"{rows.size} units in a variant; a quantile of their rows needs at least {_FEWEST_CLUSTERS}"
        )
    residuals = np.bincount(cluster, weights=below) - below.mean() * rows
    return rows.size, math.sqrt(residuals.var(ddof=1) / rows.size) / float(rows.mean())


def _units_needed(units: int, share: float, half: float) -> int:
    return math.ceil(units * (half / min(share, 1 - share)) ** 2)
