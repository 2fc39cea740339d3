"""The noncentral t distribution: how a t statistic varies if there is an effect."""

import math

import numpy as np
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtr

_TAIL = 1e-18


def noncentral_t_above(freedom: float, drift: float, quantile: float) -> float:
    """Return the chance that a t statistic is above a quantile.

    The mean of the normal chance ``Phi(drift - quantile * s)`` over the estimated standard deviation s, whose square
    times the degrees of freedom is chi-squared, by quadrature (``scipy.special.nctdtr`` gives no number in far tails).

    Args:
        freedom: Degrees of freedom, positive.
        drift: Mean of the statistic if the variance were known.
        quantile: The bar.
    """
    half = freedom / 2
    lowest, highest = (
        math.sqrt(2 * float(end(half, _TAIL)) / freedom) for end in (gammaincinv, gammainccinv)
    )
    # The normal chance falls from one to zero within a few inverse quantiles around drift over quantile, and the
    # density of s is a peak around one: panels end where either bends. On the logarithm of s, for near zero its
    # density is a power.
    turns = [] if quantile == 0 else [(drift + k) / quantile for k in (-9, -3, 0, 3, 9)]
    peak = [1 + k / math.sqrt(2 * freedom) for k in (-6, -3, 0, 3, 6)]
    bends = np.log(np.clip([lowest, *turns, *peak, highest], lowest, highest))
    ends = np.unique([*bends, *np.arange(bends[0], bends[-1], 3.0)])
    points, weights = np.polynomial.legendre.leggauss(40)
    widths = np.diff(ends) / 2
    log_s = (ends[:-1, None] + widths[:, None] * (1 + points)).ravel()
    s = np.exp(log_s)
    log_density = math.log(2) + half * math.log(half) - float(gammaln(half))
    density = np.exp(log_density + freedom * log_s - half * s * s)
    masses = (widths[:, None] * weights).ravel() * density
    # Taken over their sum, the masses lose what rounding did to a large density.
    return float(masses @ ndtr(drift - quantile * s) / masses.sum())
