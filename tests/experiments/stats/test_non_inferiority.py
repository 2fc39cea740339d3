import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import (
    Alternative,
    Interval,
    MetricShape,
    Moments,
    NonInferiorityMargin,
    PairEstimate,
    Quantity,
    SequentialPlan,
    confidence_sequence,
    estimate_pair,
    fixed_effect,
    group_sequential_interval,
    non_inferiority,
)
from experiments.stats.non_inferiority import Method
from tests.experiments.stats.pairs import pair_of, pairs


def always_valid(pair: PairEstimate, alpha: float, alternative: Alternative) -> Interval:
    """Return the confidence sequence of a plan."""
    return confidence_sequence(pair, alpha, 100_000, alternative)


def at_the_end(pair: PairEstimate, alpha: float, alternative: Alternative) -> Interval:
    """Return the last of three planned looks."""
    plan = SequentialPlan.evenly(pair.units, 3)
    return group_sequential_interval(pair, alpha, plan, alternative=alternative).interval


def test_absolute_margin_agrees_with_scipy() -> None:
    """With an absolute margin it is scipy's one-sided Welch test of the values shifted by the margin."""
    from scipy import stats

    random = np.random.default_rng(2)
    control, treatment = random.normal(5, 1, 300), random.normal(4.9, 1.2, 400)
    pair = estimate_pair(Moments.of(control), Moments.of(treatment), MetricShape(Quantity(0)))
    reference = stats.ttest_ind(treatment + 0.25, control, equal_var=False, alternative="greater")

    result = non_inferiority(pair, NonInferiorityMargin(absolute=0.25), 0.05, higher_is_better=True)

    assert result.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert result.bound == pytest.approx(reference.confidence_interval(0.95).low - 0.25, rel=1e-9)


def test_relative_margin_agrees_with_scipy() -> None:
    """With a margin of 10 % the statistic is that of the treatment against nine tenths of the control's values."""
    from scipy import stats

    random = np.random.default_rng(3)
    control, treatment = random.normal(5, 1, 5_000), random.normal(4.8, 1, 5_000)
    pair = estimate_pair(Moments.of(control), Moments.of(treatment), MetricShape(Quantity(0)))
    reference = stats.ttest_ind(treatment, 0.9 * control, equal_var=False, alternative="greater")

    result = non_inferiority(pair, NonInferiorityMargin(relative=0.1), 0.05, higher_is_better=True)

    # The degrees of freedom are the difference's own, and hardly matter here.
    assert result.p_value is not None
    assert math.log(result.p_value) == pytest.approx(math.log(reference.pvalue), rel=1e-3)


@pytest.mark.parametrize("method", [fixed_effect, always_valid, at_the_end])
@given(
    pair=pairs,
    margin=st.one_of(
        st.builds(NonInferiorityMargin, relative=st.floats(0.001, 0.9)),
        st.builds(NonInferiorityMargin, absolute=st.floats(0.001, 50)),
    ),
    higher_is_better=st.booleans(),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
)
def test_p_value_and_bound_agree(
    method: Method, pair: PairEstimate, margin: NonInferiorityMargin, higher_is_better: bool, alpha: float
) -> None:
    """For every method, p is below alpha exactly if the bound is on the good side of the margin."""
    result = non_inferiority(pair, margin, alpha, higher_is_better=higher_is_better, method=method)

    assert (result.bound is None) == ("bound" in result.reasons)
    assert (result.p_value is None) == ("p_value" in result.reasons)
    if result.bound is None or result.p_value is None or abs(result.p_value / alpha - 1) < 1e-6:
        return
    good = result.bound > result.limit if higher_is_better else result.bound < result.limit
    # Where the two are equal to the last digits, either answer is right.
    if abs(result.bound - result.limit) > 1e-9 * max(1.0, abs(result.limit)):
        assert result.passed == good


def test_a_metric_that_should_fall_is_mirrored() -> None:
    """Where less is better, a rise beyond the margin is what must be excluded."""
    risen, fallen = pair_of(0.3, 0.1), pair_of(-0.3, 0.1)
    margin = NonInferiorityMargin(absolute=0.5)

    up = non_inferiority(fallen, margin, 0.05, higher_is_better=True)
    down = non_inferiority(risen, margin, 0.05, higher_is_better=False)

    assert down.p_value == pytest.approx(up.p_value)
    assert down.bound == pytest.approx(-(up.bound or 0))
    assert (down.limit, up.limit) == (0.5, -0.5)
    assert down.passed


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("adjusted", [False, True])
def test_error_at_the_margin(relative: bool, adjusted: bool) -> None:
    """Of 2,000 experiments whose treatment is worse by exactly the margin, 3.4 to 6.6 % pass at 5 %."""
    random = np.random.default_rng(55)
    passed = 0
    for _ in range(2_000):
        x = random.normal(10, 3, size=400)
        y = x + random.normal(0, 1.5, size=400)
        y[150:] = 0.95 * y[150:] if relative else y[150:] - 0.5
        shape = MetricShape(Quantity(0), (Quantity(1),) if adjusted else ())
        pair = estimate_pair(Moments.of(y[:150], x[:150]), Moments.of(y[150:], x[150:]), shape)
        margin = NonInferiorityMargin(relative=0.05) if relative else NonInferiorityMargin(absolute=0.5)
        passed += non_inferiority(pair, margin, 0.05, higher_is_better=True).passed

    assert 0.034 < passed / 2_000 < 0.066


def test_reasons_where_nothing_can_be_said() -> None:
    """Without a positive control, variance or units, bound and p-value say why there is none."""
    relative, absolute = NonInferiorityMargin(relative=0.1), NonInferiorityMargin(absolute=0.1)
    lossy = non_inferiority(pair_of(1.0, 0.1, control=-5.0), relative, 0.05, higher_is_better=True)
    constant = non_inferiority(pair_of(1.0, 0.0), relative, 0.05, higher_is_better=True)
    few = non_inferiority(
        pair_of(1.0, 0.1, units=50), absolute, 0.05, higher_is_better=False, method=always_valid
    )
    vague = non_inferiority(pair_of(9.0, 0.2, control=0.1), relative, 0.05, higher_is_better=True)

    assert "a relative margin needs" in lossy.reasons["p_value"]
    assert "the same value" in constant.reasons["bound"]
    assert "units" in few.reasons["bound"]
    assert [result.passed for result in (lossy, constant, few)] == [False] * 3
    assert "no bounds" in vague.reasons["bound"]
    assert vague.passed


@pytest.mark.parametrize(
    ("absolute", "relative"),
    [(None, 0.0), (None, 1.0), (-1.0, None), (math.inf, None), (math.nan, None), (0.1, 0.1), (None, None)],
)
def test_a_margin_is_one_positive_deterioration(absolute: float | None, relative: float | None) -> None:
    """A margin of nothing, of all, or in two units, is not a margin."""
    with pytest.raises(ValueError, match="the margin is"):
        NonInferiorityMargin(absolute, relative)


def test_always_valid_by_name() -> None:
    """The always-valid test is that of the confidence sequence tuned for the plan."""
    pair, margin = pair_of(0.1, 0.1), NonInferiorityMargin(relative=0.05)

    by_name = non_inferiority(
        pair, margin, 0.05, higher_is_better=True, always_valid=True, planned_units=100_000
    )

    assert by_name == non_inferiority(pair, margin, 0.05, higher_is_better=True, method=always_valid)
    fixed = non_inferiority(pair, margin, 0.05, higher_is_better=True)
    assert (by_name.bound or 0) < (fixed.bound or 0)
