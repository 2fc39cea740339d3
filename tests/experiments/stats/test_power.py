"""Units, effects, power and days of planned experiments."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.stats import (
    Alternative,
    MetricShape,
    Moments,
    NonInferiorityMargin,
    PairEstimate,
    Quantity,
    confidence_sequence,
    fixed_effect,
    non_inferiority,
)
from experiments.stats.group_sequential import Spending, spending_bounds
from experiments.stats.power import (
    NO_EFFECT,
    Baseline,
    PowerMethod,
    PowerPlan,
    TargetEffect,
    achieved_power,
    baseline_of,
    expected_days,
    minimal_detectable_effect,
    required_units,
)

STANDARD = Baseline(0.0, 1.0)
GREATER = Alternative.GREATER


@pytest.mark.parametrize(
    ("effect", "plan", "per_arm"),
    [
        (0.5, PowerPlan(), 63.76561058891169),
        (0.2, PowerPlan(), 393.4056930002526),
        (0.2, PowerPlan(power=0.9, alpha=0.01), 745.6299677192545),
        (0.5, PowerPlan(alternative=GREATER), 50.15078338685744),
        (0.5, PowerPlan(power=0.95), 104.92794303092515),
        (0.05, PowerPlan(), 6280.048916291407),
    ],
)
def test_units_agree_with_statsmodels(effect: float, plan: PowerPlan, per_arm: float) -> None:
    """Both arms together need twice what TTestIndPower().solve_power of statsmodels 0.15 gives, rounded up."""
    assert required_units(STANDARD, TargetEffect(effect), plan) == math.ceil(2 * per_arm)


@pytest.mark.parametrize(
    ("effect", "units", "plan", "power"),
    [
        (0.5, 40, PowerPlan(), 0.3379390289250411),
        (0.5, 128, PowerPlan(), 0.8014595579222542),
        (0.3, 200, PowerPlan(), 0.5600592535808472),
        (0.3, 200, PowerPlan(alternative=GREATER), 0.6805403749895089),
        (-0.3, 200, PowerPlan(alternative=Alternative.LESS), 0.6805403749895089),
    ],
)
def test_power_agrees_with_statsmodels(effect: float, units: int, plan: PowerPlan, power: float) -> None:
    """With equal arms the power is TTestIndPower().power of statsmodels 0.15."""
    assert achieved_power(STANDARD, TargetEffect(effect), units, plan) == pytest.approx(power, rel=1e-9)


def test_unequal_arms_agree_with_statsmodels() -> None:
    """With large unequal arms and Bonferroni over four, it is NormalIndPower().power of statsmodels 0.15."""
    plan = PowerPlan(control_share=0.1, treatment_share=0.9, comparisons=4)

    power = achieved_power(Baseline(3.0, 4.0), TargetEffect(0.1), 20_000, plan)

    assert power == pytest.approx(0.35325574303656804, abs=2e-3)


def test_cohens_table() -> None:
    """Cohen (1988, table 2.4.1): 26 units an arm for d = 0.8, 64 for 0.5, 393 for 0.2, at 80 % and 5 %."""
    found = [minimal_detectable_effect(STANDARD, 2 * n).size for n in (26, 64, 393)]

    assert found == pytest.approx([0.8, 0.5, 0.2], abs=0.01)


def test_smallest_effect_agrees_with_statsmodels() -> None:
    """TTestIndPower().power(0.5658822437, 50) and NormalIndPower().solve_power for 50,000 of statsmodels 0.15."""
    assert minimal_detectable_effect(STANDARD, 100).size == pytest.approx(0.5658822437, rel=1e-8)
    assert minimal_detectable_effect(STANDARD, 100_000).size == pytest.approx(0.01771870593925194, rel=1e-4)


def test_conversion_rule_of_thumb() -> None:
    """For 10 % conversion and a lift of 5 %, about 16 p (1 - p) / d^2 per arm (van Belle's rule, 2 % rounding)."""
    plan = PowerPlan()

    units = required_units(Baseline(0.1, 0.09), TargetEffect(0.05, relative=True), plan)

    assert units == pytest.approx(2 * 15.7 * 0.09 / 0.005**2, rel=0.01)


def test_more_arms_need_more_units() -> None:
    """With a third of the units in each arm, the experiment needs half as many again."""
    thirds = PowerPlan(control_share=1 / 3, treatment_share=1 / 3)

    assert required_units(STANDARD, TargetEffect(0.02), thirds) == pytest.approx(
        1.5 * required_units(STANDARD, TargetEffect(0.02)), abs=3
    )


def test_comparisons_share_alpha() -> None:
    """Five comparisons are planned at a fifth of alpha, the first step of Holm."""
    five, alone = PowerPlan(comparisons=5), PowerPlan(alpha=0.01)

    assert required_units(STANDARD, TargetEffect(0.1), five) == required_units(
        STANDARD, TargetEffect(0.1), alone
    )


@pytest.mark.parametrize(("looks", "inflation"), [(2, 1.008), (5, 1.028)])
def test_group_sequential_inflation(looks: int, inflation: float) -> None:
    """Jennison and Turnbull (2000, table 2.9), O'Brien and Fleming, 80 % power: the factor over the fixed test.

    Theirs is the constant boundary; the spending function of the same name comes within 0.01. It is planned at the
    alpha of which the plan may spend 5 %.
    """
    fractions = tuple((k + 1) / looks for k in range(looks))
    plan = PowerPlan(alpha=0.05 * 25 / 24, method=PowerMethod.GROUP_SEQUENTIAL, looks=fractions)

    units = required_units(STANDARD, TargetEffect(0.01), plan)

    fixed = required_units(STANDARD, TargetEffect(0.01))
    assert units / fixed == pytest.approx(inflation, abs=0.01)


@pytest.mark.parametrize("spending", list(Spending))
def test_group_sequential_power_agrees_with_the_bivariate_normal(spending: Spending) -> None:
    """With two looks, not to reject is a rectangle of a bivariate normal with correlation sqrt(t)."""
    from scipy import stats

    plan = PowerPlan(method=PowerMethod.GROUP_SEQUENTIAL, looks=(0.4, 1.0), spending=spending)
    first, second = spending_bounds((0.4, 1.0), 0.05 * 24 / 25, spending=spending, phi=plan.phi)
    drift = 0.06 * math.sqrt(8_000 / 4)
    root = math.sqrt(0.4)
    quiet = stats.multivariate_normal([drift * root, drift], [[1, root], [root, 1]])

    missed = quiet.cdf([first, second], lower_limit=[-first, -second])

    power = achieved_power(STANDARD, TargetEffect(0.06), 8_000, plan)
    assert power == pytest.approx(1 - float(missed), abs=1e-5)


METHODS: list[dict[str, Any]] = [
    {"method": PowerMethod.FIXED},
    {"method": PowerMethod.GROUP_SEQUENTIAL},
    {"method": PowerMethod.GROUP_SEQUENTIAL, "alternative": GREATER, "spending": Spending.POCOCK},
    {"method": PowerMethod.ALWAYS_VALID},
    {"method": PowerMethod.ALWAYS_VALID, "alternative": Alternative.LESS, "comparisons": 3},
    {"method": PowerMethod.ALWAYS_VALID, "tuned_units": 5_000, "control_share": 0.2, "treatment_share": 0.3},
]


@pytest.mark.parametrize("options", METHODS)
def test_the_answers_are_inverses(options: dict[str, Any]) -> None:
    """The units found have the power wanted, one less has not, and the effect found for them is the one asked for."""
    plan = PowerPlan(**options)
    sign = -1 if plan.alternative is Alternative.LESS else 1
    effect = TargetEffect(sign * 0.05)
    baseline = Baseline(2.0, 4.0)

    units = required_units(baseline, effect, plan)

    assert achieved_power(baseline, effect, units, plan) >= 0.8 - 1e-9
    # The first look moves in whole steps of a fiftieth where the sequence waits for units.
    assert achieved_power(baseline, effect, units * 0.999, plan) < 0.8
    smallest = minimal_detectable_effect(baseline, units, plan)
    assert smallest.size == pytest.approx(effect.size, rel=1e-3)
    relative = minimal_detectable_effect(baseline, units, plan, relative=True)
    assert relative.relative
    assert relative.size == pytest.approx(smallest.size / 2)


def test_always_valid_power_agrees_with_simulation() -> None:
    """Of 4,000 experiments looked at 50 times, as many ever exclude zero as computed, within 2.5 points."""
    plan = PowerPlan(method=PowerMethod.ALWAYS_VALID)
    units = required_units(STANDARD, TargetEffect(0.1), plan)
    looks = np.linspace(units / 50, units, 50)
    random = np.random.default_rng(6)
    runs = 4_000
    steps = random.normal(0.1 / math.sqrt(4 / units) / 50, math.sqrt(1 / 50), size=(runs, 50))
    statistics = steps.cumsum(axis=1) / np.sqrt(np.arange(1, 51) / 50)
    found = np.zeros(runs, dtype=bool)
    days = np.full(runs, 50)
    for k, n in enumerate(looks):
        half = round(n / 2)
        if half < 100:
            continue
        pair = PairEstimate(0.0, 0.0, 1 / half, 1 / half, 0.0, (1 / half, 1 / half), half, half)
        upper = confidence_sequence(pair, 0.05, units).ci_upper
        assert upper is not None
        crossed = abs(statistics[:, k]) > upper / pair.standard_error
        days[crossed & ~found] = k + 1
        found |= crossed

    expected = expected_days(replace(STANDARD, units_per_day=units / 50), TargetEffect(0.1), plan)
    assert found.mean() == pytest.approx(0.8, abs=0.025)
    assert days.mean() == pytest.approx(expected.average_days, abs=0.8)


@pytest.mark.parametrize(
    ("margin", "higher_is_better"),
    [
        (NonInferiorityMargin(relative=0.1), True),
        (NonInferiorityMargin(relative=0.1), False),
        (NonInferiorityMargin(absolute=0.5), True),
    ],
)
def test_non_inferiority_power_agrees_with_simulation(
    margin: NonInferiorityMargin, higher_is_better: bool
) -> None:
    """With the units found, 4,000 experiments without effect exclude the margin in 80 %, within 2.5 points."""
    baseline, plan = Baseline(5.0, 9.0), PowerPlan(margin=margin, higher_is_better=higher_is_better)
    units = required_units(baseline, NO_EFFECT, plan)
    half = units // 2
    random = np.random.default_rng(10)
    means = random.normal(5.0, 3 / math.sqrt(half), size=(4_000, 2)).tolist()
    own = (9 / half, 9 / half)
    held = 0
    for control, treatment in means:
        pair = PairEstimate(control, treatment, *own, 0.0, own, half, half)
        p_value = non_inferiority(pair, margin, 0.05, higher_is_better=higher_is_better).p_value
        held += p_value is not None and p_value < 0.05

    assert held / 4_000 == pytest.approx(0.8, abs=0.025)


def test_smallest_margin() -> None:
    """With a margin in the plan, the smallest effect is the smallest margin that can be excluded."""
    baseline = Baseline(5.0, 9.0)
    for margin in (NonInferiorityMargin(relative=0.1), NonInferiorityMargin(absolute=0.5)):
        for better in (True, False):
            plan = PowerPlan(margin=margin, higher_is_better=better)
            units = required_units(baseline, NO_EFFECT, plan)
            found = minimal_detectable_effect(baseline, units, plan)
            assert found.size == pytest.approx(margin.size, rel=2e-3)
            assert found.relative == (margin.relative is not None)


def test_days() -> None:
    """Days are units over the daily rate; a fixed test never ends early, a sequential one does on average."""
    baseline = Baseline(1.0, 1.0, units_per_day=500)
    fixed = expected_days(baseline, TargetEffect(0.1))
    sequential = expected_days(baseline, TargetEffect(0.1), PowerPlan(method=PowerMethod.GROUP_SEQUENTIAL))

    assert fixed.days == fixed.average_days == fixed.units / 500
    assert sequential.average_days < fixed.days < sequential.days
    assert expected_days(baseline, TargetEffect(0.1), units=10_000).days == 20


def test_baseline_of_past_units() -> None:
    """A covariate leaves the residual variance of least squares, a ratio has the variance of its linearised units."""
    random = np.random.default_rng(1)
    before = random.gamma(3, 2, 5_000)
    after = 2 + 0.8 * before + random.normal(0, 1, 5_000)
    trips = 1.0 + random.poisson(2, 5_000)
    slope, intercept = np.polyfit(before, after, 1)
    residuals = after - slope * before - intercept

    plain = baseline_of(Moments.of(after), MetricShape(Quantity(0)))
    adjusted = baseline_of(Moments.of(after, before), MetricShape(Quantity(0), (Quantity(1),)), 100)
    ratio = baseline_of(Moments.of(after, trips), MetricShape(Quantity(0, 1)))

    assert (plain.mean, plain.variance) == pytest.approx((after.mean(), after.var(ddof=1)), rel=1e-9)
    assert (adjusted.mean, adjusted.variance) == pytest.approx(
        (after.mean(), residuals.var(ddof=1)), rel=1e-9
    )
    assert adjusted.units_per_day == 100
    linear = (after - after.sum() / trips.sum() * trips) / trips.mean()
    assert ratio.variance == pytest.approx(linear.var(ddof=1), rel=1e-9)


@given(
    st.floats(0.01, 2),
    st.floats(0.5, 0.95),
    st.floats(0.001, 0.3),
    st.floats(0.05, 0.9),
    st.sampled_from(list(Alternative)),
)
def test_fixed_units_suffice(
    effect: float, power: float, alpha: float, share: float, alternative: Alternative
) -> None:
    """Whatever the plan, the units found have the power, and one less has not."""
    plan = PowerPlan(
        alpha=alpha,
        power=power,
        control_share=share,
        treatment_share=1 - share,
        alternative=alternative,
    )
    target = TargetEffect(-effect if alternative is Alternative.LESS else effect)

    units = required_units(STANDARD, target, plan)

    assert achieved_power(STANDARD, target, units, plan) >= power - 1e-6
    if (units - 1) * min(share, 1 - share) > 2:
        assert achieved_power(STANDARD, target, units - 1, plan) < power + 1e-6


def test_power_of_the_test_itself() -> None:
    """Of 2,000 simulated experiments with the units planned, 80 % are significant by the engine's own test."""
    units = required_units(STANDARD, TargetEffect(0.3))
    half = units // 2
    random = np.random.default_rng(9)
    found = 0
    for _ in range(2_000):
        values = random.normal(size=(2, half))
        control, treatment = values.mean(axis=1).tolist()
        below, above = (values.var(axis=1, ddof=1) / half).tolist()
        pair = PairEstimate(control, treatment + 0.3, below, above, 0.0, (below, above), half, half)
        p_value = fixed_effect(pair, 0.05).p_value
        found += p_value is not None and p_value < 0.05

    assert found / 2_000 == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: required_units(STANDARD, NO_EFFECT), "zero or not finite"),
        (lambda: required_units(STANDARD, TargetEffect(math.nan)), "zero or not finite"),
        (lambda: required_units(STANDARD, TargetEffect(1e-12)), "too small to be found"),
        (lambda: required_units(STANDARD, TargetEffect(0.1, relative=True)), "mean is 0; a relative effect"),
        (
            lambda: required_units(STANDARD, TargetEffect(-0.1), PowerPlan(alternative=GREATER)),
            "is not greater, which is what the test looks for",
        ),
        (
            lambda: required_units(
                STANDARD, TargetEffect(-0.1), PowerPlan(margin=NonInferiorityMargin(absolute=0.1))
            ),
            "a deterioration by the margin or more",
        ),
        (lambda: achieved_power(STANDARD, NO_EFFECT, 3), "3 units leave an arm with fewer than 2"),
        (lambda: minimal_detectable_effect(STANDARD, 3), "3 units leave an arm with fewer than 2"),
        (
            lambda: minimal_detectable_effect(STANDARD, 150, PowerPlan(method=PowerMethod.ALWAYS_VALID)),
            "fewer than 100; the always-valid test",
        ),
        (
            lambda: minimal_detectable_effect(
                Baseline(0.1, 9.0), 100, PowerPlan(margin=NonInferiorityMargin(relative=0.1))
            ),
            "too few to exclude any relative margin",
        ),
        (lambda: expected_days(STANDARD, TargetEffect(0.1)), "how many units come per day"),
        (lambda: Baseline(1.0, 0.0), "positive variance"),
        (lambda: Baseline(math.inf, 1.0), "finite mean"),
    ],
)
def test_refuses_by_name(call: Any, expected: str) -> None:
    """What cannot be planned is refused with its reason."""
    with pytest.raises(AnalysisError, match=expected):
        call()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"alpha": 1.0}, "alpha is 1"),
        ({"power": 1.0}, "power is 1"),
        ({"control_share": 0.6}, "together at most 1"),
        ({"treatment_share": 0.0}, "must be positive"),
        ({"comparisons": 0}, "comparisons is 0"),
    ],
)
def test_mistakes_of_the_caller(options: dict[str, Any], expected: str) -> None:
    """A plan out of range is refused when it is made."""
    with pytest.raises(ValueError, match=expected):
        PowerPlan(**options)
