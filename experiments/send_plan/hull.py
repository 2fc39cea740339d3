"""The choices of each member that can be best at some price of money, as steps from the cheapest upwards.

A member's options are nobody, at no cost and no gain, and each arm at its cost and gain. At any price of money the best one
lies on the upper hull of these points. A walk along the hull from the cheapest point takes steps whose gain per cost falls,
so that the steps of all members, sorted by gain per cost, solve the relaxed multiple-choice knapsack at every budget at once
(Sinha & Zoltners 1979; Zemel 1980).
Their running sums are the curve of gain against cost over all budgets.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.uplift.trial import Ints

Numbers = npt.NDArray[np.floating[Any]]
Arms = npt.NDArray[np.int8]

ROWS_AT_ONCE = 1 << 15
"""Members whose hulls are walked together: their points stay in the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class HullSteps:
    """The walks of all members; each member's steps stand in the order of the walk.

    Attributes:
        start: int8[n], where each walk starts: 0 nobody, else the arm's position from 1. The cheapest point.
        start_cost: Cost of all starts; not above 0.
        start_gain: Gain of all starts.
        member: int32[s], whose step.
        arm: int8[s], where the step leads: 0 nobody, else the arm's position from 1.
        sends: int8[s], 1 where the step makes a send of none, −1 where none of one, else 0.
        cost: float[s], what it adds to the cost; above 0.
        gain: float[s], what it adds to the gain; above 0.
        slope: float[s], gain per cost; never rising along a walk.
    """

    start: Arms
    start_cost: float
    start_gain: float
    member: npt.NDArray[np.int32]
    arm: Arms
    sends: Arms
    cost: Numbers
    gain: Numbers
    slope: Numbers


def hull_steps(gains: Numbers, costs: Numbers) -> HullSteps:
    """Return the steps of all members along their upper hulls.

    Args:
        gains: float[n, K], net gain of each arm over nobody; float32 or float64.
        costs: float[n, K] or float[K], its cost.
    """
    n, arms = gains.shape
    costs = np.broadcast_to(costs, (n, arms))
    start = np.zeros(n, dtype=np.int8)
    totals = [0.0, 0.0]
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    for first in range(0, n, ROWS_AT_ONCE):
        rows = slice(first, min(first + ROWS_AT_ONCE, n))
        cost, gain = _points(costs[rows]), _points(gains[rows])
        here, cost_here, gain_here = _cheapest(cost, gain)
        start[rows] = here
        totals[0] += float(cost_here.sum(dtype=np.float64))
        totals[1] += float(gain_here.sum(dtype=np.float64))
        parts += _walk(first, cost, gain, (here, cost_here, gain_here))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return HullSteps(start, totals[0], totals[1], *joined)


def _points(values: Numbers) -> Numbers:
    """Return one row per option, nobody first, so that options are compared over long rows."""
    points = np.zeros((values.shape[1] + 1, len(values)), dtype=values.dtype)
    points[1:] = values.T
    return points


def _cheapest(cost: Numbers, gain: Numbers) -> tuple[Arms, Numbers, Numbers]:
    """Return the cheapest option of each member, of equally cheap ones the best, of equal ones the first."""
    here = np.zeros(cost.shape[1], dtype=np.int8)
    cost_here, gain_here = cost[0].copy(), gain[0].copy()
    for option in range(1, len(cost)):
        better = (cost[option] < cost_here) | ((cost[option] == cost_here) & (gain[option] > gain_here))
        np.copyto(here, np.int8(option), where=better)
        np.copyto(cost_here, cost[option], where=better)
        np.copyto(gain_here, gain[option], where=better)
    return here, cost_here, gain_here


def _walk(
    first: int, cost: Numbers, gain: Numbers, start: tuple[Arms, Numbers, Numbers]
) -> Iterator[tuple[npt.NDArray[Any], ...]]:
    """Yield the first step of every member, then the second, and so on."""
    here, cost_here, gain_here = start
    member = np.arange(first, first + cost.shape[1], dtype=np.int32)
    ceiling = np.full(cost.shape[1], np.inf, dtype=gain.dtype)
    # A walk has at most a step per arm; the last round finds nobody left, which also gives empty columns their types.
    for _ in range(len(cost)):
        slope, option = _steepest(cost, gain, cost_here, gain_here)
        going = slope > 0
        if not going.all():
            cost, gain = cost[:, going], gain[:, going]
            member, here, ceiling = member[going], here[going], ceiling[going]
            cost_here, gain_here, slope, option = (
                cost_here[going],
                gain_here[going],
                slope[going],
                option[going],
            )
        # Rounding must not let a later step of a member overtake an earlier one.
        ceiling = np.minimum(slope, ceiling)
        places = np.arange(len(member))
        cost_next, gain_next = cost[option, places], gain[option, places]
        sends = (option > 0).astype(np.int8) - (here > 0).astype(np.int8)
        yield member, option, sends, cost_next - cost_here, gain_next - gain_here, ceiling
        here, cost_here, gain_here = option, cost_next, gain_next
        if not len(member):
            return


def _steepest(cost: Numbers, gain: Numbers, cost_here: Numbers, gain_here: Numbers) -> tuple[Numbers, Arms]:
    """Return the greatest gain per cost of each member's next step, 0 where there is none, and where it leads."""
    best = np.zeros_like(cost_here)
    where = np.zeros(len(cost_here), dtype=np.int8)
    for option in range(len(cost)):
        dearer, more = cost[option] - cost_here, gain[option] - gain_here
        slope = np.zeros_like(best)
        with np.errstate(over="ignore"):
            np.divide(more, dearer, out=slope, where=(dearer > 0) & (more > 0))
        better = slope > best
        np.copyto(best, slope, where=better)
        np.copyto(where, np.int8(option), where=better)
    return best, where


MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a budget buys.

    Attributes:
        cost: Money spent.
        gain: Expected net gain.
        sends: Members who get an arm.
        price: Net gain that the next 1 of budget would bring; 0 at the end.
    """

    cost: float
    gain: float
    sends: int
    price: float


def compressed(
    cost: Numbers, gain: Numbers, sends: Ints, slope: Numbers, chosen: int
) -> tuple[CurvePoint, ...]:
    """Return at most ``MAX_POINTS`` points of a curve: both ends, the chosen one, and others at even costs.

    Args:
        cost: float64[s + 1], after 0, 1, … s steps; rising.
        gain: float64[s + 1].
        sends: int64[s + 1].
        slope: float[s], gain per cost of each step.
        chosen: How many steps the plan takes.

    Returns:
        The points, by rising cost.
    """
    last = len(cost) - 1
    if last < MAX_POINTS:
        places = np.arange(last + 1)
    else:
        even = np.linspace(float(cost[0]), float(cost[-1]), MAX_POINTS - 3)
        places = np.unique([0, chosen, last, *np.searchsorted(cost, even).clip(0, last)])
    return tuple(
        CurvePoint(
            float(cost[place]),
            float(gain[place]),
            int(sends[place]),
            float(slope[place]) if place < last else 0.0,
        )
        for place in places
    )
