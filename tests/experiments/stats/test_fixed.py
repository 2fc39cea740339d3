import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import (
    Alternative,
    MetricShape,
    Moments,
    PairEstimate,
    Quantity,
    estimate_pair,
    fixed_effect,
)
from tests.experiments.stats.pairs import assert_consistent, pair_of, pairs
from tests.experiments.stats.test_figure import SHAPES, reference_arms

# tea-tasting 1.14.0 on the table of test_figure, alpha 5 %: both ends and the p-value of Mean("y"),
# Mean("y", covariate="x"), RatioOfMeans("y", "d") and RatioOfMeans("y", "d", "px", "pd").
TEA_TASTING = {
    "mean": (-0.43209337770767, 1.204216594369964, 0.35164725447592843),
    "mean, covariate": (-0.10778161298356281, 0.9820700099790766, 0.11471187428974805),
    "ratio": (-0.42680850407246473, 0.684182909626563, 0.6469492221740735),
    "ratio, covariate": (-0.42676643724118757, 0.6821837787535282, 0.648849082265613),
}


@pytest.mark.parametrize("name", SHAPES)
def test_agrees_with_tea_tasting(name: str) -> None:
    """Interval and p-value are tea-tasting's to 1e-9."""
    lower, upper, p_value = TEA_TASTING[name]

    interval = fixed_effect(estimate_pair(*reference_arms(), SHAPES[name]), 0.05)

    assert (interval.ci_lower, interval.ci_upper) == pytest.approx((lower, upper), rel=1e-9)
    assert interval.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize("alternative", Alternative)
@pytest.mark.parametrize("sizes", [(2, 2), (5, 40), (300, 1_000)])
def test_agrees_with_scipy(sizes: tuple[int, int], alternative: Alternative) -> None:
    """One-sided and two-sided, interval and p-value are those of scipy.stats.ttest_ind."""
    from scipy import stats

    random = np.random.default_rng(sizes[0])
    control, treatment = random.normal(3, 1, sizes[0]), random.lognormal(1, 1, sizes[1])
    reference = stats.ttest_ind(treatment, control, equal_var=False, alternative=str(alternative))
    ends = reference.confidence_interval(0.9)

    pair = estimate_pair(Moments.of(control), Moments.of(treatment), MetricShape(Quantity(0)))
    interval = fixed_effect(pair, 0.1, alternative)

    assert interval.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert interval.degrees_of_freedom == pytest.approx(reference.df, rel=1e-9)
    for end, expected in ((interval.ci_lower, ends.low), (interval.ci_upper, ends.high)):
        assert end == (pytest.approx(expected, rel=1e-9) if math.isfinite(expected) else None)


@given(pairs, st.sampled_from([1e-6, 0.001, 0.05, 0.2]), st.sampled_from(Alternative))
def test_p_value_and_intervals_agree(pair: PairEstimate, alpha: float, alternative: Alternative) -> None:
    """For every pair, level and alternative, p is below alpha exactly if the intervals exclude zero."""
    assert_consistent(fixed_effect(pair, alpha, alternative))


def test_the_open_end_says_so() -> None:
    """A one-sided interval has one end, and the other has a reason."""
    greater = fixed_effect(pair_of(1.0, 0.1), 0.05, Alternative.GREATER)
    less = fixed_effect(pair_of(1.0, 0.1), 0.05, Alternative.LESS)

    assert greater.reasons["ci_upper"].startswith("one-sided")
    assert less.reasons["relative_ci_lower"].startswith("one-sided")
    assert greater.excludes_zero
    assert not less.excludes_zero


def test_small_p_values_keep_their_digits() -> None:
    """A difference of 30 standard errors has the normal tail at 30 (9.8e-198), not zero."""
    interval = fixed_effect(pair_of(30.0, 1.0, units=2 * 10**9), 0.05)

    assert interval.p_value is not None
    assert math.log10(interval.p_value) == pytest.approx(math.log10(9.813e-198), abs=0.01)


def test_without_variance_there_is_no_interval() -> None:
    """If nothing varies, there is nothing to judge chance by, and each figure says so."""
    interval = fixed_effect(pair_of(1.0, 0.0), 0.05)

    assert (interval.p_value, interval.ci_lower, interval.relative_ci_upper) == (None, None, None)
    assert "the same value" in interval.reasons["p_value"]


@pytest.mark.parametrize(
    ("alpha", "alternative"),
    [(0.0, Alternative.TWO_SIDED), (1.0, Alternative.TWO_SIDED), (0.5, Alternative.LESS)],
)
def test_alpha_must_leave_an_interval(alpha: float, alternative: Alternative) -> None:
    """An error of zero, of one, or of a half on one side is a mistake of the caller."""
    with pytest.raises(ValueError, match="alpha is"):
        fixed_effect(pair_of(1.0, 0.1), alpha, alternative)
