import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.stats import (
    RESERVE,
    Alternative,
    GroupSequentialLook,
    PairEstimate,
    SequentialPlan,
    Spending,
    confidence_sequence,
    group_sequential_interval,
    spending_bounds,
)
from tests.experiments.stats.pairs import assert_consistent, pair_of, pairs

PLAN = SequentialPlan.evenly(2_800_000, 28)


def look_at(fraction: float, z: float = 0.0, plan: SequentialPlan = PLAN) -> GroupSequentialLook:
    """Return the look at a share of the plan with an estimate of z standard errors."""
    return group_sequential_interval(pair_of(z, 1.0, units=round(fraction * plan.planned_units)), 0.05, plan)


@cache
def quantile(k: int) -> float:
    """Return the standard errors that the interval of the daily look k reaches."""
    upper = look_at(k / 28).interval.ci_upper
    assert upper is not None
    return upper


def test_bounds_are_those_of_the_spending_function() -> None:
    """A look's interval reaches as many standard errors as its bound at 24/25 of alpha says."""
    looks = [look_at(t) for t in PLAN.looks]

    assert [look.bound for look in looks] == pytest.approx(spending_bounds(PLAN.looks, 0.048), rel=1e-9)
    assert [look.look for look in looks] == list(range(1, 29))
    assert [look.final for look in looks] == [False] * 27 + [True]
    assert looks[-1].alpha_spent == pytest.approx(0.048)
    assert looks[-1].interval.ci_upper == pytest.approx(looks[-1].bound, rel=1e-5)


@given(
    pairs,
    st.sampled_from([0.001, 0.05, 0.2]),
    st.sampled_from(Alternative),
    st.sampled_from(Spending),
    st.floats(0.02, 2.5),
)
@settings(max_examples=150)
def test_p_value_and_intervals_agree(
    pair: PairEstimate, alpha: float, alternative: Alternative, spending: Spending, fraction: float
) -> None:
    """At every look, also beyond the plan, p is below alpha exactly if the intervals exclude zero."""
    plan = SequentialPlan.evenly(math.ceil(pair.units / fraction), 5, spending)

    look = group_sequential_interval(pair, alpha, plan, alternative=alternative)

    assert look.overrun == (look.bound is None)
    if look.interval.p_value is None:
        assert look.bound == math.inf or "no error may be spent" in look.interval.reasons["p_value"]
    else:
        assert_consistent(look.interval)


@pytest.mark.parametrize("alternative", Alternative)
@pytest.mark.parametrize(
    ("fraction", "z"), [(0.5, 2.9), (0.5, -3.3), (1.0, 1.5), (1.0, -2.4), (1.0, 4.5), (2.0, 5.0)]
)
def test_p_value_is_the_smallest_level_that_excludes(
    fraction: float, z: float, alternative: Alternative
) -> None:
    """Taken at the p-value itself, the interval just touches zero."""
    pair = pair_of(z, 1.0, units=round(fraction * PLAN.planned_units))
    settings_of = {"alternative": alternative, "tuned_at": 0.05}
    p_value = group_sequential_interval(pair, 0.05, PLAN, **settings_of).interval.p_value  # type: ignore[arg-type]
    assert p_value is not None
    if p_value == 1.0:
        return

    for factor, excludes in ((1 - 1e-5, False), (1 + 1e-5, True)):
        look = group_sequential_interval(pair, p_value * factor, PLAN, **settings_of)  # type: ignore[arg-type]
        assert look.interval.excludes_zero is excludes


def test_the_p_value_can_be_left_out() -> None:
    """Simulations look often and read the interval only; it is the same without the p-value."""
    pair = pair_of(2.5, 1.0, units=PLAN.planned_units)
    whole = group_sequential_interval(pair, 0.05, PLAN)

    quick = group_sequential_interval(pair, 0.05, PLAN, with_p_value=False)

    assert quick.interval.p_value is None
    assert "p_value" in quick.interval.reasons
    assert (quick.interval.ci_lower, quick.interval.relative_ci_upper, quick.bound) == (
        whole.interval.ci_lower,
        whole.interval.relative_ci_upper,
        whole.bound,
    )


def test_p_values_fall_without_end() -> None:
    """Ever stronger results have ever smaller p-values, beyond what is worth solving for too."""
    values = [look_at(1.0, z).interval.p_value for z in (2.0, 4.0, 7.0, 8.5, 9.0, 12.0, 25.0)]

    assert all(v is not None and v > 0 for v in values)
    assert values == sorted(values, key=lambda v: -(v or 0))
    assert len(set(values)) == len(values)


def test_looks_that_were_made_count_instead_of_planned_ones() -> None:
    """With given past looks, the bound is that of these looks; one at today's size is today's."""
    pair = pair_of(1.0, 1.0, units=1_400_000)

    look = group_sequential_interval(pair, 0.05, PLAN, past_looks=(0.31, 0.1, 0.5))

    assert look.look == 3
    assert look.bound == pytest.approx(spending_bounds((0.1, 0.31, 0.5), 0.048)[-1])


