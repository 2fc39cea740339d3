"""How many units an experiment needs, and what it can find: before it starts.

A test is planned for one figure per unit with a known mean and variance: for a ratio that of the delta method, with
covariates that of the residuals (``baseline_of``). Both arms are taken to have the same variance.

* Fixed: Welch's t test by the noncentral t distribution (Cohen 1988, *Statistical Power Analysis*, ch. 2).
* Group sequential: the chance to cross any of the actual bounds, by recursive integration under drift (Jennison and
  Turnbull 2000, *Group Sequential Methods*, ch. 19).
* Always valid: the same integration over ``ALWAYS_VALID_LOOKS`` evenly spaced looks up to the horizon, with the
  boundary of the confidence sequence.
* Non-inferiority: the one-sided test of the difference from the shifted control.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from scipy.special import ndtri, stdtrit

from experiments.errors import AnalysisError
from experiments.stats.confidence_sequence import FEWEST_UNITS, sequence_boundary
from experiments.stats.group_sequential import RESERVE
from experiments.stats.interval import Alternative
from experiments.stats.non_inferiority import Margin
from experiments.stats.noncentral import noncentral_t_above
from experiments.stats.power_plan import NO_EFFECT, Baseline, PowerMethod, PowerPlan, TargetEffect
from experiments.stats.spending import crossing_probabilities, spending_bounds

ALWAYS_VALID_LOOKS = 50
"""Looks that power is computed for. At 71 % power, 14 looks have 2 percentage points less, 400 have 2 more."""

_FEWEST_PER_ARM = 2
_MOST_UNITS = 1e15
# Sequences depend on units through their ratio to the tuning; counted in these, ratios need no rounding.
_GRAINS = 10**9


def achieved_power(
    baseline: Baseline, effect: TargetEffect, units: float, plan: PowerPlan | None = None
) -> float:
    """Return the chance to find the effect, or to exclude the margin.

    Args:
        baseline: The metric.
        effect: The true effect; with a margin usually none.
        units: Of the whole experiment.
        plan: The test; two-sided and fixed at 5 % unless given.

    Raises:
        AnalysisError: An arm has fewer than two units, or an effect is relative to a figure that is not positive.
    """
    plan = plan or PowerPlan()
    if _reach(units, plan) < _FEWEST_PER_ARM * (1 - 1e-9):
        raise AnalysisError(
            f"{units:g} units leave an arm with fewer than {_FEWEST_PER_ARM}; a test needs that many"
        )
    distance, variance = _distance(baseline, effect, plan)
    drift = distance * math.sqrt(units / variance)
    if plan.direction is Alternative.LESS:
        drift = -drift
    if plan.method is PowerMethod.FIXED:
        return _fixed_power(drift, units, plan)
    return sum(above + below for above, below in _crossings(drift, units, plan)[1])


def required_units(baseline: Baseline, effect: TargetEffect, plan: PowerPlan | None = None) -> int:
    """Return the smallest number of units of the whole experiment with the wanted power.

    Raises:
        AnalysisError: The effect is zero, or not in the direction tested, or so small that no number suffices.
    """
    plan = plan or PowerPlan()
    distance, variance = _distance(baseline, effect, plan)
    _check_direction(distance, plan)
    lowest = _FEWEST_PER_ARM / min(plan.control_share, plan.treatment_share)
    level = plan.alpha / plan.comparisons / plan.direction.sides
    guess = variance * (float(ndtri(plan.power)) - float(ndtri(level))) ** 2 / distance**2
    if not guess < _MOST_UNITS:
        raise AnalysisError(f"an effect of {effect.size:g} is too small to be found with any number of units")
    units = _solve(lambda n: achieved_power(baseline, effect, n, plan), plan.power, lowest, guess)
    return math.ceil(units * (1 - 1e-12))


def minimal_detectable_effect(
    baseline: Baseline, units: float, plan: PowerPlan | None = None, *, relative: bool = False
) -> TargetEffect:
    """Return the smallest effect that is found with the wanted power; with a margin, the smallest margin excluded.

    Args:
        baseline: The metric.
        units: Of the whole experiment.
        plan: The test; the size of its margin does not matter.
        relative: Whether the effect shall be relative to the baseline's mean; a margin is what it is in the plan.

    Returns:
        The effect, negative if the test looks for a fall; for a margin its size, if there is no true effect.

    Raises:
        AnalysisError: There are too few units for any effect or margin.
    """
    plan = plan or PowerPlan()
    if plan.margin is not None:
        relative = plan.margin.relative is not None
    base = _base(baseline) if relative else 1.0
    sign = -1.0 if plan.direction is Alternative.LESS else 1.0

    def power_of(size: float) -> float:
        if plan.margin is None:
            return achieved_power(baseline, TargetEffect(sign * size * base), units, plan)
        if relative and size >= 1:
            raise AnalysisError(f"{units:g} units are too few to exclude any relative margin with this power")
        return achieved_power(
            baseline,
            NO_EFFECT,
            units,
            replace(plan, margin=Margin(relative=size) if relative else Margin(absolute=size)),
        )

    error = math.sqrt(_distance(baseline, NO_EFFECT, replace(plan, margin=None))[1] / units) / base
    if plan.method is PowerMethod.ALWAYS_VALID and _reach(units, plan) < FEWEST_UNITS:
        raise AnalysisError(
            f"{units:g} units leave an arm with fewer than {FEWEST_UNITS}; the always-valid test needs that many"
        )
    size = _solve(power_of, plan.power, 1e-9 * error, 3 * error)
    return TargetEffect(size if plan.margin else sign * size, relative)


@dataclass(frozen=True, slots=True)
class ExpectedDays:
    """How long an experiment takes.

    Attributes:
        units: Units of the whole experiment with the wanted power.
        days: Until they have come.
        average_days: Until the experiment ends on average if the effect is true and it stops as soon as the test
            allows; the same for the fixed test.
    """

    units: int
    days: float
    average_days: float


def expected_days(
    baseline: Baseline, effect: TargetEffect, plan: PowerPlan | None = None, *, units: int | None = None
) -> ExpectedDays:
    """Return how many days the experiment takes.

    Args:
        baseline: The metric, with units per day.
        effect: The true effect.
        plan: The test.
        units: Planned units of the whole experiment; those required unless given.

    Raises:
        AnalysisError: As for the units required, or the units per day are unknown or not positive.
    """
    plan = plan or PowerPlan()
    rate = baseline.units_per_day
    if rate is None or not 0 < rate < math.inf:
        raise AnalysisError("how many units come per day is not known, so that days cannot be told")
    total = required_units(baseline, effect, plan) if units is None else units
    days = total / rate
    if plan.method is PowerMethod.FIXED:
        return ExpectedDays(total, days, days)
    distance, variance = _distance(baseline, effect, plan)
    drift = distance * math.sqrt(total / variance) * (-1 if plan.direction is Alternative.LESS else 1)
    fractions, crossings = _crossings(drift, total, plan)
    found = [above + below for above, below in crossings]
    average = sum(t * p for t, p in zip(fractions, found, strict=True)) + 1 - sum(found)
    return ExpectedDays(total, days, days * average)


def _reach(units: float, plan: PowerPlan) -> float:
    """Return the units of the smaller arm."""
    return units * min(plan.control_share, plan.treatment_share)


def _base(baseline: Baseline) -> float:
    if baseline.mean <= 0:
        raise AnalysisError(f"the metric's mean is {baseline.mean:g}; a relative effect needs one above zero")
    return baseline.mean


def _distance(baseline: Baseline, effect: TargetEffect, plan: PowerPlan) -> tuple[float, float]:
    """Return how far the truth is from the null hypothesis, and the estimate's variance times the units."""
    distance = effect.size * (_base(baseline) if effect.relative else 1.0)
    factor = 1.0
    if plan.margin is not None:
        limit = plan.margin.size if plan.higher_is_better else -plan.margin.size
        if plan.margin.relative is None:
            distance += limit
        else:
            distance += limit * _base(baseline)
            factor = 1 - limit
    return distance, baseline.variance * (factor**2 / plan.control_share + 1 / plan.treatment_share)


