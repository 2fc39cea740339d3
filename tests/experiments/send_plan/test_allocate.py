"""The allocation is the optimum of its program, and keeps every limit."""

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.send_plan.allocate import PlanAllocation, allocate
from experiments.send_plan.problem import PlanLimits
from experiments.send_plan.shadow_prices import best_at
from experiments.uplift.trial import Floats
from tests.experiments.send_plan.programs import relaxed_optimum, whole_optimum

Case = tuple[Floats, Floats, PlanLimits]


@st.composite
def cases(draw: st.DrawFn, *, most: int = 6, counted: bool = False) -> Case:
    """Return few members with gains and costs on a coarse grid, so that ties, zeros and negative numbers are frequent."""
    n, arms = draw(st.integers(1, most)), draw(st.integers(1, 3))
    size = n * arms
    gains = draw(st.lists(st.integers(-4, 8), min_size=size, max_size=size))
    costs = draw(st.lists(st.integers(-1, 6), min_size=size, max_size=size))
    limits = PlanLimits(
        budget=draw(st.sampled_from([0.0, 0.5, 1.0, 2.25, 4.0, 1e6])),
        min_roi=draw(st.sampled_from([None, None, 0.0, 0.5, 2.0])),
        sends=draw(st.integers(0, n)) if counted else None,
        caps={arm: draw(st.integers(0, n)) for arm in range(arms) if counted and draw(st.booleans())},
    )
    return np.array(gains, float).reshape(n, arms) / 4, np.array(costs, float).reshape(n, arms) / 4, limits


def _totals(found: PlanAllocation, gains: Floats, costs: Floats) -> tuple[float, float]:
    sent = np.flatnonzero(found.arm)
    return float(gains[sent, found.arm[sent] - 1].sum()), float(costs[sent, found.arm[sent] - 1].sum())


@given(cases(most=12))
@settings(max_examples=150, deadline=None)
def test_money_alone_gives_the_optimum(case: Case) -> None:
    """The bound is HiGHS's optimum with money alone, and whole sends lose at most the one member who is paid in part."""
    gains, costs, limits = case
    found = allocate(gains, costs, PlanLimits(limits.budget))
    assert found.bound == pytest.approx(relaxed_optimum(gains, costs, PlanLimits(limits.budget)), abs=1e-9)
    assert found.gap <= np.ptp(np.append(gains, 0)) + 1e-9
    if (costs >= 0).all():
        assert found.gap == pytest.approx(found.shadow_price * max(limits.budget - found.cost, 0), abs=1e-9)


@given(st.one_of(cases(), cases(counted=True)))
@settings(max_examples=40, deadline=None)
def test_every_limit_is_kept(case: Case) -> None:
    """Totals are those of the list, no limit is broken, and the gain lies between 0 and the best plan of whole sends."""
    gains, costs, limits = case
    found = allocate(gains, costs, limits, curve=False)
    gain, cost = _totals(found, gains, costs)
    assert (found.gain, found.cost) == pytest.approx((gain, cost), abs=1e-9)
    assert found.sends == np.count_nonzero(found.arm)
    assert cost <= limits.budget + 1e-9
    assert limits.sends is None or found.sends <= limits.sends
    assert all((found.arm == one + 1).sum() <= cap for one, cap in limits.caps.items())
    assert limits.min_roi is None or gain >= limits.min_roi * cost - 1e-6
    assert len(gains) > 4 or gain <= whole_optimum(gains, costs, limits) + 1e-9
    assert found.bound >= relaxed_optimum(gains, costs, limits) - 1e-7


@given(cases(most=10, counted=True).filter(lambda case: case[2].counted))
@settings(max_examples=25, deadline=None)
def test_prices_of_counted_members_are_those_of_the_program(case: Case) -> None:
    """With sends and caps the bound is HiGHS's optimum of the program written out."""
    gains, costs, limits = case
    found = allocate(gains, costs, limits, curve=False)
    assert found.bound == pytest.approx(max(relaxed_optimum(gains, costs, limits), 0), abs=1e-6)


