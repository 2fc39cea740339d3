"""How many units an experiment needs, and what it can find: before it starts.

A test is planned for one figure per unit with a known mean and variance: for a ratio that of the delta method, with
covariates that of the residuals (``baseline_of``). Both arms are taken to have the same variance.

* Fixed: Welch's t test by the noncentral t distribution (Cohen 1988, *Statistical Power Analysis*, ch. 2).
* Group sequential: the chance to cross any of the actual bounds, by recursive integration under drift (Jennison and
  Turnbull 2000, *Group Sequential Methods*, ch. 19).
* Always valid: the same integration over ``ALWAYS_VALID_LOOKS`` evenly spaced looks up to the horizon, with the
  boundary of the confidence sequence.
* Non-inferiority: the one-sided test of the difference from the shifted control.

What a planned experiment is like: the metric, the effect hoped for, and the test.

The noncentral t distribution: how a t statistic varies if there is an effect.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtr, ndtri, stdtrit

from experiments.errors import AnalysisError
from experiments.stats.confidence_sequence import FEWEST_UNITS, sequence_boundary
from experiments.stats.figure import MetricShape, estimate_pair
from experiments.stats.group_sequential import RESERVE, Spending, crossing_probabilities, spending_bounds
from experiments.stats.interval import Alternative, check_alpha
from experiments.stats.moments import Moments
from experiments.stats.non_inferiority import NonInferiorityMargin


class PowerMethod(StrEnum):
    """The tests that can be planned."""

    FIXED = "fixed"
    GROUP_SEQUENTIAL = "group-sequential"
    ALWAYS_VALID = "always-valid"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known of the metric before the experiment.

    Attributes:
        mean: The metric without treatment.
        variance: Per unit, positive.
        units_per_day: Units of the whole experiment that come per day; ``None`` if unknown.
    """

    mean: float
    variance: float
    units_per_day: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and 0 < self.variance < math.inf):
            raise AnalysisError(
                f"the metric's mean is {self.mean:g} and its variance {self.variance:g}; a plan needs a finite mean"
                " and a positive variance"
            )


@dataclass(frozen=True, slots=True)
class TargetEffect:
    """The true effect that is planned for.

    Attributes:
        size: Treatment minus control, or relative to the control (0.02 is 2 % more); negative for a fall.
        relative: Whether the size is relative.
    """

    size: float
    relative: bool = False


NO_EFFECT = TargetEffect(0.0)


def parse_effect(text: str) -> TargetEffect:
    """Return the effect that a text names: ``5%`` of the control's figure, or ``0.5`` in its unit.

    Raises:
        ValueError: The text is neither.
    """
    number, percent, rest = text.partition("%")
    if rest.strip():
        raise ValueError(f"{text!r} is not an effect; write 5% or 0.5")
    try:
        size = float(number)
    except ValueError:
        raise ValueError(f"{text!r} is not an effect; write 5% or 0.5") from None
    return TargetEffect(size / 100, relative=True) if percent else TargetEffect(size)


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """The test that is planned.

    Attributes:
        alpha: Accepted error of all comparisons together, in (0, 1).
        power: Wanted chance to find the effect, in (0, 1).
        control_share: Share of the experiment's units under control.
        treatment_share: Share under the treatment.
        alternative: Which effects are looked for; ignored with a margin.
        comparisons: Metrics times treatments that share alpha: each is planned at the first step of Holm's
            correction, ``alpha / comparisons``.
        method: The test.
        looks: Group sequential: planned looks as shares of the units, the last 1.
        spending: Group sequential: the spending function.
        phi: Group sequential: exponent of the power spending function.
        tuned_units: Always valid: units of both arms that the sequence is tuned to; none for those of the horizon.
        margin: With it, non-inferiority is tested.
        higher_is_better: With a margin: whether a fall of the metric is the deterioration.
    """

    alpha: float = 0.05
    power: float = 0.8
    control_share: float = 0.5
    treatment_share: float = 0.5
    alternative: Alternative = Alternative.TWO_SIDED
    comparisons: int = 1
    method: PowerMethod = PowerMethod.FIXED
    looks: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    spending: Spending = Spending.OBRIEN_FLEMING
    phi: float = 2.0
    tuned_units: int | None = None
    margin: NonInferiorityMargin | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        check_alpha(self.alpha, self.direction)
        if not 0 < self.power < 1:
            raise ValueError(f"power is {self.power:g}; it must lie between 0 and 1")
        if min(self.control_share, self.treatment_share) <= 0 or self.both_shares > 1 + 1e-9:
            raise ValueError(
                f"the arms' shares are {self.control_share:g} and {self.treatment_share:g}; both must be positive,"
                " and together at most 1"
            )
        if self.comparisons < 1:
            raise ValueError(f"comparisons is {self.comparisons}; there is at least one")

    @property
    def direction(self) -> Alternative:
        """The alternative that is tested."""
        if self.margin is None:
            return self.alternative
        return Alternative.GREATER if self.higher_is_better else Alternative.LESS

    @property
    def both_shares(self) -> float:
        """Share of the units that are in either of the two arms."""
        return self.control_share + self.treatment_share


def baseline_of(moments: Moments, shape: MetricShape, units_per_day: float | None = None) -> Baseline:
    """Return the baseline that units of the past give: residual variance with covariates, delta method for ratios.

    Args:
        moments: Of the units of the past.
        shape: How the metric is made of the moments.
        units_per_day: New units a day; ``None`` if unknown.

    Raises:
        AnalysisError: The moments give no figure, or nothing varies.
    """
    # Taken as both arms, the units have the slopes of one.
    pair = estimate_pair(moments, moments, shape)
    return Baseline(pair.control_mean, pair.own_variances[0] * moments.count, units_per_day)


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


ALWAYS_VALID_LOOKS = 50
"""Looks that power is computed for. At 71 % power, 14 looks have 2 percentage points less, 400 have 2 more."""

_FEWEST_PER_ARM = 2
_MAX_UNITS = 1e15
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

    Args:
        baseline: The metric without treatment.
        effect: The true effect.
        plan: Test, alpha and wanted power; the defaults if ``None``.

    Raises:
        AnalysisError: The effect is zero, or not in the direction tested, or so small that no number suffices.
    """
    plan = plan or PowerPlan()
    distance, variance = _distance(baseline, effect, plan)
    _check_direction(distance, plan)
    lowest = _FEWEST_PER_ARM / min(plan.control_share, plan.treatment_share)
    tail = plan.alpha / plan.comparisons / plan.direction.sides
    guess = variance * (float(ndtri(plan.power)) - float(ndtri(tail))) ** 2 / distance**2
    if not guess < _MAX_UNITS:
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
            replace(
                plan,
                margin=NonInferiorityMargin(relative=size)
                if relative
                else NonInferiorityMargin(absolute=size),
            ),
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
