import math
from typing import Any

import numpy as np
import pytest

from experiments.errors import AnalysisError
from experiments.stats import (
    MetricShape,
    Moments,
    PairEstimate,
    Quantity,
    arm_figure,
    estimate_pair,
)

Y, D, X, PX, PD = range(5)
SHAPES = {
    "mean": MetricShape(Quantity(Y)),
    "mean, covariate": MetricShape(Quantity(Y), (Quantity(X),)),
    "ratio": MetricShape(Quantity(Y, D)),
    "ratio, covariate": MetricShape(Quantity(Y, D), (Quantity(PX, PD),)),
}
# tea-tasting 1.14.0 on the table below: Mean("y"), Mean("y", covariate="x"), RatioOfMeans("y", "d") and
# RatioOfMeans("y", "d", "px", "pd"): control, treatment, difference, difference over its standard error.
TEA_TASTING = {
    "mean": (8.981041726223234, 9.36710333455438, 0.386061608331147, 0.9355152578979091),
    "mean, covariate": (8.951243548626044, 9.3883877471238, 0.4371441984977569, 1.5904276724011233),
    "ratio": (2.9936805754077445, 3.1223677781847936, 0.12868720277704915, 0.4593212099722909),
    "ratio, covariate": (2.994251385753257, 3.1219600565094274, 0.12770867075617032, 0.45666834316048316),
}


def reference_arms() -> tuple[Moments, Moments]:
    """Return 50 and 70 units of a table that any tool can rebuild."""
    i = np.arange(120.0)
    x = np.sin(i * 1.7) * 3 + 10
    d = 1 + (i * 7) % 5
    y = 0.8 * x + np.cos(i * 2.3) * 2 + 0.5 * (i >= 50) + 0.3 * d
    px = np.cos(i * 0.9) + 4 + 0.1 * y
    pd = 2 + (i * 3) % 4
    columns = np.array([y, d, x, px, pd])
    return Moments.of(*columns[:, :50]), Moments.of(*columns[:, 50:])


@pytest.mark.parametrize("name", SHAPES)
def test_agrees_with_tea_tasting(name: str) -> None:
    """Adjusted means, difference and standard error are tea-tasting's to 1e-9, with and without a covariate."""
    control, treatment, difference, statistic = TEA_TASTING[name]

    pair = estimate_pair(*reference_arms(), SHAPES[name])

    assert pair.control_mean == pytest.approx(control, rel=1e-9)
    assert pair.treatment_mean == pytest.approx(treatment, rel=1e-9)
    assert pair.estimate == pytest.approx(difference, rel=1e-9)
    assert pair.estimate / pair.standard_error == pytest.approx(statistic, rel=1e-9)
    assert (pair.variance_reduction is None) == (not SHAPES[name].covariates)


def test_several_covariates_are_a_regression() -> None:
    """With two covariates the test is Welch's on the residuals of the units' least-squares regression."""
    from scipy import stats

    random = np.random.default_rng(4)
    x = np.array([[1e6], [1e-3]]) * random.normal(size=(2, 900)) + np.array([[1e7], [0.0]])
    y = x[0] / 1e6 + x[1] * 2e3 + random.normal(size=900) + 0.2 * (np.arange(900) >= 400)
    design = np.vstack([np.ones(900), x[0] / 1e6, x[1] / 1e-3]).T
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    reference = stats.ttest_ind(residuals[400:], residuals[:400], equal_var=False)

    pair = estimate_pair(
        Moments.of(y[:400], *x[:, :400]),
        Moments.of(y[400:], *x[:, 400:]),
        MetricShape(Quantity(0), (Quantity(1), Quantity(2))),
    )

    assert pair.estimate / pair.standard_error == pytest.approx(reference.statistic, rel=1e-9)
    assert pair.degrees_of_freedom == pytest.approx(reference.df, rel=1e-9)
    assert pair.variance_reduction == pytest.approx(5 / 6, abs=0.05)


