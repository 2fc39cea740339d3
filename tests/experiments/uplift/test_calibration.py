"""Predicted effects are held against actual ones, and shrunk to what holds."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from experiments.uplift.calibration import apply_all, calibrate, calibrate_arms, group_effects
from tests.experiments.uplift.simulated import simulate


def test_a_line_done_by_hand() -> None:
    """Slope and HC3 error of four points, worked out from the textbook's sums: slope 2, intercept 1.5."""
    predicted = np.array([0.0, 0.0, 2.0, 2.0])
    contrasts = np.array([1.0, 2.0, 5.0, 6.0])
    found = calibrate(contrasts, predicted, cross_fitted=False)
    assert found.slope.value == pytest.approx(2.0)
    assert found.intercept == pytest.approx(1.5)
    # Leverage 1/4 + 1/4, residuals 1/2, inflated to 1; the error is sqrt(4 * 1 * 1) / 4.
    assert found.slope.standard_error == pytest.approx(0.5)
    assert found.slope.p_value == pytest.approx(2 * stats.t.sf(4.0, 2))
    assert found.slope.lower == pytest.approx(2 - 0.5 * stats.t.ppf(0.975, 2))
    assert found.bound == pytest.approx(2 - 0.5 * stats.t.ppf(0.95, 2))


def test_the_slope_equals_that_of_statsmodels() -> None:
    """Unequal variances: figures of statsmodels' OLS with ``cov_type="HC3", use_t=True`` on the same 200 members."""
    predicted = np.random.default_rng(11).normal(size=200)
    noise = np.random.default_rng(12).normal(size=200) * (1 + np.abs(predicted))
    found = calibrate(0.4 * predicted + noise, predicted)
    slope = found.slope
    assert (slope.value, slope.standard_error) == pytest.approx((0.80761729, 0.18369845), rel=1e-7)
    assert (slope.lower, slope.upper) == pytest.approx((0.44536074, 1.16987385), rel=1e-7)
    assert slope.p_value == pytest.approx(1.79410929e-05, rel=1e-7)
    assert found.intercept == pytest.approx(0.05891197, rel=1e-6)


def test_the_gate_of_cross_fitted_predictions_takes_the_variance_twice_and_shares_its_error() -> None:
    """With three arms, the bound lies at 1 - .05 / 3, one-sided, with an error sqrt 2 times as large."""
    random = np.random.default_rng(1)
    predicted = random.normal(size=50)
    contrasts = predicted + random.normal(size=50)
    found = calibrate(contrasts, predicted, tests=3)
    slope = found.slope
    reach = math.sqrt(2) * slope.standard_error * stats.t.ppf(1 - 0.05 / 3, 48)
    assert found.bound == pytest.approx(slope.value - reach)


def test_right_predictions_are_kept_and_wide_ones_are_shrunk() -> None:
    """True effects have slope 1; three times too far apart, they have a third, raise a warning and are brought back."""
    sim = simulate(3, n=20_000, interaction=0.5)
    truth = sim.truth[:, 0]
    right = calibrate(sim.contrasts, truth, cross_fitted=False)
    assert right.passes
    assert right.warning is None
    assert abs(right.slope.value - 1) < 3 * right.slope.standard_error
    wide = calibrate(sim.contrasts, 7 + 3 * truth, cross_fitted=False)
    assert wide.slope.value == pytest.approx(right.slope.value / 3)
    assert wide.warning is not None
    assert "3.0 times too far apart" in wide.warning
    assert np.allclose(
        wide.apply(7 + 3 * truth),
        right.average.value + right.slope.value * (truth - truth.mean()),
    )


def test_what_is_too_close_together_is_not_spread() -> None:
    """A slope above 1 is clipped: calibration never makes a difference larger than it was predicted."""
    sim = simulate(3, n=20_000, interaction=0.5)
    narrow = calibrate(sim.contrasts, sim.truth[:, 0] / 3)
    assert narrow.slope.value > 2
    assert narrow.shrinkage == 1


