import math
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.stats import (
    ArmEstimate,
    Effect,
    Moments,
    arm_interval,
    check_sample_ratio,
    compare,
    mean_estimate,
    moments_by_group,
    ratio_estimate,
)

# The first example of https://en.wikipedia.org/wiki/Welch%27s_t-test: t = -2.46, 25.0 degrees of freedom, p = 0.021.
WELCH_A = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
WELCH_B = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4]

floats = st.floats(-1e6, 1e6, allow_subnormal=False)
means = st.one_of(st.floats(-100, 100), st.floats(0.01, 100))
arm_estimates = st.builds(ArmEstimate, st.integers(30, 10_000), means, st.floats(1e-12, 1e4))


def clustered(seed: int, members: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Return hits and trips of members that differ in both."""
    random = np.random.default_rng(seed)
    trips = 1 + random.negative_binomial(1, 0.15, size=members)
    return random.binomial(trips, random.beta(0.6, 4, size=members)), trips


def ratio_effect(seed: int = 1) -> Effect:
    """Return the effect between two clustered samples."""
    arms = [ratio_estimate(Moments.of(*clustered(one))) for one in (seed, seed + 1000)]
    return compare(arms[0], arms[1], 0.05)


def test_moments_equal_exact_arithmetic() -> None:
    """Mean, variance and covariance are those of rational arithmetic."""
    x, y = [1.5, 2.25, -7.0, 0.125], [3.0, 1.0, 0.5, 9.75]
    fx, fy = [Fraction(v) for v in x], [Fraction(v) for v in y]
    mx, my = sum(fx) / 4, sum(fy) / 4

    moments = Moments.of(x, y)

    assert moments.count == 4
    assert moments.means == pytest.approx((float(mx), float(my)), rel=1e-15)
    assert moments.variance(0) == pytest.approx(float(sum((v - mx) ** 2 for v in fx) / 3), rel=1e-15)
    assert moments.covariance(0, 1) == pytest.approx(
        float(sum((v - mx) * (w - my) for v, w in zip(fx, fy, strict=True)) / 3), rel=1e-15
    )


def test_large_mean_keeps_its_variance() -> None:
    """A mean of 1e9 with a deviation of 1 has the variance 1, also after merging parts."""
    small = np.random.default_rng(5).normal(size=100_000)
    expected = float(small.var(ddof=1))
    values = 1e9 + small
    parts = [Moments.of(part) for part in np.array_split(values, 7)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    grouped = moments_by_group(pl.DataFrame({"g": "a", "v": values}), "g", ["v"])["a"]

    for moments in (Moments.of(values), merged, grouped):
        assert moments.variance() == pytest.approx(expected, rel=1e-6)
        assert moments.means[0] == pytest.approx(1e9, abs=0.01)


@given(st.lists(st.tuples(floats, floats), max_size=30), st.lists(st.tuples(floats, floats), max_size=30))
def test_merged_parts_equal_the_whole(left: list[Any], right: list[Any]) -> None:
    """Moments of two parts, merged in either order, are the moments of all rows; empty parts change nothing."""
    both = left + right
    whole = Moments.of([x for x, _ in both], [y for _, y in both])
    parts = [Moments.of([x for x, _ in part], [y for _, y in part]) for part in (left, right)]
    scale = max((abs(v) for pair in both for v in pair), default=0.0) ** 2 * max(len(both), 1)

    for merged in (parts[0].merge(parts[1]), parts[1].merge(parts[0])):
        assert merged.count == whole.count
        assert merged.means == pytest.approx(whole.means, rel=1e-9, abs=1e-9 * math.sqrt(scale))
        for i in range(2):
            assert merged.products[i] == pytest.approx(whole.products[i], rel=1e-9, abs=1e-9 * scale)


def test_missing_values_are_no_members() -> None:
    """A null is left out of the count, not counted as a zero; a row needs all its columns."""
    frame = pl.DataFrame(
        {"g": ["a", "a", "a", "b", None], "x": [1, None, 3, 5, 7], "y": [1.0, 2.0, None, 4.0, 5.0]}
    )

    single, double = moments_by_group(frame, "g", ["x"]), moments_by_group(frame, "g", ["x", "y"])

    assert (single["a"].count, single["a"].means) == (2, (2.0,))
    assert (double["a"].count, double["a"].means) == (1, (1.0, 1.0))
    assert set(single) == {"a", "b"}
    assert Moments.of([1.0, math.nan, 3.0]) == Moments.of([1.0, 3.0])


def test_groups_equal_single_columns() -> None:
    """The pass over a table gives what each group's columns give alone."""
    random = np.random.default_rng(2)
    frame = pl.DataFrame({"g": random.choice(["a", "b", "c"], 999), "x": random.normal(size=999)})
    frame = frame.with_columns(y=pl.col("x") * 2 + 1, z=pl.Series(random.exponential(size=999)))

    grouped = moments_by_group(frame, "g", ["x", "y", "z"])

    for (name,), rows in frame.group_by("g"):
        alone = Moments.of(rows["x"], rows["y"], rows["z"])
        assert grouped[str(name)].means == pytest.approx(alone.means)
        assert np.allclose(grouped[str(name)].products, alone.products)


def test_moments_of_different_tables_do_not_merge() -> None:
    """Merging moments of different numbers of columns is a mistake of the caller."""
    with pytest.raises(ValueError, match="1 and 2 columns"):
        Moments.of([1.0]).merge(Moments.of([1.0], [2.0]))


def test_welch_agrees_with_the_published_example() -> None:
    """Wikipedia's first example of Welch's test: t = -2.46, 25.0 degrees of freedom, p = 0.021."""
    effect = compare(mean_estimate(Moments.of(WELCH_B)), mean_estimate(Moments.of(WELCH_A)), 0.05)

    assert effect.estimate / effect.standard_error == pytest.approx(-2.46, abs=0.005)
    assert effect.degrees_of_freedom == pytest.approx(25.0, abs=0.05)
    assert effect.p_value == pytest.approx(0.021, abs=0.0005)


@pytest.mark.parametrize("sizes", [(2, 2), (5, 40), (300, 1000)])
def test_welch_agrees_with_scipy(sizes: tuple[int, int]) -> None:
    """Difference, interval and p-value are those of scipy.stats.ttest_ind without equal variances."""
    from scipy import stats

    random = np.random.default_rng(sizes[0])
    control, treatment = random.normal(3, 1, sizes[0]), random.lognormal(1, 1, sizes[1])
    reference = stats.ttest_ind(treatment, control, equal_var=False)
    interval = reference.confidence_interval(0.9)

    effect = compare(mean_estimate(Moments.of(control)), mean_estimate(Moments.of(treatment)), 0.1)

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert effect.degrees_of_freedom == pytest.approx(reference.df, rel=1e-9)
    assert (effect.ci_lower, effect.ci_upper) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_interval_of_one_arm_agrees_with_scipy() -> None:
    """The interval of a variant's own mean is the t interval."""
    from scipy import stats

    reference = stats.ttest_1samp(WELCH_A, 0).confidence_interval(0.95)

    assert arm_interval(mean_estimate(Moments.of(WELCH_A)), 0.05) == pytest.approx(tuple(reference), rel=1e-9)


def test_ratio_by_hand() -> None:
    """Ratio and delta variance equal the textbook formula in exact arithmetic."""
    hits = [Fraction(n % 4) for n in range(30)]
    trips = [Fraction(1 + n % 7) for n in range(30)]
    n, mean_y, mean_x = 30, sum(hits) / 30, sum(trips) / 30
    ratio = mean_y / mean_x
    var_y = sum((y - mean_y) ** 2 for y in hits) / (n - 1)
    var_x = sum((x - mean_x) ** 2 for x in trips) / (n - 1)
    cov = sum((y - mean_y) * (x - mean_x) for y, x in zip(hits, trips, strict=True)) / (n - 1)
    variance = (var_y - 2 * ratio * cov + ratio**2 * var_x) / mean_x**2 / n

    arm = ratio_estimate(Moments.of([float(y) for y in hits], [float(x) for x in trips]))

    assert arm.members == 30
    assert arm.mean == pytest.approx(float(ratio), rel=1e-14)
    assert arm.variance == pytest.approx(float(variance), rel=1e-12)


def test_ratio_agrees_with_a_linearised_t_test() -> None:
    """Welch's test of scipy on each member's linearised value gives the same difference test."""
    from scipy import stats

    linear = []
    for seed in (1, 1001):
        hits, trips = clustered(seed)
        ratio = hits.sum() / trips.sum()
        linear.append(ratio + (hits - ratio * trips) / trips.mean())
    reference = stats.ttest_ind(linear[1], linear[0], equal_var=False)

    effect = ratio_effect()

    assert effect.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert effect.estimate / effect.standard_error == pytest.approx(reference.statistic, rel=1e-9)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_ratio_variance_agrees_with_the_jackknife(seed: int) -> None:
    """Leaving out one member at a time gives the same standard error within 2 %."""
    hits, trips = clustered(seed)
    without = (hits.sum() - hits) / (trips.sum() - trips)
    n = len(hits)
    jackknife = math.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())

    assert ratio_estimate(Moments.of(hits, trips)).standard_error == pytest.approx(jackknife, rel=0.02)


