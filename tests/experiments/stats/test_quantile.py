"""Quantiles of a variant and their chance error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.stats.figure import independent_pair
from experiments.stats.quantile import quantile_estimate

NORMAL_QUANTILE = 1.959964


def test_by_hand() -> None:
    """Of 0..20 the median is 10, and the interval's ends lie 1.96 * sqrt(0.25 / 21) of the twenty steps away."""
    arm = quantile_estimate([(8 * i) % 21 for i in range(21)], 0.5)

    assert (arm.members, arm.mean) == (21, 10)
    assert arm.standard_error == pytest.approx(20 * math.sqrt(0.25 / 21), rel=1e-9)


def test_figure_between_two_values() -> None:
    """An even number of values has its median half-way between the middle ones."""
    assert quantile_estimate(range(20), 0.5).mean == 9.5


@given(st.integers(100, 400), st.sampled_from([0.25, 0.5, 0.8]), st.integers(0, 1000))
def test_figure_agrees_with_pandas(count: int, share: float, seed: int) -> None:
    """The figure is what pandas gives for the same values, in any order."""
    import pandas as pd

    values = np.random.default_rng(seed).lognormal(size=count)

    assert quantile_estimate(values, share).mean == pytest.approx(
        pd.Series(values).quantile(share), rel=1e-12
    )


def test_missing_values_are_no_units() -> None:
    """A NaN is left out of values and count."""
    values = np.arange(50.0)

    assert quantile_estimate([*values, math.nan], 0.5) == quantile_estimate(values, 0.5)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_variance_agrees_with_the_density(share: float) -> None:
    """The standard error is near sqrt(q (1 - q) / n) over the density at the quantile, here of a normal."""
    from scipy import stats

    expected = math.sqrt(share * (1 - share) / 20_000) / stats.norm.pdf(stats.norm.ppf(share))
    random = np.random.default_rng(11)

    errors = [quantile_estimate(random.normal(size=20_000), share).standard_error for _ in range(60)]

    assert np.mean(errors) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(("units", "share"), [(200, 0.5), (2_000, 0.9), (2_000, 0.99)])
def test_coverage_of_the_difference(units: int, share: float) -> None:
    """95 % intervals for a true difference of skewed values hold it in 93.4 to 96.6 % of 2,000 experiments."""
    random = np.random.default_rng(4)
    true = -0.1 * math.log(1 - share)

    hits = 0
    for _ in range(2_000):
        control, treatment = (quantile_estimate(random.exponential(s, units), share) for s in (1.0, 1.1))
        pair = independent_pair(control, treatment)
        hits += abs(pair.estimate - true) < NORMAL_QUANTILE * pair.standard_error

    assert 0.934 < hits / 2_000 < 0.966


def test_rows_of_one_unit_resemble_each_other() -> None:
    """With clusters the test of two alike arms errs near 5 %; with rows taken as independent far more often."""
    random = np.random.default_rng(8)
    runs, units = 600, 300
    wrong = {"units": 0, "rows": 0}
    for _ in range(runs):
        arms: dict[str, list[tuple[float, float]]] = {"units": [], "rows": []}
        for _ in range(2):
            rows = 1 + random.poisson(4, size=units)
            unit = np.repeat(np.arange(units), rows)
            values = random.normal(size=units)[unit] + 0.5 * random.normal(size=unit.size)
            for kind, clusters in (("units", unit), ("rows", None)):
                arm = quantile_estimate(values, 0.5, clusters)
                arms[kind].append((arm.mean, arm.variance))
        for kind, ((a, var_a), (b, var_b)) in arms.items():
            wrong[kind] += abs(a - b) > NORMAL_QUANTILE * math.sqrt(var_a + var_b)

    assert 0.025 < wrong["units"] / runs < 0.08
    assert wrong["rows"] / runs > 0.2


def test_single_rows_per_cluster_are_units() -> None:
    """Clusters of one row each give the same as no clusters, up to n / (n - 1)."""
    values = np.random.default_rng(3).normal(size=5_000)

    alone, clustered = quantile_estimate(values, 0.5), quantile_estimate(values, 0.5, np.arange(5_000))

    assert clustered.mean == alone.mean
    assert clustered.variance == pytest.approx(alone.variance, rel=2e-3)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, "no unit of a variant has a value"),
        ([math.nan], 0.5, "no unit of a variant has a value"),
        ([1.0, math.inf], 0.5, "not finite numbers"),
        (range(100), 1.0, "lies between 0 and 1, not at 1"),
        (range(100), math.nan, "lies between 0 and 1, not at nan"),
        (range(100), 0.99, "100 units in a variant are too few .* 381 would do"),
        ([0.0] * 800 + [1.0] * 200, 0.5, r"\(0\) the units of a variant share 1 different value;"),
        (list(range(5)) * 200, 0.5, "take a mean, or the share of units above a threshold"),
    ],
)
def test_refuses_by_name(values: list[float], share: float, expected: str) -> None:
    """What cannot be judged is refused with its reason."""
    with pytest.raises(AnalysisError, match=expected):
        quantile_estimate(list(values), share)


def test_the_named_number_of_units_would_do() -> None:
    """As many units as the refusal asks for are accepted."""
    assert quantile_estimate(range(381), 0.99).variance > 0


def test_few_clusters_are_refused() -> None:
    """A few units with many rows do not tell how units differ."""
    with pytest.raises(
        AnalysisError, match="29 units in a variant; a quantile of their rows needs at least 30"
    ):
        quantile_estimate(np.arange(290.0), 0.5, np.repeat(np.arange(29), 10))