def test_without_a_difference_everybody_has_the_average_effect() -> None:
    """Where the gate fails, the calibrated effect is the average effect, and a sentence says so; also for reversed ones."""
    sim = simulate(4, n=5_000, interaction=0.0, arms=3)
    noise = np.random.default_rng(0).normal(size=(5_000, 2))
    found = calibrate_arms(sim.scores, noise)
    assert not any(one.passes for one in found)
    calibrated = apply_all(found, noise)
    means = sim.scores.mean(axis=0)
    assert np.allclose(calibrated, means[1:] - means[0])
    reversed_ = simulate(4, n=5_000, interaction=0.5)
    wrong = calibrate(reversed_.contrasts, -reversed_.truth[:, 0])
    assert wrong.slope.below_zero
    assert not wrong.passes
    assert wrong.warning is not None
    assert wrong.shrinkage == 0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_equal_predictions_and_tiny_trials_have_no_slope(n: int) -> None:
    """Nobody can be chosen by predictions that are all equal; that is a sentence and no figure."""
    found = calibrate(np.arange(float(n)), np.full(n, 0.1))
    assert math.isnan(found.slope.value)
    assert not found.passes
    assert found.shrinkage == 0
    assert found.warning == "All predicted effects are equal, so nobody can be chosen by them."


@given(st.integers(0, 10_000), st.floats(-5, 5), st.floats(0.1, 10))
def test_moving_and_stretching_predictions_changes_no_verdict(seed: int, by: float, times: float) -> None:
    """The gate, the p-value and the calibrated effects know no unit of the predictions, as long as nothing is clipped."""
    random = np.random.default_rng(seed)
    predicted = random.normal(size=60)
    contrasts = 0.5 * predicted + random.normal(size=60)
    one, other = calibrate(contrasts, predicted), calibrate(contrasts, by + times * predicted)
    assert one.passes == other.passes
    assert one.slope.p_value == pytest.approx(other.slope.p_value)
    assume(0 < one.slope.value < 1 and 0 < other.slope.value < 1)
    assert np.allclose(one.apply(predicted), other.apply(by + times * predicted))


def test_group_effects_are_means_and_their_equality_is_tested() -> None:
    """Five groups have their means; the joint test is the one-way Wald test, here against scipy's chi-squared."""
    sim = simulate(5, n=4_000, interaction=0.4)
    found = group_effects(sim.contrasts, sim.truth[:, 0], cross_fitted=False)
    order = np.argsort(-sim.truth[:, 0])
    parts = np.split(sim.contrasts[order], 5)
    assert [one.value for one in found.effects] == pytest.approx([part.mean() for part in parts])
    weights = np.array([len(part) / part.var(ddof=1) for part in parts])
    means = np.array([part.mean() for part in parts])
    wald = float(weights @ (means - np.average(means, weights=weights)) ** 2)
    assert found.p_value == pytest.approx(float(stats.chi2.sf(wald, 4)))
    assert found.rising
    assert found.top_minus_bottom.above_zero
    upside_down = group_effects(sim.contrasts, -sim.truth[:, 0])
    assert not upside_down.rising
    assert upside_down.top_minus_bottom.below_zero
    assert group_effects(sim.contrasts, np.ones(4_000)).p_value == 1


def false_positives(runs: int, **kind: object) -> tuple[float, float]:
    """Return in what share of trials without any difference the gate and the joint test find one."""
    gates = joint = 0
    for seed in range(runs):
        sim = simulate(seed, interaction=0.0, **kind)  # type: ignore[arg-type]
        gates += any(one.passes for one in calibrate_arms(sim.scores, sim.predicted))
        joint += group_effects(sim.contrasts, sim.predicted[:, 0]).p_value < 0.05
    return gates / runs, joint / runs


def test_the_gate_seldom_finds_what_is_not_there() -> None:
    """Of 200 trials without a difference, at most 5 % pass the gate (with cross-fitted predictions), beyond chance."""
    gates, joint = false_positives(200, n=400, features=6)
    assert gates <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)
    assert joint <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        {"n": 600, "features": 4},
        {"n": 600, "features": 4, "noise": "lognormal"},
        {"n": 600, "features": 40},
        {"n": 600, "features": 40, "folds": 2},
        {"n": 900, "features": 12, "arms": 3},
        {"n": 2_000, "features": 100},
    ],
)
def test_false_positives_of_the_gate_stay_below_the_level(
    kind: dict[str, object], figures: Callable[..., None]
) -> None:
    """With few and many features, skewed outcomes, several arms and few folds: 1,000 trials each, at most 5 %."""
    gates, joint = false_positives(1_000, **kind)
    figures(gate=gates, joint=joint)
    assert gates <= 0.05
    assert joint <= 0.05


def test_the_gate_finds_what_is_there() -> None:
    """A difference of half a standard deviation of the outcome passes in a trial of 2,000."""
    passed = [
        calibrate_arms(sim.scores, sim.predicted)[0].passes
        for sim in (simulate(seed, interaction=0.5) for seed in range(20))
    ]
    assert all(passed)
