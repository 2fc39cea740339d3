"""Who gets which arm within a budget: the multiple-choice knapsack, solved for every budget at once."""

from dataclasses import dataclass

import numpy as np

from experiments.errors import AnalysisError
from experiments.send_plan.hull import CurvePoint, HullSteps, Numbers, compressed, hull_steps
from experiments.send_plan.problem import PlanLimits
from experiments.send_plan.shadow_prices import ShadowPrices, priced_allocation, sampled_curve
from experiments.uplift.trial import Ints

TOLERANCE = 1e-9
"""Relative error of a sum of many costs: a budget that covers everything must not miss it by rounding."""

_MAX_ARMS = 127


@dataclass(frozen=True, slots=True, eq=False)
class PlanAllocation:
    """Who gets what, and what the budget is worth.

    Attributes:
        arm: int64[n], 0 for nobody, else the arm's position from 1 in the order of the gains' columns.
        cost: Expected cost of all sends; never above the budget, up to a relative ``TOLERANCE``.
        gain: Expected net gain of all sends.
        sends: Members who get an arm.
        bound: The most that any plan within the limits can gain, sends of fractions included.
        prices: What each limit costs the plan at its margin.
        curve: Gain, cost and sends at every budget; at most ``curve.MAX_POINTS``.
        curve_members: How many members the curve was computed from: all of them, or a sample where members are counted.
    """

    arm: Ints
    cost: float
    gain: float
    sends: int
    bound: float
    prices: ShadowPrices
    curve: tuple[CurvePoint, ...]
    curve_members: int

    @property
    def shadow_price(self) -> float:
        """Net gain that the last 1 of budget brings; 0 if money is left."""
        return self.prices.money

    @property
    def gap(self) -> float:
        """What whole sends and an inexact search lose at most of the bound."""
        return max(self.bound - self.gain, 0.0)


def allocate(gains: Numbers, costs: Numbers, limits: PlanLimits, *, curve: bool = True) -> PlanAllocation:
    """Give each member the arm, or nothing, that brings the most net gain within the limits.

    With money alone, or money and a minimum return, the answer is exact: sorted steps of upper hulls, cut where the budget ends; the
    one member whom the budget covers in part stays where it covers the member. A minimum return cuts the same row of steps, because
    gain per cost falls along it. Where members are counted (sends, caps) the limits are priced (``prices``), to the
    stated gap.

    Args:
        gains: float[n, K], expected net gain of each arm over nobody, after its cost; float32 or float64.
        costs: float[n, K], or float[K] where each member costs the same; expected cost, of any sign.
        limits: What the plan may use.
        curve: Whether the other budgets are wanted too, which takes twenty programs where members are counted; else the curve is
            the plan's own point there.

    Returns:
        Who gets which arm, its cost and gain, the shadow prices and, if asked for, the budget curve.

    Raises:
        AnalysisError: Shapes do not fit, or a number is missing or infinite.
    """
    gains, costs = np.asarray(gains), np.asarray(costs)
    _check(gains, costs, limits)
    if limits.counted:
        return _counted(gains, costs, limits, curve=curve)
    return _of_money(hull_steps(gains, costs), limits)


def _check(gains: Numbers, costs: Numbers, limits: PlanLimits) -> None:
    if gains.ndim != 2 or not 1 <= gains.shape[1] <= _MAX_ARMS:
        raise AnalysisError(
            f"Gains have the shape {gains.shape}; a row per member, a column for each of 1 to {_MAX_ARMS} arms, is needed."
        )
    if not len(gains):
        raise AnalysisError("There are no members to plan for; give at least one.")
    if costs.shape not in {gains.shape, gains.shape[1:]}:
        raise AnalysisError(
            f"Costs have the shape {costs.shape}; the gains' {gains.shape} is needed, or one cost per arm."
        )
    for name, values in (("gains", gains), ("costs", costs)):
        if not np.isfinite(values).all():
            raise AnalysisError(f"The {name} hold a missing or infinite number; every one must be known.")
    if any(not 0 <= arm < gains.shape[1] for arm in limits.caps):
        raise AnalysisError(f"A cap names an arm beyond the {gains.shape[1]} arms that can be sent.")


def _of_money(steps: HullSteps, limits: PlanLimits) -> PlanAllocation:
    order = np.argsort(-steps.slope, kind="stable")
    cost = _running(steps.start_cost, steps.cost, order)
    gain = _running(steps.start_gain, steps.gain, order)
    sends = int(np.count_nonzero(steps.start)) + np.concatenate(
        ([0], np.cumsum(steps.sends[order], dtype=np.int64))
    )
    taken = int(np.searchsorted(cost, limits.budget * (1 + TOLERANCE), side="right")) - 1
    paid = taken if limits.min_roi is None else min(taken, _paying(cost, gain, limits.min_roi))
    arm = steps.start.astype(np.int64)
    # Of several steps of a member the last one counts, and they stand in the member's order.
    arm[steps.member[order[:paid]]] = steps.arm[order[:paid]]
    if gain[paid] < 0 or (
        limits.min_roi is not None and gain[paid] < limits.min_roi * cost[paid] - _rounding(gain)
    ):
        # Arms that save money at a loss help only if what they save buys something whole.
        arm[:], chosen = 0, (0.0, 0.0, 0)
    else:
        chosen = float(cost[paid]), float(gain[paid]), int(sends[paid])
    binding = paid == taken < len(order)
    price = float(steps.slope[order[taken]]) if binding else 0.0
    left = limits.budget - float(cost[taken]) if binding else 0.0
    bound = float(gain[paid]) + price * max(left, 0.0) if paid == taken else float(gain[paid + 1])
    return PlanAllocation(
        arm=arm,
        cost=chosen[0],
        gain=chosen[1],
        sends=chosen[2],
        bound=bound,
        prices=ShadowPrices(money=price),
        curve=compressed(cost, gain, sends, steps.slope[order], paid),
        curve_members=len(arm),
    )


def _rounding(gain: Numbers) -> float:
    return TOLERANCE * float(np.abs(gain).max())


def _running(start: float, added: Numbers, order: Ints) -> Numbers:
    return start + np.concatenate(([0.0], np.cumsum(added[order], dtype=np.float64)))


def _paying(cost: Numbers, gain: Numbers, min_roi: float) -> int:
    """Return how many steps can be taken before the whole returns less than it must; concave, so the last such one."""
    surplus = gain - min_roi * cost
    enough = np.flatnonzero(surplus >= -_rounding(gain))
    return int(enough[-1]) if len(enough) else 0


def _counted(gains: Numbers, costs: Numbers, limits: PlanLimits, *, curve: bool) -> PlanAllocation:
    costs = np.broadcast_to(costs, gains.shape)
    arm, prices, bound = priced_allocation(gains, costs, limits)
    rows = np.flatnonzero(arm)
    cost = float(costs[rows, arm[rows] - 1].sum(dtype=np.float64))
    gain = float(gains[rows, arm[rows] - 1].sum(dtype=np.float64))
    here = CurvePoint(cost, gain, len(rows), prices.money)
    points, members = sampled_curve(gains, costs, limits, here) if curve else ((here,), len(arm))
    return PlanAllocation(arm, cost, gain, len(rows), max(bound, gain), prices, points, members)