def test_relative_interval_solves_fiellers_equation() -> None:
    """At both ends of the relative interval, treatment minus that multiple of control is just significant."""
    from scipy import stats

    control, treatment = (ratio_estimate(Moments.of(*clustered(seed))) for seed in (1, 1001))
    effect = compare(control, treatment, 0.05)
    assert effect.degrees_of_freedom is not None
    quantile = stats.t.ppf(0.975, effect.degrees_of_freedom)

    for end in (effect.relative_ci_lower, effect.relative_ci_upper):
        assert end is not None
        multiple = 1 + end
        deviation = treatment.mean - multiple * control.mean
        spread = math.sqrt(treatment.variance + multiple**2 * control.variance)
        assert abs(deviation) / spread == pytest.approx(quantile, rel=1e-9)
    assert effect.relative_estimate == pytest.approx(treatment.mean / control.mean - 1)


@given(arm_estimates, arm_estimates, st.sampled_from([0.001, 0.05, 0.2]))
def test_p_value_and_both_intervals_agree(control: ArmEstimate, treatment: ArmEstimate, alpha: float) -> None:
    """The p-value is below alpha exactly if the intervals, absolute and relative, exclude zero."""
    effect = compare(control, treatment, alpha)
    assert effect.p_value is not None
    assert effect.ci_lower is not None
    assert effect.ci_upper is not None
    assume(abs(effect.p_value / alpha - 1) > 1e-6)

    significant = effect.p_value < alpha

    assert significant == (effect.ci_lower > 0 or effect.ci_upper < 0)
    if effect.relative_ci_lower is not None and effect.relative_ci_upper is not None:
        assert significant == (effect.relative_ci_lower > 0 or effect.relative_ci_upper < 0)


