"""Allocation with limits on counts: shadow prices of money, sends and arms at which everybody's own best choice keeps the limits.

The linear program couples members by a handful of limits only. Its dual has one price per limit: at given prices each member
takes the arm that is worth most after paying them, and the sum of what everybody keeps, plus the limits at their prices, is
a bound that no plan within the limits exceeds. Prices are first found on an eighth of the members, and so on down to a few
thousand for whom the whole program is solved. Then all members are held to their choices at these prices, except the few thousand who
are least sure of it (the core of Balas & Zemel 1980); the program of the few is solved with what is left of the limits,
and gives the next prices. The bound is computed over all members, so the stated gap holds however the prices were found.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, hstack, vstack

from experiments.send_plan.hull import CurvePoint, Numbers
from experiments.send_plan.problem import PlanLimits
from experiments.uplift.trial import Bools, Floats, Ints

CORE = 3_000
"""Members whose program is solved as a whole."""

CLOSE = 1e-6
"""The search ends when the plan is within this relative distance of the bound."""

_ROUNDS = 8
_CURVE_BUDGETS = 20
_CURVE_MEMBERS = 1_500
_SEED = 20_240_229
# Members who are alike are told apart by this much of their gain, or a price would move thousands of them at once.
_TELLING_APART = 1e-5
_NOTHING = 1e-6
_ROWS_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True)
class ShadowPrices:
    """What the limits cost at the margin, in net gain.

    Attributes:
        money: The last 1 of budget.
        sends: The last send.
        arms: The last send of a capped arm, by its position from 0.
        returns: The minimum return, per 1 of net gain that the plan may fall short of it.
    """

    money: float = 0.0
    sends: float = 0.0
    arms: dict[int, float] = field(default_factory=dict)
    returns: float = 0.0

    def worth(self, gains: Numbers, costs: Numbers, min_roi: float) -> Numbers:
        """Return float[n, K], what each arm is worth to each member after the prices.

        Args:
            gains: float[n, K], net gain of each arm.
            costs: float[n, K], money per send.
            min_roi: The minimum return per 1 spent.

        Returns:
            float[n, K]; below zero where nothing is better.
        """
        fee = np.array(
            [self.sends + self.arms.get(arm, 0.0) for arm in range(gains.shape[1])], dtype=gains.dtype
        )
        rate = gains.dtype.type(self.money + self.returns * min_roi)
        return gains * gains.dtype.type(1 + self.returns) - costs * rate - fee


@dataclass(frozen=True, slots=True, eq=False)
class PricedPlan:
    """A plan with its prices.

    Attributes:
        arm: int64[n], 0 for nobody, else the arm's position from 1; may break limits a little while the search goes on.
        prices: Of the limits.
        inside: Whether the prices lie inside the range in which they were sought, so that there are no better ones.
    """

    arm: Ints
    prices: ShadowPrices
    inside: bool


@dataclass(frozen=True, slots=True, eq=False)
class PriceRange:
    """Where prices are sought: so near to given ones that members who are held to their choices would not change them.

    Attributes:
        prices: The given ones.
        width: By how much the choices of those who are held beat their second best ones.
        left: What those leave of each limit; may be less than nothing.
    """

    prices: ShadowPrices
    width: float
    left: Floats


def best_at(prices: ShadowPrices, gains: Numbers, costs: Numbers, min_roi: float = 0.0) -> Ints:
    """Return each member's own best arm at the prices: 0 for nobody, else the arm's position from 1; int64[n].

    Args:
        prices: Of the limits.
        gains: float[n, K], net gain of each arm.
        costs: float[n, K], or what broadcasts to it.
        min_roi: The minimum return per 1 spent.

    Returns:
        int64[n]: 0 for nobody, else the arm's position from 1.
    """
    worth = prices.worth(gains, np.broadcast_to(costs, gains.shape), min_roi)
    best = worth.argmax(axis=1)
    return np.where(worth[np.arange(len(worth)), best] > 0, best + 1, 0).astype(np.int64)


def priced_allocation(gains: Numbers, costs: Numbers, limits: PlanLimits) -> tuple[Ints, ShadowPrices, float]:
    """Return who gets what, the prices, and the bound.

    Args:
        gains: float[n, K].
        costs: float[n, K].
        limits: Any of them.

    Returns:
        Each member's arm, int64[n], 0 for nobody; the shadow prices; and an upper bound on the gain of any plan within the limits.
    """
    random = np.random.default_rng(_SEED)
    shaken = gains
    if len(gains) > CORE:
        noise = 1 + _TELLING_APART * random.random(gains.shape, dtype=np.float32)
        shaken = gains * noise.astype(gains.dtype)
    best: tuple[float, Ints, ShadowPrices] | None = None
    bound = np.inf
    for found in _searched(shaken, costs, limits, random):
        arm = _kept(found.arm, gains, costs, limits, found.prices)
        bound = min(bound, _bound(gains, costs, limits, found.prices))
        gain = float(_picked(gains, arm).sum())
        if best is None or gain > best[0]:
            best = gain, arm, found.prices
        if bound - best[0] <= CLOSE * abs(bound):
            break
    assert best is not None
    return best[1], best[2], bound


def sampled_curve(
    gains: Numbers, costs: Numbers, limits: PlanLimits, here: CurvePoint
) -> tuple[tuple[CurvePoint, ...], int]:
    """Return the curve over budgets with all other limits, and how many members it was computed from.

    Args:
        gains: float[n, K].
        costs: float[n, K].
        limits: All limits; the budget is varied.
        here: The plan's own point, which is exact.

    Returns:
        The points by rising cost, and the number of members.
    """
    n = len(gains)
    rows = np.random.default_rng(_SEED).choice(n, size=min(n, _CURVE_MEMBERS), replace=False)
    part = len(rows) / n
    whole = float(np.maximum(costs[rows], 0).max(axis=1).sum(dtype=np.float64))
    points = [here]
    for budget in np.linspace(0, whole, _CURVE_BUDGETS):
        tried = PlanLimits(float(budget), None, {}, limits.min_roi)
        counts = limits.share(part)
        tried = PlanLimits(tried.budget, counts.sends, counts.caps, limits.min_roi)
        arm, prices, _ = priced_allocation(gains[rows], costs[rows], tried)
        cost, gain = (
            float(_picked(costs[rows], arm).sum()) / part,
            float(_picked(gains[rows], arm).sum()) / part,
        )
        points.append(CurvePoint(cost, gain, round(np.count_nonzero(arm) / part), prices.money))
    return tuple(sorted(set(points), key=lambda point: (point.cost, point.gain))), len(rows)


def _searched(
    gains: Numbers, costs: Numbers, limits: PlanLimits, random: np.random.Generator
) -> Iterator[PricedPlan]:
    """Yield better and better plans and prices; the first prices are those of a part of the members."""
    if len(gains) <= CORE:
        yield _solved(gains.astype(np.float64), costs.astype(np.float64), limits, None)
        return
    size = max(CORE, len(gains) // 8)
    rows = np.sort(random.choice(len(gains), size=size, replace=False))
    part = limits.share(size / len(gains))
    *_, found = _searched(gains[rows], costs[rows], part, random)
    prices = found.prices
    for _ in range(_ROUNDS):
        found = _improved(gains, costs, limits, prices)
        yield found
        prices = found.prices
        if found.inside:
            return


def _improved(gains: Numbers, costs: Numbers, limits: PlanLimits, prices: ShadowPrices) -> PricedPlan:
    """Hold the sure members to their choice, and solve the program of the unsure ones with what is left."""
    arm, margin = _choices(gains, costs, limits, prices)
    size = max(CORE, round(4 * np.sqrt(len(gains))))
    core = np.argpartition(margin, size)[:size]
    width = float(margin[core].max())
    held = arm.copy()
    held[core] = 0
    left = _bounds(limits) - _used(gains, costs, limits, held)
    near = PriceRange(prices, width, left)
    found = _solved(gains[core].astype(np.float64), costs[core].astype(np.float64), limits, near)
    held[core] = found.arm
    return PricedPlan(held, found.prices, found.inside)


def _choices(gains: Numbers, costs: Numbers, limits: PlanLimits, prices: ShadowPrices) -> tuple[Ints, Floats]:
    """Return each member's best arm at the prices, and by how much it beats the second best choice."""
    arm = np.empty(len(gains), dtype=np.int64)
    margin = np.empty(len(gains))
    for rows in _slices(len(gains)):
        worth = prices.worth(gains[rows], costs[rows], limits.min_roi or 0.0)
        options = np.concatenate((np.zeros((len(worth), 1), dtype=worth.dtype), worth), axis=1)
        arm[rows] = options.argmax(axis=1)
        two = np.partition(options, options.shape[1] - 2, axis=1)[:, -2:]
        margin[rows] = two[:, 1] - two[:, 0]
    return arm, margin


