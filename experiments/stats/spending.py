"""Group-sequential bounds: how much of alpha each look may spend, and which statistic spends it.

Lan and DeMets (1983, https://doi.org/10.1093/biomet/70.3.659) for the spending of alpha; the bounds by the
recursive integration of Armitage, McPherson and Rowe (1969, https://doi.org/10.2307/2343787): between looks the
standardised sum is a Brownian motion in information time, and what has not crossed a bound yet is carried on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

# Increments below this are no part of alpha that a double could still take a quantile of.
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
