"""A/A simulations: how often each method finds an effect where there is none."""

from collections.abc import Callable

import numpy as np
import pytest

from experiments.stats import Moments, compare, mean_estimate, ratio_estimate

MEMBERS = 2_000  # in each arm
ALPHA = 0.05

Table = tuple[np.ndarray, ...]


def trips_of_members(random: np.random.Generator) -> Table:
    """Return hits and trips per member: members differ in how often they come and how often they hit."""
    trips = 1 + random.negative_binomial(1, 0.17, size=MEMBERS)
    return random.binomial(trips, random.beta(0.5, 4.5, size=MEMBERS)), trips


def revenue_of_members(random: np.random.Generator) -> Table:
    """Return heavy-tailed revenue per member, zero for two thirds of them."""
    return (random.lognormal(3, 1, size=MEMBERS) * (random.random(MEMBERS) < 1 / 3),)


def by_members(control: Table, treatment: Table) -> float:
    """Return the p-value of the product's own method: member sums with the delta method, or a mean."""
    estimate = ratio_estimate if len(control) == 2 else mean_estimate
    effect = compare(estimate(Moments.of(*control)), estimate(Moments.of(*treatment)), ALPHA)
    assert effect.p_value is not None
    return effect.p_value


def by_trips(control: Table, treatment: Table) -> float:
    """Return the p-value of the mistake: every trip taken as independent of the member's other trips."""
    arms = []
    for hits, trips in (control, treatment):
        count = int(trips.sum())
        share = float(hits.sum()) / count
        arms.append(mean_estimate(Moments(count, (share,), ((count * share * (1 - share),),))))
    p_value = compare(arms[0], arms[1], ALPHA).p_value
    assert p_value is not None
    return p_value


def p_values(
    draw: Callable[[np.random.Generator], Table], test: Callable[[Table, Table], float], runs: int
) -> np.ndarray:
    """Return the p-values of many experiments in which both arms are alike."""
    random = np.random.default_rng(20_171_231)
    return np.array([test(draw(random), draw(random)) for _ in range(runs)])


def assert_uniform(values: np.ndarray) -> None:
    """Under no effect p-values are uniform (Kolmogorov-Smirnov)."""
    from scipy import stats

    assert stats.kstest(values, "uniform").pvalue > 0.001


@pytest.mark.parametrize("draw", [trips_of_members, revenue_of_members])
def test_rate_of_false_findings(draw: Callable[[np.random.Generator], Table]) -> None:
    """Of 2,000 A/A experiments, 3.4 to 6.6 % are significant at 5 % (the 99.9 % band), with uniform p-values."""
    values = p_values(draw, by_members, 2_000)

    assert 0.034 < (values < ALPHA).mean() < 0.066
    assert_uniform(values)


def test_trips_taken_as_independent_err_far_more_often() -> None:
    """The same data with the trip as unit rejects more than twice as often as it says: why members are the unit."""
    assert (p_values(trips_of_members, by_trips, 1_000) < ALPHA).mean() > 0.10


@pytest.mark.slow
@pytest.mark.parametrize("draw", [trips_of_members, revenue_of_members])
def test_rate_of_false_findings_over_ten_thousand(draw: Callable[[np.random.Generator], Table]) -> None:
    """Of 10,000 A/A experiments, 4.3 to 5.7 % are significant at 5 % (the 99.9 % band), with uniform p-values."""
    values = p_values(draw, by_members, 10_000)

    assert 0.043 < (values < ALPHA).mean() < 0.057
    assert_uniform(values)
