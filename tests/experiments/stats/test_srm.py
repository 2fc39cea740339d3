import math

import numpy as np
import pytest

from experiments.stats import check_sample_ratio

EVEN = {"a": 1, "b": 1}


def test_bayes_factor_by_quadrature() -> None:
    """For two variants, one over p is the mean over Beta distributions of the likelihood ratio."""
    from scipy import integrate, stats

    def ratio(concentration: float) -> float:
        prior = stats.beta(0.4 * concentration, 0.6 * concentration)

        def integrand(share: float) -> float:
            evidence = 530 * math.log(share / 0.4) + 670 * math.log((1 - share) / 0.6)
            return math.exp(evidence) * float(prior.pdf(share))

        return integrate.quad(integrand, 0.2, 0.75, points=[0.4, 0.44], epsrel=1e-10, limit=300)[0]  # type: ignore[no-any-return]

    expected = np.mean([ratio(c) for c in (10.0, 100.0, 1_000.0, 10_000.0, 100_000.0)])

    check = check_sample_ratio({"a": 530, "b": 670}, {"a": 4, "b": 6})

    assert check.always_valid_p == pytest.approx(1 / expected, rel=1e-6)


def test_the_smallest_p_value_of_all_days_stays() -> None:
    """A mismatch of the first days is not forgotten when later days even it out."""
    days = [{"a": 700, "b": 500}, {"a": 1_200, "b": 1_200}]

    with_days = check_sample_ratio({"a": 1_200, "b": 1_200}, EVEN, days)
    without = check_sample_ratio({"a": 1_200, "b": 1_200}, EVEN)
    first = check_sample_ratio(days[0], EVEN)

    assert (with_days.alarm, without.alarm) == (True, False)
    assert with_days.always_valid_p == first.always_valid_p
    assert with_days.p_value == without.p_value == 1.0


def test_a_variant_without_weight_must_have_no_units() -> None:
    """One unit in a closed or unknown variant is an alarm that names it; without units the variant does not count."""
    leaked = check_sample_ratio({"a": 5_000, "b": 5_000, "closed": 1}, EVEN | {"closed": 0})
    unknown = check_sample_ratio({"a": 5_000, "b": 5_000, "other": 7}, EVEN)
    healthy = check_sample_ratio({"a": 5_100, "b": 4_900}, EVEN | {"closed": 0})

    assert leaked.alarm
    assert "1 in closed" in leaked.reason
    assert unknown.alarm
    assert "7 in other" in unknown.reason
    assert healthy.p_value == check_sample_ratio({"a": 5_100, "b": 4_900}, EVEN).p_value
    assert healthy.p_value == pytest.approx(0.0455, abs=1e-4)


def test_suspicion_is_not_alarm() -> None:
    """The published mobile-game test (p = 0.0086) is worth a look, and no reason to distrust everything."""
    check = check_sample_ratio({"gate_30": 44_700, "gate_40": 45_489}, {"gate_30": 1, "gate_40": 1})

    assert (check.warning, check.alarm) == (True, False)


def test_few_units_have_an_always_valid_p_value() -> None:
    """Below five expected units there is no chi-squared, but the Bayes factor needs no approximation."""
    check = check_sample_ratio({"a": 9, "b": 0}, EVEN)

    assert check.p_value is None
    assert check.always_valid_p is not None
    assert not check.alarm


@pytest.mark.parametrize(("counts", "weights"), [({"a": 9}, {"a": 1}), ({}, {"a": 0, "b": 0}), ({}, {})])
def test_one_variant_cannot_mismatch(counts: dict[str, int], weights: dict[str, int]) -> None:
    """Without two variants that get units, there is nothing to compare."""
    check = check_sample_ratio(counts, weights)

    assert (check.p_value, check.always_valid_p, check.alarm) == (None, None, False)
    assert "fewer than two" in check.reason


@pytest.mark.parametrize(
    ("weights", "daily", "days"), [((1, 1), 20_000, 28), ((9, 1), 200, 100), ((1, 1, 1, 2), 100, 200)]
)
def test_looking_daily_alarms_for_at_most_1_percent(weights: tuple[int, ...], daily: int, days: int) -> None:
    """Of 1,000 healthy experiments, at most 1 % ever alarm."""
    random = np.random.default_rng(8)
    shares = np.array(weights) / sum(weights)
    planned = {str(i): weight for i, weight in enumerate(weights)}
    alarms = 0
    for _ in range(1_000):
        arrivals = random.multinomial(daily, shares, size=days)
        by_day = [{str(i): int(n) for i, n in enumerate(day)} for day in arrivals.cumsum(axis=0)]
        total = {str(i): int(n) for i, n in enumerate(arrivals.sum(axis=0))}
        alarms += check_sample_ratio(total, planned, by_day).alarm

    assert alarms <= 10


def test_a_leak_of_2_percent_is_found() -> None:
    """Of 500 experiments of 560,000 units whose treatment loses 2 %, at least 99 % alarm."""
    random = np.random.default_rng(9)
    shares = np.array([0.5, 0.49]) / 0.99
    alarms = [
        check_sample_ratio({"a": int(a), "b": int(b)}, EVEN).alarm
        for a, b in random.multinomial(560_000, shares, size=500)
    ]

    assert np.mean(alarms) >= 0.99


def test_one_look_at_a_table_takes_chi_squared_as_well() -> None:
    """A table without days is seen once, and chi-squared below 0.001 alarms; with days it only warns."""
    counts = {"a": 1_000, "b": 1_150}

    once = check_sample_ratio(counts, EVEN)
    daily = check_sample_ratio(counts, EVEN, [counts])

    assert once.p_value == daily.p_value
    assert once.p_value is not None
    assert 0.001 < once.p_value < 0.01
    assert (once.alarm, once.warning) == (False, True)
    skewed = {"a": 1_000, "b": 1_160}
    assert check_sample_ratio(skewed, EVEN).alarm
    assert not check_sample_ratio(skewed, EVEN, [skewed]).alarm
