"""Intervals that stay valid however often one looks: asymptotic confidence sequences.

Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences" (https://arxiv.org/abs/2103.06476): theorem 2.2 for two sides, appendix B for one side and for the choice
of rho. The chance that the interval ever excludes the truth, at any of infinitely many looks, is at most alpha.
"""

import math

from experiments.stats.figure import PairEstimate
from experiments.stats.interval import (
    NOTHING_VARIES,
    Alternative,
    Interval,
    check_alpha,
    interval_around,
    no_interval,
)

DEFAULT_TUNING_UNITS = 5_000
"""Units of both arms at which the sequence is narrowest if the plan names none."""

FEWEST_UNITS = 100
"""Units that each arm needs. Simulated with looks from 20 units on (normal, 0.2 and 2 % conversion, revenue of two
tails, 400 looks): with this and the variance of ``_safe_variance`` at most 4.8 % of sequences ever err at 5 %; with
30 units the estimated variance is still so rough that the rate touches 5 %."""


def confidence_sequence(
    pair: PairEstimate,
    alpha: float,
    planned_units: int | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    tuned_at: float | None = None,
) -> Interval:
    """Return the always-valid interval and p-value.

    Args:
        pair: The two figures, of all units so far.
        alpha: Accepted error over all looks together, in (0, 1); one-sided below a half.
        planned_units: Units of both arms at which the interval shall be narrowest. It must not depend on the data.
        alternative: Which effects are looked for.
        tuned_at: The alpha that the sequence's shape is chosen for; ``alpha`` unless given. Intervals at several
            alphas (corrections) have one p-value only if they share it.

    Raises:
        ValueError: Alpha or planned units are out of range.
    """
    check_alpha(alpha, alternative)
    if pair.variance == 0:
        return no_interval(alpha, NOTHING_VARIES)
    fewest = min(pair.control_units, pair.treatment_units)
    if fewest < FEWEST_UNITS:
        return no_interval(
            alpha,
            f"the smaller variant has {fewest} units; an always-valid interval needs {FEWEST_UNITS} in each",
        )
    widening = math.sqrt(_safe_variance(pair) / pair.variance)
    mixing = _mixing(pair.units, planned_units, alpha if tuned_at is None else tuned_at, alternative)
    return interval_around(
        pair,
        alpha=alpha,
        quantile=widening * _boundary(mixing, alpha, alternative),
        p_value=_p_value(pair.estimate / pair.standard_error / widening, mixing, alternative),
        alternative=alternative,
    )


def sequence_boundary(
    units: int,
    planned_units: int | None,
    alpha: float,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    tuned_at: float | None = None,
) -> float:
    """Return how many standard errors the always-valid interval reaches at a number of units.

    Args:
        units: Units of both arms so far.
        planned_units: Units of both arms at the planned end; 10,000 if ``None``.
        alpha: Accepted error, in (0, 1).
        alternative: Which sides are tested.
        tuned_at: Alpha for which the interval is narrowest at the planned units; ``alpha`` if ``None``.

    Raises:
        ValueError: Alpha or planned units are out of range.
    """
    check_alpha(alpha, alternative)
    mixing = _mixing(units, planned_units, alpha if tuned_at is None else tuned_at, alternative)
    return _boundary(mixing, alpha, alternative)


def _mixing(units: int, planned_units: int | None, alpha: float, alternative: Alternative) -> float:
    """Return units times the squared rho that makes the interval narrowest at the planned units."""
    planned = DEFAULT_TUNING_UNITS if planned_units is None else planned_units
    if planned <= 0:
        raise ValueError(f"planned_units is {planned}; it must be positive")
    # One-sided sequences are tuned at twice alpha: their end is that of a two-sided one at that alpha.
    surprise = -2 * math.log(alpha * (3 - alternative.sides))
    return units / planned * (surprise + math.log1p(surprise))


def _boundary(mixing: float, alpha: float, alternative: Alternative) -> float:
    root = math.sqrt(mixing + 1)
    surprise = (
        math.log(root / alpha) if alternative is Alternative.TWO_SIDED else math.log1p(root / (2 * alpha))
    )
    return math.sqrt(2 * (mixing + 1) / mixing * surprise)


def _p_value(statistic: float, mixing: float, alternative: Alternative) -> float:
    """Return the smallest alpha whose boundary the statistic reaches."""
    if alternative is Alternative.LESS:
        statistic = -statistic
    if alternative is not Alternative.TWO_SIDED and statistic <= 0:
        return 1.0
    evidence = mixing / (mixing + 1) * statistic**2 / 2
    if alternative is Alternative.TWO_SIDED:
        return min(1.0, math.exp(math.log1p(mixing) / 2 - evidence))
    # root / (2 (e^evidence - 1)), without overflow.
    odds = math.exp(-evidence) / -math.expm1(-evidence) if evidence > 0 else math.inf
    return min(1.0, math.sqrt(mixing + 1) / 2 * odds)


def _safe_variance(pair: PairEstimate) -> float:
    """Return the larger of the estimate's variance and what it were with the arms' variances per unit exchanged.

    A small arm that has not met its rare conversions or its large orders yet has too small a variance, and the
    difference looks certain: without this, a split of 90 to 10 at 2 % conversion ever errs in 17 %, at 0.2 % in a
    third of all experiments (simulation as above), with it in 1 %. For arms of one size both are the same.
    """
    control, treatment = pair.own_variances
    exchanged = (
        control * pair.control_units / pair.treatment_units
        + treatment * pair.treatment_units / pair.control_units
    )
    return max(pair.variance, exchanged)