@given(means, means, st.floats(0, 10), st.floats(0, 10))
def test_no_figure_is_ever_nan(control: float, treatment: float, var_c: float, var_t: float) -> None:
    """Every figure is a finite number, or none with a reason."""
    effect = compare(ArmEstimate(50, control, var_c), ArmEstimate(50, treatment, var_t), 0.05)

    for name in (
        "ci_lower",
        "ci_upper",
        "relative_estimate",
        "relative_ci_lower",
        "relative_ci_upper",
        "p_value",
    ):
        value = getattr(effect, name)
        assert value is None or math.isfinite(value)
        assert (value is None) == (name in effect.reasons)


def test_small_p_values_keep_their_digits() -> None:
    """A difference of 30 standard errors has a tiny p-value, not zero (normal tail at 30: 9.8e-198)."""
    effect = compare(ArmEstimate(10**9, 0.0, 0.5), ArmEstimate(10**9, 30.0, 0.5), 0.05)

    assert effect.p_value is not None
    assert math.log10(effect.p_value) == pytest.approx(math.log10(9.813e-198), abs=0.01)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (([0.0] * 29, [1.0] * 29), "29 members in a variant; a ratio needs at least 30"),
        (([1.0], [1.0]), "1 member in a variant"),
        (([], []), "0 members in a variant"),
        (([1.0] * 40, [0.0] * 40), "the denominators add up to 0"),
        (([1.0] * 40, [-1.0] * 40), "the denominators add up to -40"),
        (([math.inf] + [1.0] * 40, [1.0] * 41), "no finite numbers"),
        (([1e200, -1e200] * 20, [1.0] * 40), "too large to be squared"),
    ],
)
def test_ratio_refuses_by_name(columns: tuple[list[float], list[float]], expected: str) -> None:
    """What cannot be computed is refused with its reason."""
    with (
        np.errstate(all="ignore"),
        pytest.raises(AnalysisError, match=expected),
    ):
        ratio_estimate(Moments.of(*columns))


