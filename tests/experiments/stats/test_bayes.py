"""The Bayesian reading of the relative effect."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.errors import AnalysisError
from experiments.stats import PairEstimate
from experiments.stats.bayes import FLAT, NormalPrior, posterior
from tests.experiments.stats.pairs import pair_of, pairs

# Lift 0.05 with variance (0.13975 + 1.05**2 * 0.1) / 10**2 = 0.0025.
PAIR = PairEstimate(10.0, 10.5, 0.1, 0.13975, 0.0, (0.1, 0.13975), 900, 900)


def test_conjugate_normal_by_hand() -> None:
    """Prior N(0, 0.1^2) and data 0.05 -+ 0.05: precisions 100 and 400, so mean 400 * 0.05 / 500, variance 1 / 500."""
    found = posterior(PAIR, NormalPrior(0.0, 0.1))

    assert found.mean == pytest.approx(0.04, rel=1e-12)
    assert found.sd == pytest.approx(math.sqrt(1 / 500), rel=1e-12)
    assert (found.ci_lower, found.ci_upper) == pytest.approx((0.04 - 0.0876522, 0.04 + 0.0876522), abs=1e-6)
    # The normal distribution function at 0.04 * sqrt(500) = 0.894427.
    assert found.probability_positive == pytest.approx(0.8144533, abs=1e-6)


def test_a_prior_away_from_zero_pulls() -> None:
    """With prior mean 0.1 and precision 100, the mean is (400 * 0.05 + 100 * 0.1) / 500."""
    assert posterior(PAIR, NormalPrior(0.1, 0.1)).mean == pytest.approx(0.06, rel=1e-12)


def test_flat_prior_is_the_normal_interval() -> None:
    """Without belief, the interval is the lift with 1.96 standard errors of the delta method on each side."""
    found = posterior(PAIR)

    assert found.mean == pytest.approx(0.05, rel=1e-12)
    assert (found.ci_lower, found.ci_upper) == pytest.approx(
        (0.05 - 1.959963985 * 0.05, 0.05 + 1.959963985 * 0.05), rel=1e-9
    )
    assert found.probability_positive == pytest.approx(0.8413447, abs=1e-6)


def test_what_both_arms_share_is_taken_into_account() -> None:
    """With covariance C the variance of the lift falls by 2 R C / control^2."""
    together = PairEstimate(10.0, 10.5, 0.1, 0.13975, 0.05, (0.05, 0.08975), 900, 900)

    assert posterior(together).sd ** 2 == pytest.approx(0.0025 - 2 * 1.05 * 0.05 / 100, rel=1e-12)


@given(pairs.filter(lambda pair: pair.control_mean > 0.01), st.floats(1e-3, 10), st.floats(0.01, 0.5))
def test_belief_lies_between_prior_and_data(pair: PairEstimate, sd: float, alpha: float) -> None:
    """The mean lies between prior and data, and is surer than either; every figure is finite."""
    flat, found = posterior(pair, FLAT, alpha), posterior(pair, NormalPrior(0.0, sd), alpha)

    assert min(0.0, flat.mean) - 1e-12 <= found.mean <= max(0.0, flat.mean) + 1e-12
    assert found.sd <= min(sd, flat.sd) * (1 + 1e-9)
    assert found.ci_lower < found.mean < found.ci_upper
    assert 0 <= found.probability_positive <= 1
    assert posterior(pair, NormalPrior(0.0, 1e150), alpha).ci_lower == pytest.approx(flat.ci_lower, rel=1e-9)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (pair_of(1.0, 0.0), "the same value"),
        (
            pair_of(1.0, 1.0, control=0.0),
            "the control's figure is 0; a relative effect needs one clearly above",
        ),
        (pair_of(1.0, 1.0, control=-5.0), "the control's figure is -5"),
    ],
)
def test_refuses_by_name(pair: PairEstimate, expected: str) -> None:
    """What cannot be judged is refused with its reason."""
    with pytest.raises(AnalysisError, match=expected):
        posterior(pair)


@pytest.mark.parametrize(
    "prior",
    [NormalPrior(0.0, 0.0), NormalPrior(0.0, -1.0), NormalPrior(math.nan, 1.0), NormalPrior(0.0, math.nan)],
)
def test_a_prior_is_a_distribution(prior: NormalPrior) -> None:
    """A prior needs a finite mean and a positive deviation."""
    with pytest.raises(ValueError, match="the prior is"):
        posterior(PAIR, prior)