def _bound(gains: Numbers, costs: Numbers, limits: PlanLimits, prices: ShadowPrices) -> float:
    kept = 0.0
    for rows in _slices(len(gains)):
        worth = prices.worth(gains[rows], costs[rows], limits.min_roi or 0.0)
        kept += float(np.maximum(worth.max(axis=1), 0).sum(dtype=np.float64))
    bounds = _bounds(limits)
    return kept + float(_as_row(prices, limits)[np.isfinite(bounds)] @ bounds[np.isfinite(bounds)])


def _bounds(limits: PlanLimits) -> Floats:
    """Return the limits in the order of the program's rows: money, return, sends, caps."""
    sends = np.inf if limits.sends is None else limits.sends
    returns = np.inf if limits.min_roi is None else 0.0
    return np.array([limits.budget, returns, sends, *(limits.caps[arm] for arm in sorted(limits.caps))])


def _as_row(prices: ShadowPrices, limits: PlanLimits) -> Floats:
    arms = [prices.arms.get(arm, 0.0) for arm in sorted(limits.caps)]
    return np.array([prices.money, prices.returns, prices.sends, *arms])


def _usage(gains: Floats, costs: Floats, arm: Ints, limits: PlanLimits) -> Floats:
    """Return float64[limits, s], what single sends use of each limit: of ``arm`` (from 1) at a gain and a cost."""
    short = (limits.min_roi or 0.0) * costs - gains
    return np.array(
        [costs, short, np.ones(len(arm)), *((arm == one + 1).astype(float) for one in sorted(limits.caps))]
    )


