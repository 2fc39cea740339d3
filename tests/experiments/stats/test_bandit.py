"""Allocation by Thompson's probabilities, and an estimate that survives it."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from experiments.errors import AnalysisError
from experiments.stats import PairEstimate, fixed_effect
from experiments.stats.bandit import batched_effect, thompson_shares
from tests.experiments.stats.pairs import pair_of

arms = st.lists(st.tuples(st.floats(-5, 5), st.floats(1e-4, 10)), min_size=1, max_size=8)


@given(st.floats(-3, 3), st.floats(0.01, 3), st.floats(-3, 3), st.floats(0.01, 3))
def test_two_arms_have_a_closed_form(m1: float, v1: float, m2: float, v2: float) -> None:
    """Of two arms the first is better with probability Phi((m1 - m2) / sqrt(v1 + v2))."""
    shares = thompson_shares([m1, m2], [v1, v2])

    assert shares[0] == pytest.approx(float(ndtr((m1 - m2) / math.sqrt(v1 + v2))), abs=1e-9)


def test_several_arms_agree_with_draws() -> None:
    """With posteriors of very different widths, chances agree with 400,000 draws."""
    means, variances = np.array([0.0, 0.1, 0.05, -0.5]), np.array([1e-6, 0.04, 1.0, 0.5])
    draws = np.random.default_rng(1).normal(means, np.sqrt(variances), size=(400_000, 4))
    expected = np.bincount(draws.argmax(axis=1), minlength=4) / 400_000

    assert thompson_shares(means.tolist(), variances.tolist()) == pytest.approx(expected, abs=0.004)


@given(arms, st.floats(0, 1))
def test_shares_are_shares(known: list[tuple[float, float]], floor: float) -> None:
    """Shares add up to one and none is below its part of the floor; order does not matter."""
    means, variances = [m for m, _ in known], [v for _, v in known]

    shares = thompson_shares(means, variances, floor)
    turned = thompson_shares(means[::-1], variances[::-1], floor)

    assert sum(shares) == pytest.approx(1, abs=1e-9)
    assert min(shares) >= floor / len(known) - 1e-12
    assert turned[::-1] == pytest.approx(shares, abs=1e-9)


def test_alike_arms_share_evenly() -> None:
    """Arms of which the same is known get the same."""
    assert thompson_shares([0.3] * 5, [0.01] * 5) == pytest.approx([0.2] * 5, abs=1e-12)
    assert thompson_shares([0.3] * 3, [0.0] * 3) == pytest.approx([1 / 3] * 3)


def test_a_floor_is_spread_evenly() -> None:
    """Of a hopeless arm's units only the unbiased slice is left."""
    assert thompson_shares([0.0, 100.0], [1.0, 1.0], floor=0.1) == pytest.approx((0.05, 0.95))


def test_arms_known_exactly() -> None:
    """A figure without variance is a fixed bar for the others; equal ones share."""
    shares = thompson_shares([1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0])

    assert shares == pytest.approx((0.25, 0.25, 0.5, 0.0), abs=1e-9)


@pytest.mark.parametrize(
    ("means", "variances", "expected"),
    [
        ([], [], "no arm"),
        ([math.nan, 1.0], [1.0, 1.0], "not a finite number"),
        ([1.0, 1.0], [math.inf, 1.0], "an even share until it has data"),
        ([1.0, 1.0], [-1.0, 1.0], "not a finite number"),
    ],
)
def test_refuses_by_name(means: list[float], variances: list[float], expected: str) -> None:
    """What cannot be computed is refused with its reason."""
    with pytest.raises(AnalysisError, match=expected):
        thompson_shares(means, variances)


def test_mistakes_of_the_caller() -> None:
    """A floor that is not a share, or an arm without variance, is no matter of the data."""
    with pytest.raises(ValueError, match=r"the floor is 1\.5"):
        thompson_shares([1.0], [1.0], 1.5)
    with pytest.raises(ValueError, match="2 means and 1 variances"):
        thompson_shares([1.0, 2.0], [1.0])
    with pytest.raises(AnalysisError, match="no day has units in both variants"):
        batched_effect([])


