"""Gain against cost over all budgets."""

from dataclasses import dataclass

import numpy as np

from experiments.send_plan.hull import Numbers
from experiments.uplift.trial import Ints

MOST_POINTS = 200


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
    """Return at most ``MOST_POINTS`` points of a curve: both ends, the chosen one, and others at even costs.

    Args:
        cost: float64[s + 1], after 0, 1, … s steps; rising.
        gain: float64[s + 1].
        sends: int64[s + 1].
        slope: float[s], gain per cost of each step.
        chosen: How many steps the plan takes.
    """
    last = len(cost) - 1
    if last < MOST_POINTS:
        places = np.arange(last + 1)
    else:
        even = np.linspace(float(cost[0]), float(cost[-1]), MOST_POINTS - 3)
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
