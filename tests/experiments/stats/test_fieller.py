import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats import MetricShape, Moments, PairEstimate, Quantity, estimate_pair, relative_interval
from experiments.stats.interval import relative_estimate
from tests.experiments.stats.pairs import pair_of, pairs


@given(pairs, st.floats(0.5, 40))
def test_ends_solve_fiellers_equation(pair: PairEstimate, quantile: float) -> None:
    """At an end, treatment minus that multiple of control is exactly the quantile's standard errors from zero."""
    lower, upper, reason = relative_interval(pair, quantile)
    if lower is None or upper is None:
        assert reason
        return
    scale = max(abs(lower), abs(upper))
    for lift in (lower, upper):
        ratio = 1 + lift
        deviation = pair.treatment_mean - ratio * pair.control_mean
        spread = math.sqrt(
            pair.treatment_variance - 2 * ratio * pair.covariance + ratio**2 * pair.control_variance
        )
        # An end that lies thousands of times farther out than the other keeps fewer digits.
        assert abs(deviation) == pytest.approx(quantile * spread, rel=1e-6, abs=1e-9 * scale)


@given(pairs, st.floats(0.5, 40))
def test_excludes_zero_with_the_difference(pair: PairEstimate, quantile: float) -> None:
    """Zero lies between the relative ends exactly if it lies between the difference's."""
    lower, upper, _ = relative_interval(pair, quantile)
    if lower is None or upper is None:
        return
    half = quantile * pair.standard_error

    assert (lower > 0) == (pair.estimate - half > 0)
    assert (upper < 0) == (pair.estimate + half < 0)
    assert lower <= pair.estimate / pair.control_mean <= upper


def test_of_a_known_control_it_is_the_difference_in_per_cent() -> None:
    """If the control's figure has no variance, both intervals are the same but for the unit."""
    pair = PairEstimate(200.0, 206.0, 0.0, 4.0, 0.0, (0.0, 4.0), 100, 100)

    assert relative_interval(pair, 1.5) == pytest.approx((0.015, 0.045, ""))


@pytest.mark.parametrize("control", [0.0, -3.0])
def test_nothing_is_a_percentage_of_zero_or_of_a_loss(control: float) -> None:
    """Without a positive control's figure there is neither estimate nor interval."""
    pair = pair_of(1.0, 0.1, control=control)

    lower, upper, reason = relative_interval(pair, 2.0)

    assert (lower, upper, relative_estimate(pair)) == (None, None, None)
    assert "a relative effect needs one clearly above zero" in reason


def test_an_uncertain_control_has_no_bounds() -> None:
    """If the control's figure may be zero, the relative effect may be anything."""
    pair = pair_of(1.0, 0.2, control=0.2)

    assert relative_interval(pair, 2.0)[2].endswith("has no bounds")
    assert relative_estimate(pair) == pytest.approx(5.0)


def coverage(effect: float, runs: int, *, adjusted: bool) -> float:
    """Return how often the 95 % interval holds the true lift; the covariate explains nine tenths of the variance."""
    random = np.random.default_rng(2_026)
    units, cut = 400, 120
    shape = MetricShape(Quantity(0), (Quantity(1),) if adjusted else ())
    held = 0
    for _ in range(runs):
        x = random.gamma(2.0, size=units)
        y = 3 * x + random.normal(0, math.sqrt(2), size=units)
        y[cut:] *= 1 + effect
        pair = estimate_pair(Moments.of(y[:cut], x[:cut]), Moments.of(y[cut:], x[cut:]), shape)
        lower, upper, _ = relative_interval(pair, 1.9686)  # of t with about 300 degrees of freedom
        assert lower is not None
        assert upper is not None
        held += lower <= effect <= upper
    return held / runs


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("effect", [0.0, 0.02, 0.10])
def test_coverage(effect: float, adjusted: bool) -> None:
    """With no effect, 2 % and 10 %, the interval holds the truth in about 95 %, with a strong covariate too."""
    assert coverage(effect, 2_500, adjusted=adjusted) == pytest.approx(0.95, abs=0.0145)


@pytest.mark.slow
@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("effect", [0.0, 0.02, 0.10])
def test_coverage_over_twenty_thousand(effect: float, adjusted: bool, figures: Callable[..., None]) -> None:
    """Over 20,000 experiments, coverage is between 94 and 96 %."""
    share = coverage(effect, 20_000, adjusted=adjusted)
    figures(coverage=share)
    assert share == pytest.approx(0.95, abs=0.01)
