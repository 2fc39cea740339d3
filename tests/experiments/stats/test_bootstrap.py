"""The bootstrap of any figure."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.stats import bootstrap
from experiments.stats.bootstrap import (
    Array,
    ResampledArm,
    Statistic,
    bootstrap_interval,
    resample,
    weighted_mean,
    weighted_quantile,
    weighted_ratio,
)
from experiments.stats.figure import ArmEstimate, Quantity, arm_figure
from experiments.stats.interval import Alternative
from experiments.stats.moments import Moments


def resampled(figure: float, figures: list[float]) -> ResampledArm:
    """Return an arm with given replicates."""
    return ResampledArm(ArmEstimate(100, figure, 1.0), np.array(figures, dtype=float))


def test_weights_are_poisson() -> None:
    """Over eight million units each weight is as frequent as the Poisson distribution says, to 4.5 standard errors."""
    from scipy import stats

    counts = np.zeros(20, np.int64)

    def noting(columns: Array, weights: Array) -> Array:
        if len(weights) > 1:
            counts[:] += np.bincount(weights.ravel().astype(np.int64), minlength=len(counts))
        return weighted_mean(columns, weights)

    resample([np.arange(20_000.0)], noting, seed=1, count=400)

    expected = stats.poisson.pmf(np.arange(len(counts)), 1)
    assert counts.sum() == 8_000_000
    errors = np.sqrt(expected * (1 - expected) / counts.sum())
    # The table of weights is one of 16 bits.
    assert (np.abs(counts / counts.sum() - expected) < 4.5 * errors + 2**-16).all()


@given(st.integers(0, 1000), st.sampled_from([0.1, 0.5, 0.75, 0.99]))
def test_weighted_figures_equal_those_of_repeated_units(seed: int, share: float) -> None:
    """A unit of weight three counts as if it stood three times in the table."""
    random = np.random.default_rng(seed)
    columns = np.stack([np.sort(random.integers(0, 9, 40)) / 4, random.integers(1, 5, 40)])
    weights = random.poisson(1, size=(3, 40)).astype(float)

    for row, mean, ratio, quantile in zip(
        weights,
        weighted_mean(columns, weights),
        weighted_ratio(columns, weights),
        weighted_quantile(share)(columns, weights),
        strict=True,
    ):
        x, y = (np.repeat(column, row.astype(int)) for column in columns)
        assert mean == pytest.approx(x.mean(), rel=1e-12)
        assert ratio == pytest.approx(x.sum() / y.sum(), rel=1e-12)
        assert quantile == pytest.approx(np.quantile(x, share), rel=1e-12)


def test_standard_errors_agree_with_the_formulas() -> None:
    """For a mean and a ratio, the replicates spread as the formula says, within the noise of 2,000 of them (5 %)."""
    random = np.random.default_rng(5)
    trips = 1 + random.poisson(2, size=3_000)
    spend = trips * random.gamma(2, 5, size=3_000)
    moments = Moments.of(spend, trips)

    for statistic, quantity in ((weighted_mean, Quantity(0)), (weighted_ratio, Quantity(0, 1))):
        arm, formula = resample([spend, trips], statistic, seed=1).estimate, arm_figure(moments, quantity)
        assert arm.members == 3_000
        assert arm.mean == pytest.approx(formula.mean, rel=1e-12)
        assert arm.standard_error == pytest.approx(formula.standard_error, rel=0.05)


@pytest.mark.parametrize("statistic", [weighted_mean, weighted_quantile(0.5)])
def test_the_seed_decides_not_the_memory(statistic: Statistic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same replicates, also if few are held at once; another seed gives others."""
    values = np.random.default_rng(1).exponential(size=100)
    whole = resample([values], statistic, seed=7, count=50)
    again = resample([values], statistic, seed=7, count=50)

    monkeypatch.setattr(bootstrap, "WEIGHTS_AT_ONCE", 700)
    in_parts = resample([values], statistic, seed=7, count=50)

    assert again.replicates.tolist() == whole.replicates.tolist()
    assert in_parts.replicates == pytest.approx(whole.replicates, rel=1e-13)
    assert resample([values], statistic, seed=8, count=50).replicates.tolist() != whole.replicates.tolist()


def test_memory_does_not_grow_with_replicates() -> None:
    """Ten times the replicates need the same memory, far below that of all their weights."""
    values = np.random.default_rng(1).exponential(size=100_000)
    peaks = []
    for count in (100, 1_000):
        tracemalloc.start()
        resample([values], weighted_mean, seed=1, count=count)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.1 * peaks[0] < 80_000_000