def _check_direction(distance: float, plan: PowerPlan) -> None:
    towards = -distance if plan.direction is Alternative.LESS else distance
    if plan.margin is not None and towards <= 0:
        raise AnalysisError(
            "the effect planned for is a deterioration by the margin or more, which no test excludes"
        )
    if distance == 0 or not math.isfinite(distance):
        raise AnalysisError(
            "the effect planned for is zero or not finite; a plan needs one that can be found"
        )
    if plan.alternative is not Alternative.TWO_SIDED and towards < 0:
        raise AnalysisError(
            f"the effect planned for is not {plan.alternative}, which is what the test looks for"
        )


def _fixed_power(drift: float, units: float, plan: PowerPlan) -> float:
    control, treatment = units * plan.control_share, units * plan.treatment_share
    parts = (1 / control, 1 / treatment)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (control - 1) + parts[1] ** 2 / (treatment - 1))
    sides = plan.direction.sides
    quantile = -float(stdtrit(freedom, plan.alpha / plan.comparisons / sides))
    power = noncentral_t_above(freedom, drift, quantile)
    return power + noncentral_t_above(freedom, -drift, quantile) if sides == 2 else power


def _crossings(
    drift: float, units: float, plan: PowerPlan
) -> tuple[tuple[float, ...], tuple[tuple[float, float], ...]]:
    """Return the looks, and at each the chances to be the first to cross the upper and the lower bound."""
    alpha, direction = plan.alpha / plan.comparisons, plan.direction
    if plan.method is PowerMethod.GROUP_SEQUENTIAL:
        fractions = plan.looks
        bounds = spending_bounds(
            fractions, alpha * (1 - RESERVE), sides=direction.sides, spending=plan.spending, phi=plan.phi
        )
    else:
        smaller = _reach(units, plan)
        evenly = ((k + 1) / ALWAYS_VALID_LOOKS for k in range(ALWAYS_VALID_LOOKS))
        fractions = tuple(t for t in evenly if t * smaller >= FEWEST_UNITS)
        horizon = 1.0 if plan.tuned_units is None else units * plan.both_shares / plan.tuned_units
        bounds = tuple(
            sequence_boundary(round(t * horizon * _GRAINS), _GRAINS, alpha, direction, tuned_at=plan.alpha)
            for t in fractions
        )
    return fractions, crossing_probabilities(fractions, bounds, sides=direction.sides, drift=drift)


def _solve(power_of: Callable[[float], float], target: float, lowest: float, guess: float) -> float:
    """Return where a rising power reaches the target: regula falsi on a nearly straight scale."""

    def excess(root: float) -> float:
        chance = min(max(power_of(root * root), 1e-300), 1 - 1e-16)
        return float(ndtri(chance)) - float(ndtri(target))

    lower, upper = math.sqrt(lowest), math.sqrt(max(guess, 2 * lowest))
    below = excess(lower)
    if below >= 0:
        return lowest
    above = excess(upper)
    while above < 0:
        lower, below, upper = upper, above, 1.5 * upper
        above = excess(upper)
    kept = 0
    for _ in range(200):
        x = lower + (upper - lower) * below / (below - above)
        found = excess(x)
        if abs(found) < 1e-11 or upper - lower < 1e-13 * upper:
            return x * x
        # An end that stays twice counts half (the Illinois rule), or it would stay for ever.
        if found < 0:
            lower, below = x, found
            above, kept = (above / 2 if kept < 0 else above), -1
        else:
            upper, above = x, found
            below, kept = (below / 2 if kept > 0 else below), 1
    return upper * upper
