"""Non-inferiority: is the treatment at most a margin worse than the control?"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from experiments.stats.confidence_sequence import confidence_sequence
from experiments.stats.figure import PairEstimate
from experiments.stats.fixed_horizon import fixed_effect
from experiments.stats.interval import Alternative, Interval, relative_estimate, relative_interval

Method = Callable[[PairEstimate, float, Alternative], Interval]
"""A test of a difference against zero: pair, alpha and alternative in, interval out."""


@dataclass(frozen=True, slots=True)
class NonInferiorityMargin:
    """The largest deterioration that is accepted; one of the two is given.

    Attributes:
        absolute: In the metric's unit, positive.
        relative: As a share of the control's figure (0.02 is 2 %), between 0 and 1.
    """

    absolute: float | None = None
    relative: float | None = None

    def __post_init__(self) -> None:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("the margin is either absolute or relative, and one of them must be given")
        if not 0 < self.size < (math.inf if self.relative is None else 1):
            most = "finite" if self.relative is None else "below 1"
            raise ValueError(f"the margin is {self.size:g}; it must be positive and {most}")

    @property
    def size(self) -> float:
        """The one that is given."""
        return (self.absolute or 0.0) if self.relative is None else self.relative


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """What a one-sided test at the margin says.

    Attributes:
        alpha: Accepted error of the one-sided test.
        limit: The effect at the margin: negative where more is better, positive where less is.
        relative: Whether limit and bound are relative effects.
        bound: The worst effect that is compatible with the data, at confidence 1 - alpha.
        p_value: Below alpha exactly if the bound is on the good side of the limit.
        passed: Whether a deterioration by the margin is excluded: the p-value is below alpha.
        reasons: Why figures are missing, by name.
    """

    alpha: float
    limit: float
    relative: bool
    bound: float | None = None
    p_value: float | None = None
    passed: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)


def non_inferiority(
    pair: PairEstimate,
    margin: NonInferiorityMargin,
    alpha: float,
    *,
    higher_is_better: bool,
    always_valid: bool = False,
    planned_units: int | None = None,
    method: Method | None = None,
) -> NonInferiority:
    """Test whether the treatment is worse than the control by the margin or more.

    The null hypothesis is ``treatment = control - margin``, or ``(1 - margin) control`` (plus where less is better).
    It is tested as a difference from the shifted control.

    Args:
        pair: The two figures.
        margin: The largest deterioration accepted.
        alpha: Accepted error, one-sided, below a half.
        higher_is_better: Whether a fall of the metric is the deterioration.
        always_valid: Whether the test is a confidence sequence, not that of a fixed horizon.
        planned_units: What the confidence sequence is tuned for.
        method: Another test than these two, such as a group-sequential look.

    Returns:
        The bound, its p-value, and whether the margin is excluded.

    Raises:
        ValueError: Alpha or planned units are out of range.
    """
    alternative = Alternative.GREATER if higher_is_better else Alternative.LESS
    relative = margin.relative is not None
    limit = -margin.size if higher_is_better else margin.size
    if relative and relative_estimate(pair) is None:
        reason = (
            f"the control's figure is {pair.control_mean:g}; a relative margin needs one clearly above zero"
        )
        return NonInferiority(alpha, limit, relative, reasons={"bound": reason, "p_value": reason})
    shifted = _multiplied(pair, 1 + limit) if relative else _added(pair, limit)
    if method is not None:
        interval = method(shifted, alpha, alternative)
    elif always_valid:
        interval = confidence_sequence(shifted, alpha, planned_units, alternative)
    else:
        interval = fixed_effect(shifted, alpha, alternative)
    end = interval.ci_lower if higher_is_better else interval.ci_upper
    if end is None or interval.p_value is None:
        reason = interval.reasons["p_value"]
        return NonInferiority(alpha, limit, relative, reasons={"bound": reason, "p_value": reason})
    bound: float | None = end + limit
    reasons: dict[str, str] = {}
    if relative:
        quantile = abs(shifted.estimate - end) / shifted.standard_error
        lower, upper, reason = relative_interval(pair, quantile)
        bound = lower if higher_is_better else upper
        reasons |= {"bound": reason} if reason else {}
    passed = interval.p_value < alpha
    return NonInferiority(alpha, limit, relative, bound, interval.p_value, passed, reasons)


def _added(pair: PairEstimate, shift: float) -> PairEstimate:
    return replace(pair, control_mean=pair.control_mean + shift)


def _multiplied(pair: PairEstimate, factor: float) -> PairEstimate:
    """Return the pair with a control of ``factor`` times its figure."""
    variance = pair.treatment_variance - 2 * factor * pair.covariance + factor**2 * pair.control_variance
    # Both own parts by one factor: degrees of freedom, and so quantiles, stay those of the difference itself.
    scale = max(variance, 0.0) / pair.variance if pair.variance else 0.0
    return replace(
        pair,
        control_mean=factor * pair.control_mean,
        control_variance=factor**2 * pair.control_variance,
        covariance=factor * pair.covariance,
        own_variances=(pair.own_variances[0] * scale, pair.own_variances[1] * scale),
    )