def test_mean_refuses_one_member() -> None:
    """One member has no variance."""
    with pytest.raises(AnalysisError, match="1 member in a variant; a mean needs at least 2"):
        mean_estimate(Moments.of([3.0]))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -7.3])
def test_without_variance_there_is_no_interval(value: float) -> None:
    """If all members have the same value, rounding is not mistaken for evidence."""
    control, treatment = mean_estimate(Moments.of([value] * 99)), mean_estimate(Moments.of([value + 1] * 77))

    effect = compare(control, treatment, 0.05)

    assert effect.estimate == pytest.approx(1.0)
    assert (effect.standard_error, effect.p_value, effect.ci_lower) == (0.0, None, None)
    assert "the same value" in effect.reasons["p_value"]


@pytest.mark.parametrize("value", [0.1, 0.7, 1e9 + 0.1, 123.456])
def test_rounding_of_equal_values_is_no_variance(value: float) -> None:
    """Where the mean of equal values is rounded, their deviations are rounding too."""
    rows = pl.DataFrame({"g": "a", "v": [value] * 3333})

    assert moments_by_group(rows, "g", ["v"])["a"].variance() == 0.0
    assert Moments.of([value] * 3333).variance() == 0.0


def test_constant_ratio_has_no_interval() -> None:
    """If every member's numerator is the same multiple of her denominator, the residual is rounding only."""
    trips = np.arange(1.0, 101.0)
    control, treatment = (
        ratio_estimate(Moments.of(0.1 * trips, trips)),
        ratio_estimate(Moments.of(0.3 * trips, trips)),
    )

    assert compare(control, treatment, 0.05).p_value is None


def test_relative_effect_needs_a_positive_control() -> None:
    """Nothing is a percentage of zero or of a loss."""
    for mean in (0.0, -1.0):
        effect = compare(ArmEstimate(100, mean, 0.01), ArmEstimate(100, 1.0, 0.01), 0.05)
        assert effect.relative_estimate is None
        assert "a relative effect needs one clearly above zero" in effect.reasons["relative_ci_upper"]
    vague = compare(ArmEstimate(100, 0.1, 0.01), ArmEstimate(100, 1.0, 0.01), 0.05)
    assert vague.relative_estimate == pytest.approx(9.0)
    assert vague.relative_ci_lower is None
    assert "has no bounds" in vague.reasons["relative_ci_lower"]


def test_srm_of_cookie_cats() -> None:
    """The published mobile-game test, 44,700 against 45,489 players, has p = 0.0086: suspicious, no alarm."""
    check = check_sample_ratio({"gate_30": 44_700, "gate_40": 45_489}, {"gate_30": 1, "gate_40": 1})

    assert check.p_value == pytest.approx(0.0086, abs=0.00005)
    assert not check.alarm


def test_srm_agrees_with_scipy() -> None:
    """Pearson's test with unequal weights and an empty variant is scipy.stats.chisquare."""
    from scipy import stats

    check = check_sample_ratio({"a": 890, "b": 110}, {"a": 85, "b": 12, "c": 3})

    assert check.p_value == pytest.approx(stats.chisquare([890, 110, 0], [850, 120, 30]).pvalue, rel=1e-9)
    assert check.expected == {"a": 850, "b": 120, "c": 30}
    assert check.alarm


@pytest.mark.parametrize(("share", "alarm"), [(0.50, False), (0.51, False), (0.53, True)])
def test_srm_alarm_is_for_what_cannot_be_chance(share: float, alarm: bool) -> None:
    """With 5,000 members the alarm stays off within three standard errors and is on beyond four."""
    first = round(5_000 * share)

    assert check_sample_ratio({"a": first, "b": 5_000 - first}, {"a": 1, "b": 1}).alarm is alarm


def test_srm_of_few_members_is_not_judged() -> None:
    """Below five expected members chi-squared is no approximation, and the reason is given."""
    check = check_sample_ratio({"a": 9, "b": 0}, {"a": 1, "b": 1})

    assert (check.p_value, check.alarm) == (None, False)
    assert "the smallest variant should have 4.5" in check.reason
