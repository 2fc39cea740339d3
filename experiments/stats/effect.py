"""Compares a treatment with the control: difference, relative effect, intervals and p-value from moments.

The unit of analysis is the unit of randomisation, the member. A figure per trip is therefore a ratio of member
sums, not a mean over trips: trips of one member resemble each other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import stdtr, stdtrit

from experiments.errors import AnalysisError
from experiments.stats.figure import ArmEstimate
from experiments.stats.moments import Moments

FEWEST_MEMBERS_FOR_MEAN = 2
FEWEST_MEMBERS_FOR_RATIO = 30
# Below this share of what was subtracted, a residual variance is rounding: the ratio is the same for every member.
_RESIDUAL_ROUNDING = 1e-13
# A control's figure below this share of the treatment's is no base for a percentage.
_SMALLEST_BASE = 1e-9


@dataclass(frozen=True, slots=True)
class Effect:
    """A treatment against the control.

    A figure that does not exist is none, and ``reasons`` says why, by the figure's name.

    Attributes:
        control_mean: The metric under control.
        treatment_mean: The metric under treatment.
        estimate: Treatment minus control.
        standard_error: Of the estimate.
        degrees_of_freedom: Of the t distribution by which interval and p-value are taken.
        ci_lower: Lower end of the interval for the difference, at confidence 1 - alpha.
        ci_upper: Upper end.
        relative_estimate: Treatment over control, minus one.
        relative_ci_lower: Lower end of the interval for the relative effect.
        relative_ci_upper: Upper end.
        p_value: Two-sided; below alpha exactly if the intervals exclude zero.
        reasons: Why figures are missing.
    """

    control_mean: float
    treatment_mean: float
    estimate: float
    standard_error: float
    degrees_of_freedom: float | None = None
    ci_lower: float | None = None
    ci_upper: float | None = None
    relative_estimate: float | None = None
    relative_ci_lower: float | None = None
    relative_ci_upper: float | None = None
    p_value: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def mean_estimate(moments: Moments) -> ArmEstimate:
    """Return the mean over members, from moments of one column.

    Raises:
        AnalysisError: There are fewer than two members, or their values are not finite.
    """
    _check(moments, FEWEST_MEMBERS_FOR_MEAN, "a mean")
    return ArmEstimate(moments.count, moments.means[0], moments.variance() / moments.count)


def ratio_estimate(moments: Moments) -> ArmEstimate:
    """Return the ratio of member sums, from moments of numerator and denominator.

    The variance is the delta method's: that of the members' residuals ``numerator - ratio * denominator``, over
    the squared mean denominator (Deng, Knoblich and Lu 2018, https://arxiv.org/abs/1803.06336).

    Raises:
        AnalysisError: There are too few members for the approximation, the denominators do not add up to a
            positive number, or values are not finite.
    """
    _check(moments, FEWEST_MEMBERS_FOR_RATIO, "a ratio")
    numerator, denominator = moments.means
    if denominator <= 0:
        raise AnalysisError(f"the denominators add up to {moments.total(1):g}; a ratio needs a positive sum")
    ratio = numerator / denominator
    above, below = moments.variance(0), ratio * ratio * moments.variance(1)
    residual = above + below - 2 * ratio * moments.covariance(0, 1)
    if residual <= _RESIDUAL_ROUNDING * (above + below):
        residual = 0.0
    return ArmEstimate(moments.count, ratio, residual / (denominator * denominator) / moments.count)


def arm_interval(arm: ArmEstimate, alpha: float) -> tuple[float, float]:
    """Return the interval for one variant's own figure, at confidence 1 - alpha."""
    half = -float(stdtrit(arm.members - 1, alpha / 2)) * arm.standard_error
    return arm.mean - half, arm.mean + half


def compare(control: ArmEstimate, treatment: ArmEstimate, alpha: float) -> Effect:
    """Return the effect of a treatment.

    Difference: t distribution with the degrees of freedom of Welch and Satterthwaite
    (https://doi.org/10.1093/biomet/34.1-2.28). Relative effect: Fieller's interval with the same quantile
    (https://doi.org/10.1111/j.2517-6161.1954.tb00159.x), which excludes zero exactly if that of the difference does.

    Args:
        control: The variant compared with.
        treatment: The variant of interest.
        alpha: Accepted error, in (0, 1).
    """
    estimate = treatment.mean - control.mean
    variance = control.variance + treatment.variance
    relative = estimate / control.mean if _is_base(control, treatment) else None
    reasons: dict[str, str] = {}
    if relative is None:
        text = f"the control's figure is {control.mean:g}; a relative effect needs one clearly above zero"
        reasons |= dict.fromkeys(("relative_estimate", "relative_ci_lower", "relative_ci_upper"), text)
    if variance == 0:
        text = "all members of a variant have the same value, so that there is nothing to judge chance by"
        missing = (
            "ci_lower",
            "ci_upper",
            "p_value",
            "degrees_of_freedom",
            "relative_ci_lower",
            "relative_ci_upper",
        )
        return Effect(
            control_mean=control.mean,
            treatment_mean=treatment.mean,
            estimate=estimate,
            standard_error=0.0,
            relative_estimate=relative,
            reasons=dict.fromkeys(missing, text) | reasons,
        )
    freedom = _welch_degrees_of_freedom(control, treatment)
    standard_error = math.sqrt(variance)
    quantile = -float(stdtrit(freedom, alpha / 2))
    lower, upper, missing_text = _fieller(control, treatment, quantile)
    if relative is not None and missing_text:
        reasons |= dict.fromkeys(("relative_ci_lower", "relative_ci_upper"), missing_text)
    return Effect(
        control_mean=control.mean,
        treatment_mean=treatment.mean,
        estimate=estimate,
        standard_error=standard_error,
        degrees_of_freedom=freedom,
        ci_lower=estimate - quantile * standard_error,
        ci_upper=estimate + quantile * standard_error,
        relative_estimate=relative,
        relative_ci_lower=lower,
        relative_ci_upper=upper,
        # The lower tail at -|t|, not one minus the upper: small p-values keep their digits.
        p_value=2 * float(stdtr(freedom, -abs(estimate) / standard_error)),
        reasons=reasons,
    )


def _check(moments: Moments, fewest: int, what: str) -> None:
    if moments.count < fewest:
        raise AnalysisError(
            f"{moments.count} member{'' if moments.count == 1 else 's'} in a variant; {what} needs at least {fewest}"
        )
    numbers = (*moments.means, *(product for row in moments.products for product in row))
    if not all(math.isfinite(number) for number in numbers):
        raise AnalysisError("there are values that are no finite numbers, or too large to be squared")


def _welch_degrees_of_freedom(control: ArmEstimate, treatment: ArmEstimate) -> float:
    share = control.variance / (control.variance + treatment.variance)
    return 1 / (share**2 / (control.members - 1) + (1 - share) ** 2 / (treatment.members - 1))


def _is_base(control: ArmEstimate, treatment: ArmEstimate) -> bool:
    """Say whether the control's figure can be a hundred per cent."""
    return control.mean > _SMALLEST_BASE * max(abs(treatment.mean), treatment.standard_error)


def _fieller(
    control: ArmEstimate, treatment: ArmEstimate, quantile: float
) -> tuple[float | None, float | None, str]:
    if not _is_base(control, treatment):
        return None, None, ""
    # All ratios r for which treatment - r * control is within the quantile of zero.
    half_width = quantile * control.standard_error
    if half_width >= control.mean:
        return None, None, "the control's figure is so uncertain that the relative effect has no bounds"
    ratio = treatment.mean / control.mean
    noise = (half_width / control.mean) ** 2
    spread = (quantile * treatment.standard_error / control.mean) ** 2 * (1 - noise) + noise * ratio**2
    centre, half = ratio / (1 - noise), math.sqrt(spread) / (1 - noise)
    return centre - half - 1, centre + half - 1, ""
