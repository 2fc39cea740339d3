"""Relative effects: how many per cent the treatment is above the control, and between which bounds."""

import math

from experiments.stats.figure import PairEstimate

# A control's figure below this share of the treatment's is no base for a percentage.
_SMALLEST_BASE = 1e-9


def relative_estimate(pair: PairEstimate) -> float | None:
    """Return treatment over control, minus one; none if the control's figure is not clearly above zero."""
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
