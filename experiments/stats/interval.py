"""Intervals for a difference and for the relative effect, each with the p-value that agrees with it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from experiments.stats.figure import PairEstimate

# A control's figure below this share of the treatment's is not a base for a percentage.
_SMALLEST_BASE = 1e-9


def relative_estimate(pair: PairEstimate) -> float | None:
    """Return treatment over control, minus one; ``None`` if the control's figure is not clearly above zero."""
    return pair.estimate / pair.control_mean if _is_base(pair) else None


def relative_interval(pair: PairEstimate, quantile: float) -> tuple[float | None, float | None, str]:
    """Return the interval for the relative effect, or why there is none.

    Fieller's interval with covariance (Fieller 1954, https://doi.org/10.1111/j.2517-6161.1954.tb00159.x): all
    lifts L for which ``treatment - (1 + L) control`` is within the quantile's number of its own standard errors of
    zero. Its ends are beyond zero exactly if those of ``estimate -+ quantile * standard_error`` are.

    Args:
        pair: The two figures.
        quantile: Standard errors on each side, positive; for a one-sided interval take the end that is wanted.

    Returns:
        Lower end, upper end and an empty reason; or none, none and the reason.
    """
    control, estimate = pair.control_mean, pair.estimate
    if not _is_base(pair):
        return (
            None,
            None,
            f"the control's figure is {control:g}; a relative effect needs one clearly above zero",
        )
    # Of the quadratic equation in L; written in the difference, so that small lifts keep their digits.
    noise = quantile * math.sqrt(pair.control_variance)
    square = (control - noise) * (control + noise)
    if square <= 0:
        return None, None, "the control's figure is so uncertain that the relative effect has no bounds"
    together = pair.covariance - pair.control_variance
    middle = control * estimate - quantile**2 * together
    spread = (
        control**2 * pair.variance
        - 2 * estimate * control * together
        + estimate**2 * pair.control_variance
        - quantile**2 * (pair.control_variance * pair.variance - together**2)
    )
    far = middle + math.copysign(quantile * math.sqrt(max(spread, 0.0)), middle)
    # The other end by the product of both: its sign is then that of the difference's own end.
    half = quantile * pair.standard_error
    product = (estimate - half) * (estimate + half)
    ends = (far / square, product / far if far else 0.0)
    return min(ends), max(ends), ""


def _is_base(pair: PairEstimate) -> bool:
    """Say whether the control's figure can be a hundred per cent."""
    treatment_error = math.sqrt(pair.treatment_variance)
    return pair.control_mean > _SMALLEST_BASE * max(abs(pair.treatment_mean), treatment_error)


NOTHING_VARIES = "all units of a variant have the same value, so that there is nothing to judge chance by"
"""Why there is no interval without variance."""


class Alternative(StrEnum):
    """Which effects a test looks for."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"

    @property
    def sides(self) -> int:
        """In how many directions an effect can be found."""
        return 2 if self is Alternative.TWO_SIDED else 1


@dataclass(frozen=True, slots=True)
class Interval:
    """What a method says about a difference, and about the relative effect.

    A figure that does not exist is none, and ``reasons`` says why, by the figure's name. The open end of a
    one-sided interval is such a figure.

    Attributes:
        alpha: The accepted error, in (0, 1).
        ci_lower: Lower end of the interval for the difference, at confidence 1 - alpha.
        ci_upper: Upper end.
        relative_ci_lower: Lower end of the interval for the relative effect (0.02 is 2 % more).
        relative_ci_upper: Upper end.
        p_value: Below alpha exactly if the intervals exclude zero.
        reasons: Why figures are missing.
        degrees_of_freedom: Of the t distribution used; ``None`` if the method uses none.
    """

    alpha: float
    ci_lower: float | None = None
    ci_upper: float | None = None
    relative_ci_lower: float | None = None
    relative_ci_upper: float | None = None
    p_value: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    degrees_of_freedom: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval says that there is an effect."""
        above = self.ci_lower is not None and self.ci_lower > 0
        below = self.ci_upper is not None and self.ci_upper < 0
        return above or below


def no_interval(alpha: float, reason: str) -> Interval:
    """Return an interval without figures, all for the same reason."""
    missing = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper", "p_value")
    return Interval(alpha, reasons=dict.fromkeys(missing, reason))


def interval_around(
    pair: PairEstimate,
    *,
    alpha: float,
    quantile: float,
    p_value: float,
    alternative: Alternative,
    degrees_of_freedom: float | None = None,
) -> Interval:
    """Return the interval that reaches a number of standard errors to the sides that the alternative looks at.

    Args:
        pair: The two figures; the estimate's variance must not be zero.
        alpha: Accepted error that the quantile stands for.
        quantile: Standard errors from the estimate to an end, positive.
        p_value: Belonging to the quantile.
        alternative: GREATER has a lower end only, LESS an upper end only.
        degrees_of_freedom: Of the t distribution used, if any.
    """
    half = quantile * pair.standard_error
    lower: float | None = pair.estimate - half
    upper: float | None = pair.estimate + half
    relative_lower, relative_upper, reason = relative_interval(pair, quantile)
    reasons = dict.fromkeys(("relative_ci_lower", "relative_ci_upper"), reason) if reason else {}
    if alternative is Alternative.GREATER:
        upper = relative_upper = None
        reasons |= dict.fromkeys(
            ("ci_upper", "relative_ci_upper"), "one-sided: the test looks for a rise, and has no upper end"
        )
    if alternative is Alternative.LESS:
        lower = relative_lower = None
        reasons |= dict.fromkeys(
            ("ci_lower", "relative_ci_lower"), "one-sided: the test looks for a fall, and has no lower end"
        )
    return Interval(
        alpha=alpha,
        ci_lower=lower,
        ci_upper=upper,
        relative_ci_lower=relative_lower,
        relative_ci_upper=relative_upper,
        p_value=p_value,
        reasons=reasons,
        degrees_of_freedom=degrees_of_freedom,
    )


def check_alpha(alpha: float, alternative: Alternative) -> None:
    """Make sure that an interval has positive width.

    Raises:
        ValueError: Alpha is not in (0, 1), or one-sided and not below a half.
    """
    most = 1.0 if alternative is Alternative.TWO_SIDED else 0.5
    if not 0 < alpha < most:
        raise ValueError(f"alpha is {alpha:g}; {alternative} it must lie between 0 and {most:g}")
