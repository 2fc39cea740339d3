"""The noncentral t distribution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.stats.power import noncentral_t_above


@pytest.mark.filterwarnings("ignore:Error in function cdf")
@given(st.floats(1, 1e7), st.floats(-8, 8), st.floats(-12, 12))
def test_agrees_with_scipy(freedom: float, drift: float, quantile: float) -> None:
    """Where scipy's distribution has an answer, it is the same to nine digits."""
    from scipy import stats

    expected = float(stats.nct.sf(quantile, freedom, drift))

    found = noncentral_t_above(freedom, drift, quantile)

    assert 0 <= found <= 1 + 1e-12
    if math.isfinite(expected):
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("freedom", [1.0, 2.0, 7.3, 1e3, 1e9])
@pytest.mark.parametrize("quantile", [0.0, 1.96, 5.6, 200.0])
def test_without_drift_it_is_students(freedom: float, quantile: float) -> None:
    """Without an effect it is the t distribution, also in far tails."""
    from scipy import stats

    expected = float(stats.t.sf(quantile, freedom))

    assert noncentral_t_above(freedom, 0.0, quantile) == pytest.approx(expected, rel=1e-7, abs=1e-16)


def test_far_tails_are_numbers() -> None:
    """Where ``nctdtr`` of scipy 1.17 is not a number, the chance is nearly one or nearly zero."""
    assert noncentral_t_above(12_672, 11.2, 3.6) == pytest.approx(1, abs=1e-12)
    assert noncentral_t_above(12_672, -11.2, 3.6) == pytest.approx(0, abs=1e-12)