def test_percentiles_by_hand() -> None:
    """Of the 39 differences 1..39, alpha 0.1 leaves out fewer than two on each side: p = 2 (count + 1) / 40."""
    treatment = resampled(30.0, list(range(11, 50)))

    interval = bootstrap_interval(resampled(10.0, [10.0] * 39), treatment, 0.1)

    assert (interval.ci_lower, interval.ci_upper) == (1.0, 39.0)
    assert (interval.relative_ci_lower, interval.relative_ci_upper) == pytest.approx((0.1, 3.9))
    assert interval.p_value == pytest.approx(2 / 40)


@given(
    st.lists(st.integers(-3, 40), min_size=39, max_size=60),
    st.floats(0.06, 0.4),
    st.sampled_from(list(Alternative)),
    st.booleans(),
)
def test_p_value_and_intervals_agree(
    figures: list[int], alpha: float, alternative: Alternative, falling: bool
) -> None:
    """The p-value is below alpha exactly if both intervals exclude zero, whatever the alternative."""
    control = [50.0 + i % 3 for i in range(len(figures))]
    differences = [-d if falling else d for d in figures]
    treatment = [c + d for c, d in zip(control, differences, strict=True)]

    interval = bootstrap_interval(resampled(50, control), resampled(60, treatment), alpha, alternative)

    if interval.p_value is None:
        assert len(set(differences)) == 1
        return
    significant = interval.p_value < alpha
    assert significant == interval.excludes_zero
    above = interval.relative_ci_lower is not None and interval.relative_ci_lower > 0
    below = interval.relative_ci_upper is not None and interval.relative_ci_upper < 0
    assert significant == (above or below)
    ends = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper")
    assert all((getattr(interval, end) is None) == (end in interval.reasons) for end in ends)


def test_coverage_for_a_skewed_mean() -> None:
    """95 % intervals of 600 experiments with a true effect hold it in 92.5 to 97.2 % (three standard errors)."""
    random = np.random.default_rng(3)
    hits = 0
    for run in range(600):
        arms = [
            resample([random.exponential(mean, 200)], weighted_mean, seed=2 * run + i, count=399)
            for i, mean in enumerate((1.0, 1.2))
        ]
        interval = bootstrap_interval(arms[0], arms[1], 0.05)
        assert interval.ci_lower is not None
        assert interval.ci_upper is not None
        hits += interval.ci_lower < 0.2 < interval.ci_upper

    assert 0.925 < hits / 600 < 0.972


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([[1.0] * 29], "29 units in a variant; the bootstrap needs at least 30"),
        ([[math.nan] * 100], "0 units in a variant"),
        ([[1.0] * 50 + [math.inf]], "not finite numbers"),
        ([[1.0] * 50, [1.0] + [0.0] * 49], "rests on too few units"),
    ],
)
def test_refuses_by_name(columns: list[list[float]], expected: str) -> None:
    """What cannot be computed is refused with its reason."""
    with pytest.raises(AnalysisError, match=expected):
        resample(columns, weighted_ratio if len(columns) == 2 else weighted_mean, seed=1, count=99)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -7.3])
def test_without_variance_there_is_no_interval(value: float) -> None:
    """If all units have the same value, rounding is not mistaken for chance."""
    arms = [
        resample([np.full(80, v)], weighted_mean, seed=i, count=99) for i, v in enumerate((value, value + 1))
    ]

    interval = bootstrap_interval(arms[0], arms[1], 0.05)

    assert (interval.ci_lower, interval.p_value) == (None, None)
    assert "the same value" in interval.reasons["p_value"]


def test_no_relative_interval_without_a_base() -> None:
    """If the control's figure reaches zero in a resample, there is no relative interval, and it says why."""
    control, treatment = resampled(1, [0.0, *range(1, 99)]), resampled(5, [5.0] * 99)

    interval = bootstrap_interval(control, treatment, 0.05)

    assert interval.relative_ci_lower is None
    assert "not above zero" in interval.reasons["relative_ci_lower"]


def test_too_few_replicates_for_alpha() -> None:
    """Nineteen replicates cannot tell 5 %, for the smallest p-value is 10 %."""
    arms = [resampled(0, [float(v * k) for v in range(19)]) for k in (1, 2)]

    with pytest.raises(AnalysisError, match=r"19 replicates are too few for an interval at alpha 0\.05"):
        bootstrap_interval(arms[0], arms[1], 0.05)
    with pytest.raises(ValueError, match="equally many"):
        bootstrap_interval(arms[0], resampled(0, [1.0]), 0.05)