def test_batches_by_hand() -> None:
    """Two days of 50 + 50 and 20 + 80 units with variance 4 per unit: weights 5 and 4, each adds that variance."""
    days = [
        PairEstimate(10.0, 11.0, 4 / 50, 4 / 50, 0.0, (4 / 50, 4 / 50), 50, 50),
        PairEstimate(20.0, 21.9, 4 / 20, 4 / 80, 0.0, (4 / 20, 4 / 80), 20, 80),
    ]

    effect = batched_effect(days)

    assert effect.estimate == pytest.approx((5 * 1.0 + 4 * 1.9) / 9)
    assert effect.control_mean == pytest.approx((5 * 10 + 4 * 20) / 9)
    assert effect.standard_error == pytest.approx(2 * math.sqrt(2) / 9)
    assert (effect.control_units, effect.treatment_units) == (70, 130)


def test_equal_days_are_averaged() -> None:
    """Days of the same size give the mean of their effects, with the error of all units together."""
    days = [pair_of(effect, 0.3, units=1_000) for effect in (0.1, 0.2, 0.6)]

    effect = batched_effect(days)

    assert effect.estimate == pytest.approx(0.3)
    assert effect.standard_error == pytest.approx(0.3 / math.sqrt(3))


def test_a_day_without_variance_is_not_certain() -> None:
    """A small arm that has not converted once borrows the variance of the other days and of the other arm."""
    quiet = PairEstimate(0.1, 0.0, 0.09 / 900, 0.0, 0.0, (0.09 / 900, 0.0), 900, 100)
    usual = PairEstimate(0.1, 0.1, 0.09 / 500, 0.09 / 500, 0.0, (0.09 / 500, 0.09 / 500), 500, 500)

    alone, both = batched_effect([quiet]), batched_effect([quiet, usual])

    assert alone.own_variances[0] > 0
    assert alone.variance >= 0.09 / 100
    assert both.variance > 0.09 / 1_000 * 1.5


def _simulate(runs: int, batches: int, effect: float, seed: int) -> tuple[np.ndarray, list[PairEstimate]]:
    """Return the statistics of the pooled z-test, and the batched effects, of bandits with a floor of 10 %."""
    random = np.random.default_rng(seed)
    n, sums = np.zeros((2, runs, 2))
    share = np.full(runs, 0.5)
    days: list[list[PairEstimate]] = [[] for _ in range(runs)]
    for _ in range(batches):
        treated = random.binomial(300, share)
        arms = np.stack([300 - treated, treated], axis=1)
        hits = random.binomial(arms, [0.1, 0.1 + effect])
        n, sums = n + arms, sums + hits
        means = hits / arms
        variances = means * (1 - means) / (arms - 1)
        for run in np.flatnonzero(arms.min(axis=1) >= 2):
            (base, other), (below, above) = means[run].tolist(), variances[run].tolist()
            days[run].append(
                PairEstimate(base, other, below, above, 0.0, (below, above), *arms[run].tolist())
            )
        overall = sums / n
        deviations = (overall[:, 1] - overall[:, 0]) / np.sqrt((overall * (1 - overall) / n).sum(axis=1))
        # The closed form of the shares of two arms, so that all bandits run at once.
        share = 0.05 + 0.9 * ndtr(deviations)
    return deviations, [batched_effect(run) for run in days]


def _error_rates(runs: int) -> tuple[float, float]:
    deviations, effects = _simulate(runs, 25, 0.0, seed=2002)
    p_values = [fixed_effect(effect, 0.05).p_value for effect in effects]
    return float((2 * ndtr(-abs(deviations)) < 0.05).mean()), float(
        np.mean([p < 0.05 for p in p_values if p])
    )


def test_error_rate_under_thompson_allocation() -> None:
    """Between equal arms, 25 days, 2,000 bandits: the pooled test errs above 8 %, the batched one 3.4 to 6.6 %."""
    pooled, batched = _error_rates(2_000)

    assert pooled > 0.08
    assert 0.034 < batched < 0.066


@pytest.mark.slow
def test_error_rate_over_ten_thousand_bandits(figures: Callable[..., None]) -> None:
    """The batched estimate errs 4.3 to 5.7 % of the time (the 99.9 % band over 10,000)."""
    pooled, batched = _error_rates(10_000)
    figures(pooled=pooled, batched=batched)

    assert pooled > 0.08
    assert 0.043 < batched < 0.057


def test_coverage_with_a_true_effect() -> None:
    """95 % intervals hold a true effect in 93.4 to 96.6 % of 2,000 bandits that favour the better arm."""
    _, effects = _simulate(2_000, 20, 0.02, seed=7)
    intervals = [fixed_effect(effect, 0.05) for effect in effects]
    hits = [
        i.ci_lower < 0.02 < i.ci_upper for i in intervals if i.ci_lower is not None and i.ci_upper is not None
    ]

    assert len(hits) == 2_000
    assert 0.934 < np.mean(hits) < 0.966
