"""The Bayesian reading: what to believe about the relative effect after the data, given a stated prior."""

import math
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from experiments.errors import AnalysisError
from experiments.stats.figure import PairEstimate
from experiments.stats.interval import NOTHING_VARIES, Alternative, check_alpha, relative_estimate


@dataclass(frozen=True, slots=True)
class NormalPrior:
    """What is believed about the relative effect before the data: a normal distribution.

    Attributes:
        mean: The effect expected (0.02 is 2 % more).
        sd: How far effects are usually from it, positive; infinite says that nothing is believed.
    """

    mean: float = 0.0
    sd: float = math.inf


FLAT = NormalPrior()


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed about the relative effect after the data: a normal distribution.

    Attributes:
        mean: Of the relative effect.
        sd: Its standard deviation.
        ci_lower: Lower end of the central credible interval.
        ci_upper: Upper end.
        probability_positive: That the treatment is above the control. Looked at every day it says little: with a flat
            prior it passes 95 % or falls below 5 % at some time in most experiments without any effect.
        alpha: One minus the probability of the interval.
    """

    mean: float
    sd: float
    ci_lower: float
    ci_upper: float
    probability_positive: float
    alpha: float


def posterior(pair: PairEstimate, prior: NormalPrior = FLAT, alpha: float = 0.05) -> Posterior:
    """Return the posterior of the relative effect.

    The data speak through the lift ``treatment / control - 1`` as a normal variable with the variance of the delta
    method, ``(V_t + R^2 V_c - 2 R C) / control^2`` with R the ratio of the figures (Deng, Knoblich and Lu 2018,
    https://arxiv.org/abs/1803.06336, section 2); precisions add up (Gelman and others, *Bayesian Data Analysis*,
    section 2.5).

    Args:
        pair: The two figures.
        prior: Flat unless given; then the interval is the normal confidence interval.
        alpha: One minus the interval's probability, in (0, 1).

    Raises:
        AnalysisError: There is no variance, or the control's figure is not clearly above zero.
        ValueError: The prior's mean is not finite, its deviation not positive, or alpha out of range.
    """
    check_alpha(alpha, Alternative.TWO_SIDED)
    if not (math.isfinite(prior.mean) and prior.sd > 0):
        raise ValueError(
            f"the prior is {prior.mean:g} with deviation {prior.sd:g}; it needs a finite mean and a positive deviation"
        )
    lift = relative_estimate(pair)
    if lift is None:
        raise AnalysisError(
            f"the control's figure is {pair.control_mean:g}; a relative effect needs one clearly above zero"
        )
    ratio = 1 + lift
    variance = pair.treatment_variance + ratio**2 * pair.control_variance - 2 * ratio * pair.covariance
    if pair.variance == 0 or variance <= 0:
        raise AnalysisError(NOTHING_VARIES)
    # Ratios of the two variances instead of their inverses: an infinite prior then takes no part, exactly.
    data_variance = variance / pair.control_mean**2
    weight = 1 / (1 + data_variance / prior.sd**2)
    mean = weight * lift + (1 - weight) * prior.mean
    sd = math.sqrt(weight * data_variance)
    half = -float(ndtri(alpha / 2)) * sd
    return Posterior(
        mean=mean,
        sd=sd,
        ci_lower=mean - half,
        ci_upper=mean + half,
        probability_positive=float(ndtr(mean / sd)),
        alpha=alpha,
    )