@pytest.mark.parametrize(
    ("fraction", "past", "overrun"),
    [
        (1.0, None, False),
        (1.02, None, False),
        (1 + 1 / 28, None, True),
        (1.06, None, True),
        (1.04, (0.5, 0.98), False),
        (1.04, (0.5, 1.0), True),
        (1.06, (0.5,), True),
        (0.9, (0.5, 1.0), False),
    ],
)
def test_the_plan_is_over_after_its_last_look(
    fraction: float, past: tuple[float, ...] | None, overrun: bool
) -> None:
    """One look at the planned end, a little late at most, is the last of the plan."""
    look = group_sequential_interval(
        pair_of(1.0, 1.0, units=round(fraction * PLAN.planned_units)), 0.05, PLAN, past_looks=past
    )

    assert look.overrun is overrun
    assert look.final == (fraction >= 1 and not overrun)


def test_beyond_the_plan_the_reserve_goes_on() -> None:
    """The interval is the confidence sequence at a 25th of alpha, and the p-value is in terms of all of alpha."""
    pair = pair_of(5.0, 1.0, units=2 * PLAN.planned_units)

    look = group_sequential_interval(pair, 0.05, PLAN)
    sequence = confidence_sequence(pair, 0.05 * RESERVE, PLAN.planned_units)

    assert (look.interval.ci_lower, look.interval.alpha, look.alpha_spent) == (sequence.ci_lower, 0.05, 0.05)
    assert sequence.p_value is not None
    assert look.interval.p_value == pytest.approx(25 * sequence.p_value)


def first_rejections(runs: int, looks: int, seed: int) -> np.ndarray:
    """Return whether each of many experiments without effect is significant at any of the daily looks."""
    random = np.random.default_rng(seed)
    sums = np.cumsum(random.normal(size=(runs, looks)), axis=1)
    statistics = np.abs(sums) / np.sqrt(np.arange(1, looks + 1))
    bounds = np.array([quantile(k) for k in range(1, looks + 1)])
    return np.asarray((statistics > bounds).any(axis=1))


def test_error_is_as_planned() -> None:
    """Of 20,000 experiments without effect and with 28 looks, 4.5 to 5.5 % are ever significant."""
    assert 0.045 <= first_rejections(20_000, 28, seed=5).mean() <= 0.055


def test_error_holds_when_twice_the_traffic_arrives() -> None:
    """When looking goes on to twice the planned size, at most 5 % of 20,000 are ever significant."""
    assert first_rejections(20_000, 56, seed=5).mean() <= 0.05


def test_few_units_use_the_t_distribution() -> None:
    """With few units, the bound is widened as the t distribution is wider than the normal."""
    plan = SequentialPlan(20, (1.0,))
    look = group_sequential_interval(pair_of(0.0, 1.0, units=20), 0.05, plan)

    assert look.bound == pytest.approx(1.9774, abs=1e-3)
    assert look.interval.degrees_of_freedom == pytest.approx(18)
    assert look.interval.ci_upper == pytest.approx(2.1219, abs=1e-3)


def test_nothing_can_be_said_too_early() -> None:
    """At a thousandth of the plan there is no bound, and the reason says why."""
    look = look_at(0.001, 8.0)

    assert look.bound == math.inf
    assert "no error may be spent" in look.interval.reasons["ci_lower"]
    assert (
        look_at(0.001, 8.0, SequentialPlan(2_800_000, (1.0,), Spending.POCOCK)).interval.ci_lower is not None
    )


def test_without_variance_there_is_no_interval() -> None:
    """If nothing varies, there is nothing to judge chance by, within the plan and beyond."""
    for units in (1_000_000, 9_000_000):
        look = group_sequential_interval(pair_of(1.0, 0.0, units=units), 0.05, PLAN)
        assert "the same value" in look.interval.reasons["p_value"]


@pytest.mark.parametrize(
    ("units", "looks", "phi", "expected"),
    [
        (100, (), 1.0, "looks are"),
        (100, (0.5, 0.9), 1.0, "the last must be 1"),
        (100, (0.5, 0.5, 1.0), 1.0, "increasing"),
        (100, (0.0, 1.0), 1.0, "positive"),
        (0, (1.0,), 1.0, "planned_units is 0"),
        (100, (1.0,), 0.0, "phi is 0"),
    ],
)
def test_a_plan_must_be_possible(units: int, looks: tuple[float, ...], phi: float, expected: str) -> None:
    """Looks increase to 1, units and exponent are positive."""
    with pytest.raises(ValueError, match=expected):
        SequentialPlan(units, looks, phi=phi)
