import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from experiments.stats import (
    DEFAULT_TUNING_UNITS,
    Alternative,
    PairEstimate,
    confidence_sequence,
    sequence_boundary,
)
from tests.experiments.stats.pairs import assert_consistent, pair_of, pairs

LOOKS = np.unique(np.geomspace(200, 10_000, 120).astype(int))


def test_agrees_with_the_published_formula() -> None:
    """The two-sided radius is theorem 2.2 of arXiv:2103.06476, written there in units, rho and sigma."""
    alpha, t, planned = 0.05, 8_000, 5_000
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned
    radius = 3.0 * math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / alpha))

    interval = confidence_sequence(pair_of(0.1, 3.0 / math.sqrt(t), units=t), alpha, planned)

    assert interval.ci_lower == pytest.approx(0.1 - radius, rel=1e-12)
    assert interval.ci_upper == pytest.approx(0.1 + radius, rel=1e-12)


def test_p_value_is_one_over_the_normal_mixture() -> None:
    """The p-value is the inverse of the likelihood ratio mixed over N(0, rho^2), by quadrature."""
    from scipy import integrate

    alpha, t, planned, z = 0.05, 8_000, 5_000, 3.3
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned
    rho = math.sqrt(rho2)

    def integrand(effect: float) -> float:
        prior = math.exp(-(effect**2) / (2 * rho2)) / (rho * math.sqrt(2 * math.pi))
        return prior * math.exp(effect * z * math.sqrt(t) - t * effect**2 / 2)

    mixture, _ = integrate.quad(integrand, -10 * rho, 10 * rho, epsabs=0, epsrel=1e-10, limit=200)

    assert confidence_sequence(pair_of(z, 1.0, units=t), alpha, planned).p_value == pytest.approx(
        1 / mixture, rel=1e-8
    )


@given(
    pairs,
    st.sampled_from([1e-6, 0.001, 0.05, 0.2]),
    st.sampled_from([None, 500, 1_000_000]),
    st.sampled_from(Alternative),
    st.sampled_from([None, 0.05]),
)
def test_p_value_and_intervals_agree(
    pair: PairEstimate, alpha: float, planned: int | None, alternative: Alternative, tuned_at: float | None
) -> None:
    """For every pair, level, plan and alternative, p is below alpha exactly if the intervals exclude zero."""
    assert_consistent(confidence_sequence(pair, alpha, planned, alternative, tuned_at=tuned_at))


@given(pairs, st.sampled_from(Alternative))
def test_one_tuning_has_one_p_value(pair: PairEstimate, alternative: Alternative) -> None:
    """At several levels, as corrections need them, the p-value is the same if the tuning is."""
    values = {
        confidence_sequence(pair, alpha, 10_000, alternative, tuned_at=0.05).p_value
        for alpha in (0.001, 0.01, 0.05)
    }

    assert len(values) == 1


@pytest.mark.parametrize("alpha", [0.01, 0.05])
def test_width_at_the_planned_units(alpha: float) -> None:
    """At the planned size the interval is at most 1.6 times as wide as the fixed one, and nowhere narrower."""
    fixed = -float(ndtri(alpha / 2))
    assert 1 < sequence_boundary(40_000, 40_000, alpha) / fixed < 1.6
    others = [sequence_boundary(40_000, planned, alpha) for planned in (10_000, 20_000, 80_000, 160_000)]
    assert sequence_boundary(40_000, 40_000, alpha) < min(others)
    assert sequence_boundary(7_000, None, alpha) == sequence_boundary(7_000, DEFAULT_TUNING_UNITS, alpha)


def test_one_sided_is_narrower() -> None:
    """Looking in one direction only, the end is nearer."""
    assert sequence_boundary(5_000, 5_000, 0.05, Alternative.GREATER) < sequence_boundary(5_000, 5_000, 0.05)


def test_few_units_are_not_judged() -> None:
    """Below 100 units in an arm there is no interval, and the reason says how many there are."""
    interval = confidence_sequence(pair_of(5.0, 0.1, units=1_000, share=0.95), 0.05)

    assert interval.ci_lower is None
    assert "the smaller variant has 50 units" in interval.reasons["p_value"]


def test_without_variance_there_is_no_interval() -> None:
    """If nothing varies, there is nothing to judge chance by."""
    assert "the same value" in confidence_sequence(pair_of(5.0, 0.0), 0.05).reasons["ci_upper"]