def test_a_plan_done_by_hand() -> None:
    """Member 1 has a cheap and a dear arm, member 2 a poor one: 3 buy the cheap (slope 2) and the step to the dear one (slope 1)."""
    gains, costs = np.array([[2.0, 4.0], [0.3, -1.0]]), np.array([[1.0, 3.0], [1.0, 1.0]])
    found = allocate(gains, costs, PlanLimits(3.0))
    assert found.arm.tolist() == [2, 0]
    assert (found.gain, found.cost, found.sends) == (4.0, 3.0, 1)
    assert found.shadow_price == pytest.approx(0.3)
    assert [(point.cost, point.gain) for point in found.curve] == [
        (0, 0),
        (1, 2),
        (3, 4),
        (4, pytest.approx(4.3)),
    ]
    part = allocate(gains, costs, PlanLimits(2.0))
    assert part.arm.tolist() == [1, 0]
    assert (part.gain, part.bound, part.shadow_price) == (2.0, 3.0, 1.0)


def test_money_that_covers_everything_is_not_missed_by_rounding() -> None:
    """64,000 sends at 0.1 cost 6,400 to a marketer, though the sum of the floats is a little more."""
    found = allocate(np.ones((64_000, 1)), np.array([0.1]), PlanLimits(6_400.0))
    assert found.sends == 64_000
    assert found.shadow_price == 0


def test_a_minimum_return_stops_before_the_money_is_spent() -> None:
    """Sends of net gain 3, 1, 0.2 at cost 1 return 3, 2 and 1.4 per 1 spent; at least 1.5 allows two of them."""
    found = allocate(np.array([[3.0], [1.0], [0.2]]), np.array([1.0]), PlanLimits(10.0, min_roi=1.5))
    assert found.sends == 2
    assert found.gain / found.cost == 2


def test_arms_that_cost_nothing_or_save_money() -> None:
    """Without money the arms that cost nothing are sent, and what a saving arm frees pays for another member."""
    gains = np.array([[1.0], [2.0], [5.0]])
    assert allocate(gains, np.array([[0.0], [1.0], [1.0]]), PlanLimits(0.0)).arm.tolist() == [1, 0, 0]
    assert allocate(gains, np.array([[-1.0], [1.0], [1.0]]), PlanLimits(0.0)).arm.tolist() == [1, 0, 1]


def test_nothing_is_sent_where_nothing_gains() -> None:
    """Arms that lose money are sent to nobody, however much money there is."""
    found = allocate(np.full((5, 2), -0.1), np.full((5, 2), 1.0), PlanLimits(100.0))
    assert (found.sends, found.cost, found.gain, found.shadow_price) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "limits",
    [
        PlanLimits(1_000.0, caps={0: 1_500}),
        PlanLimits(750.0, sends=4_000, caps={0: 1_500, 1: 2_000}, min_roi=1.0),
    ],
    ids=["cap", "everything"],
)
@pytest.mark.parametrize("alike", [False, True], ids=["all differ", "six kinds"])
def test_many_members_are_counted_to_a_small_gap(limits: PlanLimits, *, alike: bool) -> None:
    """10,000 members, whether all differ or are of few kinds, are allocated to within 3 in 10,000 of the bound."""
    random = np.random.default_rng(3)
    shape = (10_000, 2)
    gains = random.choice([0.1, 0.2, 0.3], size=shape) if alike else random.normal(0.2, 0.5, shape)
    costs = np.array([0.2, 0.4]) if alike else random.uniform(0.05, 0.5, shape)
    found = allocate(gains, costs, limits, curve=False)
    assert found.gap <= 3e-4 * found.bound
    assert found.cost <= limits.budget * (1 + 1e-9)
    assert limits.sends is None or found.sends <= limits.sends
    assert all((found.arm == one + 1).sum() <= cap for one, cap in limits.caps.items())
    held = best_at(found.prices, gains, costs, limits.min_roi or 0.0)
    assert alike or (held == found.arm).mean() > 0.999


