"""Group-sequential intervals: a planned number of looks at one shared error, and a guarantee that outlives the plan.

Repeated confidence intervals (Jennison and Turnbull 1989, https://doi.org/10.1111/j.2517-6161.1989.tb01433.x) from
the bounds of ``spending``. A small share of alpha is never spent by the plan: when more units arrive than planned, a
confidence sequence at that share goes on, so that the error of everything together stays below alpha.

Group-sequential bounds: how much of alpha each look may spend, and which statistic spends it.

Lan and DeMets (1983, https://doi.org/10.1093/biomet/70.3.659) for the spending of alpha; the bounds by the
recursive integration of Armitage, McPherson and Rowe (1969, https://doi.org/10.2307/2343787): between looks the
standardised sum is a Brownian motion in information time, and what has not crossed a bound yet is carried on.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from experiments.stats.confidence_sequence import confidence_sequence
from experiments.stats.figure import PairEstimate
from experiments.stats.interval import (
    NOTHING_VARIES,
    Alternative,
    Interval,
    check_alpha,
    interval_around,
    no_interval,
)

# Increments below this are not part of alpha that a double could still take a quantile of.
_SMALLEST_INCREMENT = 1e-250
# Quadrature by panels of Gauss and Legendre, this many standard deviations wide of the narrower of the two steps
# that meet there: the integrands are then polynomials to 13 digits.
_PANEL_WIDTH = 5.0

_Array = NDArray[np.float64]


class Spending(StrEnum):
    """How alpha is spread over the information time."""

    OBRIEN_FLEMING = "obrien-fleming"
    POCOCK = "pocock"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class _Paths:
    """Where the paths are that have not crossed a bound yet."""

    nodes: _Array
    masses: _Array

    def above(self, barrier: float, step: float, drift: float = 0.0) -> tuple[float, float]:
        """Return the chance to be above the barrier one step later, and the density there."""
        distance = (barrier - drift * step - self.nodes) / math.sqrt(step)
        density = np.exp(-(distance**2) / 2) / math.sqrt(2 * math.pi * step)
        return float(self.masses @ ndtr(-distance)), float(self.masses @ density)

    def moved(self, ends: tuple[float, float], step: float, finest: float, drift: float = 0.0) -> "_Paths":
        """Return the paths that are between the ends one step later, on nodes fit for the finest step."""
        lower, upper = ends
        if lower >= upper:
            return _Paths(np.zeros(1), np.zeros(1))
        panels = math.ceil((upper - lower) / (_PANEL_WIDTH * math.sqrt(finest)))
        half = (upper - lower) / panels / 2
        points, weights = _rule()
        nodes = (lower + half * (2 * np.arange(panels)[:, None] + 1 + points)).ravel()
        distance = (nodes[:, None] - self.nodes[None, :] - drift * step) / math.sqrt(step)
        density = np.exp(-(distance**2) / 2) @ self.masses / math.sqrt(2 * math.pi * step)
        return _Paths(nodes, density * np.tile(weights * half, panels))


_START = _Paths(np.zeros(1), np.ones(1))


def spent_share(spending: Spending, fraction: float, alpha: float, phi: float) -> float:
    """Return the part of one side's alpha that may be spent up to an information fraction.

    Args:
        spending: The spending function.
        fraction: Information so far over planned information; 1 and more spends all.
        alpha: Error of one side.
        phi: Exponent of POWER; others ignore it.
    """
    t = min(fraction, 1.0)
    if spending is Spending.OBRIEN_FLEMING:
        return min(alpha, 2 * float(ndtr(float(ndtri(alpha / 2)) / math.sqrt(t))))
    if spending is Spending.POCOCK:
        return alpha * math.log1p((math.e - 1) * t)
    return alpha * float(t**phi)


@lru_cache(maxsize=8192)
def spending_bounds(
    fractions: tuple[float, ...],
    alpha: float,
    *,
    sides: int = 2,
    spending: Spending = Spending.OBRIEN_FLEMING,
    phi: float = 2.0,
) -> tuple[float, ...]:
    """Return the bound of each look, in standard errors.

    Args:
        fractions: Information fractions of the looks, positive and increasing; from 1 on all of alpha is spent.
        alpha: Error over all looks and sides together.
        sides: 2 for symmetric bounds, 1 for an upper bound only (never stopping below).
        spending: The spending function.
        phi: Exponent of POWER.

    Returns:
        Bounds for the absolute statistic (two sides) or the statistic; infinite where nothing may be spent yet.
    """
    each = alpha / sides
    # Paths farther out than this are so much rarer than alpha that they change no digit of a bound.
    reach = math.hypot(float(ndtri(each)), 8.0)
    paths, before, spent = _START, 0.0, 0.0
    bounds = []
    for i, t in enumerate(fractions):
        step = t - before
        total = spent_share(spending, t, each, phi)
        increment, spent = total - spent, total
        limit = math.inf
        if increment > _SMALLEST_INCREMENT:
            limit = _barrier(paths, step, increment, t, lowest=0.0 if sides == 2 else -reach * math.sqrt(t))
        bounds.append(limit / math.sqrt(t))
        if i + 1 < len(fractions):
            farthest = reach * math.sqrt(t)
            upper = min(limit, farthest)
            lower = -upper if sides == 2 else -farthest
            paths = paths.moved((lower, upper), step, min(step, fractions[i + 1] - t))
        before = t
    return tuple(bounds)


def crossing_probabilities(
    fractions: Sequence[float], bounds: Sequence[float], *, sides: int = 2, drift: float = 0.0
) -> tuple[tuple[float, float], ...]:
    """Return each look's chances to be the first to cross the upper and the lower bound.

    Args:
        fractions: Information fractions of the looks, positive and increasing.
        bounds: In standard errors, as ``spending_bounds`` gives them.
        sides: 1 has no lower bound.
        drift: Mean of the statistic at fraction 1: the true effect over the standard error planned there.
    """
    paths, before = _START, 0.0
    found = []
    for i, (t, bound) in enumerate(zip(fractions, bounds, strict=True)):
        step, limit = t - before, bound * math.sqrt(t)
        above, _ = paths.above(limit, step, drift)
        mirrored, _ = _Paths(-paths.nodes, paths.masses).above(limit, step, -drift)
        found.append((above, mirrored if sides == 2 else 0.0))
        if i + 1 < len(fractions):
            farthest = 9 * math.sqrt(t)
            upper = min(limit, drift * t + farthest)
            lower = max(-limit if sides == 2 else -math.inf, drift * t - farthest)
            paths = paths.moved((lower, upper), step, min(step, fractions[i + 1] - t), drift)
        before = t
    return tuple(found)


def _barrier(paths: _Paths, step: float, increment: float, t: float, lowest: float) -> float:
    """Return the barrier that a share of the paths, the increment, is above one step later."""
    # No path is likelier above a barrier than one that nothing could stop before.
    highest = max(-float(ndtri(increment)) * math.sqrt(t), lowest)
    barrier = highest
    for _ in range(200):
        chance, density = paths.above(barrier, step)
        if chance > increment:
            lowest = barrier
        else:
            highest = barrier
        # The log of the chance is concave: from above, Newton's steps never pass the root.
        proposal = (
            barrier + math.log(chance / increment) * chance / density
            if chance > 0 and density > 0
            else math.nan
        )
        if not lowest <= proposal <= highest:
            proposal = (lowest + highest) / 2
        if abs(proposal - barrier) <= 1e-13 * max(1.0, abs(barrier)):
            return proposal
        barrier = proposal
    return barrier


@lru_cache(maxsize=1)
def _rule() -> tuple[_Array, _Array]:
    points, weights = np.polynomial.legendre.leggauss(16)
    return points, weights


RESERVE = 1 / 25
"""Share of alpha that is kept for traffic beyond the plan."""

OVERRUN_TOLERANCE = 0.05
"""A last look this share of the plan late is still the planned one."""

# Looks closer together than this share of the plan are one.
_SAME_LOOK = 1e-4
# Planned looks do not come to the day: a look this part of a step after the last one is not the same look again.
_NEXT_STEP = 0.9
# Below this p-value bounds of many looks cost much time, and the tail goes on as that of the normal distribution.
_SMALLEST_SOLVED = 1e-16
_LARGEST_SOLVED = 0.999
# In place of an infinite bound, so that steps can be computed.
_FARTHEST = 50.0


@dataclass(frozen=True, slots=True)
class SequentialPlan:
    """When will be looked, and how the error is spread over the looks.

    Attributes:
        planned_units: Units of both arms at the last look, positive.
        looks: Planned looks as shares of the planned units, increasing, the last 1.
        spending: The spending function.
        phi: Exponent of the power spending function, positive; others ignore it.
    """

    planned_units: int
    looks: tuple[float, ...]
    spending: Spending = Spending.OBRIEN_FLEMING
    phi: float = 2.0

    def __post_init__(self) -> None:
        steps = zip((0.0, *self.looks), self.looks, strict=False)
        if (
            not self.looks
            or self.looks[-1] != 1
            or any(later - earlier < _SAME_LOOK for earlier, later in steps)
        ):
            raise ValueError(
                f"looks are {self.looks}; they must be positive and increasing, and the last must be 1"
            )
        if self.planned_units <= 0:
            raise ValueError(f"planned_units is {self.planned_units}; it must be positive")
        if self.phi <= 0:
            raise ValueError(f"phi is {self.phi:g}; it must be positive")

    @classmethod
    def evenly(
        cls,
        planned_units: int,
        looks: int,
        spending: Spending = Spending.OBRIEN_FLEMING,
        phi: float = 2.0,
    ) -> Self:
        """Return a plan of equally spaced looks.

        Args:
            planned_units: Units of both arms at the end.
            looks: How many.
            spending: How alpha is spent.
            phi: Shape of the spending function.
        """
        return cls(planned_units, tuple((k + 1) / looks for k in range(looks)), spending, phi)

    @property
    def lateness(self) -> float:
        """How late, as a share of the plan, a look may be and still count as the last planned one."""
        last_step = self.looks[-1] - (0.0, *self.looks)[-2]
        return min(OVERRUN_TOLERANCE, _NEXT_STEP * last_step)


@dataclass(frozen=True, slots=True)
class GroupSequentialLook:
    """What one look says.

    Attributes:
        interval: The repeated interval, valid together with those of all looks before.
        information_fraction: Units so far over planned units.
        look: Number of this look, from 1.
        bound: Standard errors that the statistic must pass at this look; ``None`` if the plan is over, infinite if
            nothing may be spent so early.
        alpha_spent: Error spent up to now, of both sides together.
        overrun: Whether more units arrived than planned, so that the interval is that of a confidence sequence.
        final: Whether this is the last planned look.
    """

    interval: Interval
    information_fraction: float
    look: int
    bound: float | None
    alpha_spent: float
    overrun: bool
    final: bool


def group_sequential_interval(
    pair: PairEstimate,
    alpha: float,
    plan: SequentialPlan,
    past_looks: Sequence[float] | None = None,
    alternative: Alternative = Alternative.TWO_SIDED,
    *,
    tuned_at: float | None = None,
    with_p_value: bool = True,
) -> GroupSequentialLook:
    """Return this look's interval and p-value.

    Args:
        pair: The two figures, of all units so far.
        alpha: Accepted error over all looks together, in (0, 1); one-sided below a half.
        plan: The plan, made before the data.
        past_looks: Information fractions at which was looked before. Without them the planned ones count, and looks
            must then come as often as planned for the error to hold.
        alternative: Which effects are looked for.
        tuned_at: The alpha that the sequence beyond the plan is tuned for; ``alpha`` unless given (see
            ``confidence_sequence``).
        with_p_value: Whether to solve for the p-value, which takes a hundred times as long as the interval.

    Raises:
        ValueError: Alpha is out of range.
    """
    check_alpha(alpha, alternative)
    today = pair.units / plan.planned_units
    known = plan.looks if past_looks is None else sorted(set(past_looks))
    before: list[float] = []
    for t in known:
        if (before[-1] if before else 0.0) + _SAME_LOOK <= t <= today - _SAME_LOOK:
            before.append(t)
    if past_looks is None and today < 1 + plan.lateness:
        before = [t for t in before if t < 1]
    fractions = (*before, today)
    overrun = today >= 1 + OVERRUN_TOLERANCE or any(t >= 1 for t in before)
    if overrun:
        interval, bound, spent = _beyond(pair, alpha, plan, alternative, tuned_at), None, alpha
    else:
        interval, bound = _within(pair, alpha, (plan, fractions, alternative), with_p_value=with_p_value)
        each = alpha * (1 - RESERVE) / alternative.sides
        spent = alternative.sides * spent_share(plan.spending, today, each, plan.phi)
    return GroupSequentialLook(
        interval=interval,
        information_fraction=today,
        look=len(fractions),
        bound=bound,
        alpha_spent=spent,
        overrun=overrun,
        final=not overrun and today >= 1,
    )


def _beyond(
    pair: PairEstimate, alpha: float, plan: SequentialPlan, alternative: Alternative, tuned_at: float | None
) -> Interval:
    tuned = RESERVE * (alpha if tuned_at is None else tuned_at)
    interval = confidence_sequence(pair, RESERVE * alpha, plan.planned_units, alternative, tuned_at=tuned)
    p_value = None if interval.p_value is None else min(1.0, interval.p_value / RESERVE)
    return replace(interval, alpha=alpha, p_value=p_value)


def _within(
    pair: PairEstimate,
    alpha: float,
    look: tuple[SequentialPlan, tuple[float, ...], Alternative],
    *,
    with_p_value: bool,
) -> tuple[Interval, float | None]:
    freedom = pair.degrees_of_freedom
    if freedom is None:
        return no_interval(alpha, NOTHING_VARIES), None
    bound = _bound(alpha, *look)
    # The bound's tail probability as one of the t distribution: looks at few units are not too sure.
    quantile = -float(stdtrit(freedom, float(ndtr(-bound))))
    if not 0 < quantile < float("inf"):
        return no_interval(
            alpha, "so early in the plan no error may be spent, so that nothing can be said yet"
        ), bound
    statistic = pair.estimate / pair.standard_error
    interval = interval_around(
        pair,
        alpha=alpha,
        quantile=quantile,
        p_value=_p_value(statistic, freedom, alpha, look, excluded_beyond=quantile) if with_p_value else 1.0,
        alternative=look[2],
        degrees_of_freedom=freedom,
    )
    if not with_p_value:
        reasons = {**interval.reasons, "p_value": "it was not asked for"}
        interval = replace(interval, p_value=None, reasons=reasons)
    return interval, bound


def _bound(
    alpha: float, plan: SequentialPlan, fractions: tuple[float, ...], alternative: Alternative
) -> float:
    return spending_bounds(
        fractions, alpha * (1 - RESERVE), sides=alternative.sides, spending=plan.spending, phi=plan.phi
    )[-1]


def _p_value(
    statistic: float,
    freedom: float,
    alpha: float,
    look: tuple[SequentialPlan, tuple[float, ...], Alternative],
    excluded_beyond: float,
) -> float:
    """Return the smallest alpha whose interval at this look excludes zero; 1 if there is none.

    The search starts at the alpha in use and goes to the side on which its interval says the p-value lies.
    """
    alternative = look[2]
    reached = {
        Alternative.TWO_SIDED: abs(statistic),
        Alternative.GREATER: statistic,
        Alternative.LESS: -statistic,
    }[alternative]
    deviate = -float(ndtri(float(stdtr(freedom, -reached))))
    excluded = reached > excluded_beyond
    if math.isinf(deviate):
        return 0.0 if excluded else 1.0
    largest = _LARGEST_SOLVED if alternative is Alternative.TWO_SIDED else 0.5

    def excess(tried: float) -> float:
        return _bound(tried, *look) - deviate

    def on_scale(tried: float) -> float:
        return float(ndtri(tried / alternative.sides))

    start, first = on_scale(alpha), excess(alpha)
    far = min(_SMALLEST_SOLVED, alpha / 10) if excluded else max(largest, alpha)
    guess = start * deviate / (first + deviate)
    root = _root(
        lambda scaled: excess(alternative.sides * float(ndtr(scaled))), (start, first), guess, on_scale(far)
    )
    smallest = alternative.sides * float(ndtr(root))
    if excluded and root <= on_scale(far):
        # Smaller than what is worth solving for.
        smallest *= float(ndtr(-deviate)) / float(ndtr(-deviate - excess(far)))
    if not excluded and root >= on_scale(far):
        return 1.0
    # Rounding must not carry the p-value across the alpha in use.
    return min(smallest, alpha * (1 - 1e-12)) if excluded else max(smallest, alpha)


def _root(
    function: Callable[[float], float], start: tuple[float, float], guess: float, limit: float
) -> float:
    """Return where a falling, nearly straight function is zero between start and limit, or the limit.

    Secant steps, and halves where they would leave the bracket.
    """
    near, near_value = x0, y0 = start
    lower, upper = sorted((near, limit))
    x, limit_tried = guess, False
    for _ in range(100):
        if not lower < x < upper:
            beyond = (x - near) * (limit - near) >= 0 and not limit_tried
            x, limit_tried = (limit, True) if beyond else ((lower + upper) / 2, limit_tried)
        y = min(function(x), _FARTHEST)
        if abs(y) < 1e-9 or upper - lower < 1e-12:
            return x
        if x == limit and y * near_value > 0:
            return limit
        lower, upper = (x, upper) if y > 0 else (lower, x)
        proposal = x - y * (x - x0) / (y - y0) if y != y0 else math.nan
        x0, y0, x = x, y, proposal
    return x