def test_without_covariates_arms_are_independent() -> None:
    """Each arm's variance is that of its own units, and there is no covariance."""
    control, treatment = reference_arms()

    pair = estimate_pair(control, treatment, SHAPES["ratio"])

    assert pair.covariance == 0.0
    assert (pair.control_variance, pair.treatment_variance) == pair.own_variances
    assert pair.control_variance == pytest.approx(arm_figure(control, Quantity(Y, D)).variance, rel=1e-15)


@pytest.mark.parametrize("name", SHAPES)
def test_common_part_cancels_in_the_difference(name: str) -> None:
    """The variance of the difference follows from both variances and the covariance."""
    pair = estimate_pair(*reference_arms(), SHAPES[name])

    difference = pair.control_variance + pair.treatment_variance - 2 * pair.covariance
    assert difference == pytest.approx(pair.variance, rel=1e-12)
    assert pair.covariance**2 < pair.control_variance * pair.treatment_variance


@pytest.mark.parametrize("ratio", [False, True])
def test_variances_and_covariance_of_adjusted_figures(ratio: bool) -> None:
    """Over 4,000 experiments with a strong covariate, means, variances and covariance are as estimated, in 6 %."""
    random = np.random.default_rng(12)
    shape = MetricShape(Quantity(0, 2) if ratio else Quantity(0), (Quantity(1, 3) if ratio else Quantity(1),))

    def pair_of(units: int) -> PairEstimate:
        x = random.gamma(2.0, size=units)
        visits = 1.0 + random.poisson(2, size=units)
        y = (3 * x + random.normal(size=units)) * visits
        columns = np.array([y, x * visits, visits, visits])
        columns[0, units // 3 :] *= 1.1
        return estimate_pair(
            Moments.of(*columns[:, : units // 3]), Moments.of(*columns[:, units // 3 :]), shape
        )

    pairs = [pair_of(300) for _ in range(4_000)]
    observed = np.cov([p.control_mean for p in pairs], [p.treatment_mean for p in pairs])

    assert observed[0, 0] == pytest.approx(np.mean([p.control_variance for p in pairs]), rel=0.06)
    assert observed[1, 1] == pytest.approx(np.mean([p.treatment_variance for p in pairs]), rel=0.06)
    assert observed[0, 1] == pytest.approx(np.mean([p.covariance for p in pairs]), rel=0.06)


def test_figures_of_one_arm_by_hand() -> None:
    """A mean's variance is the sample's over n; a ratio's that of ``y - r d`` over n and the squared mean of d."""
    y, d = np.array([1.0, 2.0, 4.0] * 10), np.array([1.0, 1.0, 2.0] * 10)
    residuals = y - 7 / 4 * d

    mean = arm_figure(Moments.of([1.0, 2.0, 4.0]), Quantity(0))
    ratio = arm_figure(Moments.of(y, d), Quantity(0, 1))

    assert (mean.members, ratio.members) == (3, 30)
    assert mean.mean == pytest.approx(7 / 3)
    assert mean.variance == pytest.approx(7 / 3 / 3)
    assert ratio.mean == pytest.approx(7 / 4)
    assert ratio.variance == pytest.approx(residuals.var(ddof=1) / 30 / (4 / 3) ** 2)


@pytest.mark.parametrize("covariate", ["constant", "repeated", "of another scale"])
def test_useless_covariates_change_nothing(covariate: str) -> None:
    """A covariate that is constant, or repeats another in other units, adds no information and no trouble."""
    random = np.random.default_rng(9)
    x = random.normal(5, 1, size=400)
    y = x + random.normal(size=400)
    extra = {"constant": np.full(400, 0.1), "repeated": x, "of another scale": 1e9 * x + 1e12}[covariate]
    arms = [Moments.of(y[rows], x[rows], extra[rows]) for rows in (slice(0, 150), slice(150, None))]

    alone = estimate_pair(arms[0], arms[1], MetricShape(Quantity(0), (Quantity(1),)))
    both = estimate_pair(arms[0], arms[1], MetricShape(Quantity(0), (Quantity(1), Quantity(2))))

    assert both.estimate == pytest.approx(alone.estimate, rel=1e-6)
    assert both.variance == pytest.approx(alone.variance, rel=1e-6)


def test_a_covariate_that_is_the_metric_leaves_no_variance() -> None:
    """If the metric is a multiple of its covariate, what is left is rounding, and is zero."""
    x = np.random.default_rng(3).normal(7, 2, size=500)
    arms = [Moments.of(3 * part, part) for part in (x[:200], x[200:])]

    pair = estimate_pair(arms[0], arms[1], MetricShape(Quantity(0), (Quantity(1),)))

    assert (pair.variance, pair.degrees_of_freedom, pair.variance_reduction) == (0.0, None, 1.0)
    assert pair.estimate == pytest.approx(0.0, abs=1e-12)


def test_large_means_keep_their_variance() -> None:
    """Metric and covariate of 1e9 with a deviation of 1 give what they give around zero."""
    random = np.random.default_rng(6)
    x = random.normal(size=2_000)
    y = x + random.normal(size=2_000)
    shape = MetricShape(Quantity(0), (Quantity(1),))

    near = estimate_pair(Moments.of(y[:900], x[:900]), Moments.of(y[900:], x[900:]), shape)
    far = estimate_pair(
        Moments.of(1e9 + y[:900], 1e9 + x[:900]), Moments.of(1e9 + y[900:], 1e9 + x[900:]), shape
    )

    assert far.standard_error == pytest.approx(near.standard_error, rel=1e-6)
    assert far.estimate == pytest.approx(near.estimate, abs=1e-6)


def test_other_columns_do_not_matter() -> None:
    """Columns of the same pass that the metric does not use may hold anything."""
    y = np.arange(10.0)
    arms = [
        Moments(10, (m.means[0], math.inf), ((m.products[0][0], math.nan), (math.nan, math.inf)))
        for m in (Moments.of(y), Moments.of(y + 1))
    ]

    pair = estimate_pair(arms[0], arms[1], MetricShape(Quantity(0)))

    assert pair == estimate_pair(Moments.of(y), Moments.of(y + 1), MetricShape(Quantity(0)))
    assert pair.estimate == 1.0


@pytest.mark.parametrize(
    ("columns", "shape", "expected"),
    [
        (([1.0],), MetricShape(Quantity(0)), "1 unit in a variant; a mean needs at least 2"),
        (([],), MetricShape(Quantity(0)), "0 units in a variant"),
        (
            ([1.0] * 29, [1.0] * 29),
            MetricShape(Quantity(0, 1)),
            "29 units in a variant; a ratio needs at least 30",
        ),
        (([1.0] * 29, [1.0] * 29), MetricShape(Quantity(0), (Quantity(0, 1),)), "a ratio needs at least 30"),
        (([1.0] * 40, [0.0] * 40), MetricShape(Quantity(0, 1)), "^the denominators add up to 0;"),
        (
            ([1.0] * 40, [-1.0] * 40),
            MetricShape(Quantity(0), (Quantity(0, 1),)),
            "^a covariate's denominators",
        ),
        (([1.0, math.inf, 2.0],), MetricShape(Quantity(0)), "not finite numbers"),
        (([1e200, -1e200],), MetricShape(Quantity(0)), "too large to be squared"),
        (([1.0, 2.0], [1.0, math.inf]), MetricShape(Quantity(0), (Quantity(1),)), "not finite numbers"),
    ],
)
def test_what_cannot_be_computed_is_refused(columns: Any, shape: MetricShape, expected: str) -> None:
    """Each refusal says what is missing, whichever arm it is."""
    with np.errstate(all="ignore"):
        bad = Moments.of(*columns)
    good = Moments.of(*(np.arange(1.0, 50.0) for _ in columns))

    for arms in ((bad, good), (good, bad)):
        with pytest.raises(AnalysisError, match=expected):
            estimate_pair(*arms, shape)


def test_ratios_of_one_multiple_have_no_variance() -> None:
    """If every unit's numerator is the same multiple of its denominator, the residual is rounding only."""
    orders = np.arange(1.0, 101.0)

    assert arm_figure(Moments.of(0.1 * orders, orders), Quantity(0, 1)).variance == 0.0
    assert arm_figure(Moments.of(orders, orders), Quantity(0, 0)).variance == 0.0