def test_the_curve_is_concave_and_holds_the_plan() -> None:
    """Over all budgets gain rises ever more slowly, from nothing to everything worth sending; the plan is one of its points."""
    random = np.random.default_rng(5)
    gains, costs = random.normal(0.2, 1, (30_000, 3)), random.uniform(0.05, 1, (30_000, 3))
    found = allocate(gains, costs, PlanLimits(1_000.0))
    cost, gain = (np.array([getattr(point, name) for point in found.curve]) for name in ("cost", "gain"))
    slopes = np.diff(gain) / np.diff(cost)
    assert len(found.curve) <= 200
    assert (np.diff(slopes) <= 1e-9 * slopes[:-1]).all()
    assert (cost[0], gain[0]) == (0, 0)
    assert gain[-1] == pytest.approx(np.maximum(gains.max(axis=1), 0).sum())
    assert any(point.cost == pytest.approx(found.cost) for point in found.curve)
    assert all(first.price >= second.price for first, second in pairwise(found.curve))


def test_the_curve_is_drawn_from_a_sample_where_members_are_counted() -> None:
    """With a limit on sends the curve holds the plan, rises with money, and ends where money buys nothing more."""
    random = np.random.default_rng(5)
    gains, costs = random.normal(0.2, 1, (4_000, 2)), random.uniform(0.05, 1, (4_000, 2))
    found = allocate(gains, costs, PlanLimits(200.0, sends=800))
    assert found.curve_members == 1_500
    assert any((point.cost, point.gain) == (found.cost, found.gain) for point in found.curve)
    assert found.curve[0].gain == 0
    best = np.sort(gains.max(axis=1))[-800:].sum()
    assert found.curve[-1].gain == pytest.approx(best, rel=0.1)


def test_single_precision_loses_nothing_that_matters() -> None:
    """With float32 the plan earns what it earns with float64, to a relative 1e-6."""
    random = np.random.default_rng(6)
    gains, costs = random.normal(0.2, 1, (50_000, 4)), random.uniform(0.05, 1, (50_000, 4))
    double = allocate(gains, costs, PlanLimits(3_000.0))
    single = allocate(gains.astype(np.float32), costs.astype(np.float32), PlanLimits(3_000.0))
    assert single.gain == pytest.approx(double.gain, rel=1e-6)


def test_64_000_members_are_allocated_at_once() -> None:
    """Two arms for 64,000 members take less than 0.2 s, the best of three."""
    random = np.random.default_rng(7)
    gains, costs = random.normal(0.5, 1, (64_000, 2)), random.uniform(0.05, 1, (64_000, 2))
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        allocate(gains, costs, PlanLimits(6_400.0))
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) < 0.2


@pytest.mark.parametrize(
    ("gains", "costs", "limits", "words"),
    [
        (np.array([[np.nan]]), np.array([1.0]), {}, "missing or infinite"),
        (np.array([[1.0]]), np.array([np.inf]), {}, "missing or infinite"),
        (np.array([1.0]), np.array([1.0]), {}, "a row per member"),
        (np.zeros((0, 2)), np.zeros((0, 2)), {}, "no members"),
        (np.ones((3, 2)), np.ones((2, 2)), {}, "one cost per arm"),
        (np.ones((3, 2)), np.ones(2), {"caps": {2: 5}}, "beyond the 2 arms"),
        (np.ones((3, 2)), np.ones(2), {"budget": -1.0}, "at least 0"),
        (np.ones((3, 2)), np.ones(2), {"budget": float("nan")}, "at least 0"),
        (np.ones((3, 2)), np.ones(2), {"sends": -1}, "at least 0"),
        (np.ones((3, 2)), np.ones(2), {"caps": {0: -1}}, "at least 0"),
        (np.ones((3, 2)), np.ones(2), {"min_roi": -0.5}, "at least 0"),
    ],
)
def test_what_cannot_be_allocated_is_refused(
    gains: Floats, costs: Floats, limits: dict[str, object], words: str
) -> None:
    """Numbers that are missing, shapes that do not fit and limits below zero are refused with a sentence."""
    with pytest.raises(AnalysisError, match=words):
        allocate(gains, costs, PlanLimits(**limits))  # type: ignore[arg-type]