def test_a_small_arm_that_saw_nothing_yet_is_no_evidence() -> None:
    """900 units with 2 % conversion against 100 without any (chance 13 %) are not significant."""
    variance = 0.02 * 0.98 / 900
    pair = PairEstimate(0.02, 0.0, variance, 0.0, 0.0, (variance, 0.0), 900, 100)

    assert pair.estimate / pair.standard_error < -4
    assert not confidence_sequence(pair, 0.05).excludes_zero


@pytest.mark.parametrize(("planned", "alpha"), [(0, 0.05), (-5, 0.05), (100, 0.0)])
def test_settings_out_of_range_are_mistakes(planned: int, alpha: float) -> None:
    """A plan without units, or an error of zero, is refused."""
    with pytest.raises(ValueError, match="must"):
        sequence_boundary(100, planned, alpha)


def draw(kind: str, random: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a value for each unit and what it is a ratio to (ones for a mean)."""
    ones = np.ones(size)
    if kind == "conversion":
        return (random.random(size) < 0.02).astype(float), ones
    if kind == "revenue":
        return random.lognormal(3, 1, size) * (random.random(size) < 1 / 3), ones
    if kind == "ratio":
        orders = 1.0 + random.poisson(1, size)
        return orders * random.gamma(2.0, size=size) ** 2, orders
    if kind == "adjusted":
        # What is left after a covariate; slopes are those of each look, from all its units.
        x = random.lognormal(0, 1, size)
        y = 2 * x + random.lognormal(0, 1, size)
        return y, x
    return random.normal(size=size), ones


def ever_rejects(kind: str, share: float, runs: int, planned: int = 10_000) -> float:
    """Return the share of A/A experiments that are significant at any of 120 looks."""
    random = np.random.default_rng(41)
    rejected = 0
    for start in range(0, runs, 100):
        size = (min(100, runs - start), int(LOOKS[-1]))
        y, x = draw(kind, random, size)
        first = random.random(size) < share
        columns = [np.ones(size), y, x, y * y, x * y, x * x]
        whole = [np.cumsum(c, axis=1)[:, LOOKS - 1] for c in columns]
        control = [np.cumsum(c * first, axis=1)[:, LOOKS - 1] for c in columns]
        arms = [control, [w - c for w, c in zip(whole, control, strict=True)]]
        n = whole[0]
        slope = (whole[4] - whole[1] * whole[2] / n) / (whole[5] - whole[2] ** 2 / n + 1e-300)
        figures, variances = [], []
        for count, sy, sx, syy, sxy, sxx in arms:
            centred = [a - b * c / count for a, b, c in ((syy, sy, sy), (sxy, sx, sy), (sxx, sx, sx))]
            factor, below = np.zeros_like(sy), np.ones_like(sy)
            if kind == "ratio":
                factor, below = sy / sx, sx / count
            if kind == "adjusted":
                factor = slope
            spread = (centred[0] - 2 * factor * centred[1] + factor**2 * centred[2]) / (count - 1)
            mean = sy / sx if kind == "ratio" else (sy - factor * sx) / count
            figures.append(mean)
            variances.append(spread / below**2 / count)
        for i in range(size[0]):
            rejected += any(
                confidence_sequence(
                    PairEstimate(
                        float(figures[0][i, k]), float(figures[1][i, k]), 1.0, 1.0, 0.0,
                        (float(variances[0][i, k]), float(variances[1][i, k])),
                        int(arms[0][0][i, k]), int(arms[1][0][i, k]),
                    ), 0.05, planned).excludes_zero
                for k in range(len(LOOKS))
            )  # fmt: skip
    return rejected / runs


CASES = [
    ("normal", 0.5), ("conversion", 0.5), ("conversion", 0.9), ("conversion", 0.1), ("revenue", 0.5), ("revenue", 0.8),
    ("ratio", 0.5), ("ratio", 0.2), ("adjusted", 0.5), ("adjusted", 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "share"), CASES)
def test_looking_120_times_errs_in_at_most_5_percent(kind: str, share: float) -> None:
    """Of 200 A/A experiments looked at 120 times, at most 5 % are ever significant."""
    assert ever_rejects(kind, share, 200) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("planned", [500, 10_000, 1_000_000])
@pytest.mark.parametrize(("kind", "share"), CASES)
def test_looking_errs_in_at_most_5_percent_of_many(
    kind: str, share: float, planned: int, figures: Callable[..., None]
) -> None:
    """Of 2,000 A/A experiments looked at 120 times, at most 5 % are ever significant, however the plan errs."""
    rate = ever_rejects(kind, share, 2_000, planned)
    figures(ever_significant=rate)
    assert rate <= 0.05