def _picked(values: Numbers, arm: Ints) -> Floats:
    rows = np.flatnonzero(arm)
    return _picked_at(values, rows, arm)


def _used(gains: Numbers, costs: Numbers, limits: PlanLimits, arm: Ints) -> Floats:
    usage = _usage(_picked(gains, arm), _picked(costs, arm), arm[arm > 0], limits)
    return np.asarray(usage.sum(axis=1), dtype=np.float64)


def _solved(gains: Floats, costs: Floats, limits: PlanLimits, near: PriceRange | None) -> PricedPlan:
    """Solve the program of some members; who is sent fractions, one member per limit at most, gets the greatest of them.

    Prices that stay near given ones are the dual of limits that bend: using more than is left costs the highest price, using less
    earns the lowest (Marsten, Hogan & Blankenship 1975).
    """
    left = _bounds(limits) if near is None else near.left
    bound = np.isfinite(left)
    member, column = np.nonzero(
        np.ones(gains.shape) if near is None else _tempting(gains, costs, limits, near)
    )
    gain, cost = gains[member, column], costs[member, column]
    usage = _usage(gain, cost, column + 1, limits)[bound]
    size = np.abs(usage).mean(axis=1).clip(1e-300)
    unit = float(np.abs(gain).mean()) or 1.0
    n, sends, rows = len(gains), len(gain), int(bound.sum())
    once = coo_array((np.ones(sends), (member, np.arange(sends))), shape=(n, sends))
    matrix, objective = vstack([once, csr_array(usage / size[:, None])]), -gain / unit
    if near is not None:
        given = _as_row(near.prices, limits)[bound] * size / unit
        reach = near.width / unit / rows
        lowest, highest = np.maximum(given - reach, 0), given + reach
        bend = vstack([csr_array((n, rows)), csr_array(np.eye(rows))])
        matrix = hstack([matrix, -bend, bend])
        objective = np.concatenate((objective, highest, -lowest))
    found = linprog(
        objective,
        A_ub=matrix.tocsr(),
        b_ub=np.concatenate((np.ones(n), left[bound] / size)),
        bounds=(0, None),
        method="highs",
    )
    taken = np.zeros(gains.shape)
    taken[member, column] = found.x[:sends]
    most = taken.argmax(axis=1)
    arm = np.where(taken[np.arange(n), most] > _NOTHING, most + 1, 0)
    scaled = np.maximum(-found.ineqlin.marginals[n:], 0)
    inside = near is None or bool(
        ((scaled < highest - _NOTHING * reach) & ((scaled > lowest + _NOTHING * reach) | (lowest == 0))).all()
    )
    row = np.zeros(len(left))
    row[bound] = scaled * unit / size
    capped = {one: float(price) for one, price in zip(sorted(limits.caps), row[3:], strict=True)}
    return PricedPlan(arm, ShadowPrices(float(row[0]), float(row[2]), capped, float(row[1])), inside)


def _tempting(gains: Floats, costs: Floats, limits: PlanLimits, near: PriceRange) -> Bools:
    """Return which sends can be somebody's best choice at prices near the given ones."""
    worth = near.prices.worth(gains, costs, limits.min_roi or 0.0)
    tempting: Bools = worth >= np.maximum(worth.max(axis=1), 0)[:, None] - 2 * near.width
    return tempting


def _kept(arm: Ints, gains: Numbers, costs: Numbers, limits: PlanLimits, prices: ShadowPrices) -> Ints:
    """Leave out those worth least at the prices, fractions first, until every limit is kept."""
    rows = np.flatnonzero(arm)
    worth = prices.worth(gains[rows], costs[rows], limits.min_roi or 0.0)
    order = rows[np.argsort(-worth[np.arange(len(rows)), arm[rows] - 1], kind="stable")]
    usage = _usage(_picked_at(gains, order, arm), _picked_at(costs, order, arm), arm[order], limits)
    bounds = _bounds(limits)[:, None]
    running = np.cumsum(usage, axis=1)
    keeps = (running <= bounds + 1e-9 * np.maximum(np.abs(running), np.abs(usage).sum(axis=1)[:, None])).all(
        axis=0
    )
    kept = int(np.flatnonzero(keeps)[-1]) + 1 if keeps.any() else 0
    chosen = np.zeros_like(arm)
    chosen[order[:kept]] = arm[order[:kept]]
    return chosen


def _picked_at(values: Numbers, rows: Ints, arm: Ints) -> Floats:
    picked: Floats = values[rows, arm[rows] - 1].astype(np.float64)
    return picked


def _slices(n: int) -> Iterator[slice]:
    for first in range(0, n, _ROWS_AT_ONCE):
        yield slice(first, min(first + _ROWS_AT_ONCE, n))
