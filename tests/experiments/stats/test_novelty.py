"""The trend of daily effects."""

import numpy as np
import pytest

from experiments.errors import AnalysisError
from experiments.stats import PairEstimate
from experiments.stats.figure import pooled_unit_variances
from experiments.stats.novelty import Novelty, novelty
from tests.experiments.stats.pairs import pair_of

SIZES = {1: 1_000, 2: 400, 3: 600, 5: 900, 8: 300}
EFFECTS = {1: 0.9, 2: 0.2, 3: 0.5, 5: 0.1, 8: 0.3}


def daily(sizes: dict[int, int], effects: dict[int, float]) -> dict[int, PairEstimate]:
    """Return days with variance 25 per unit in both arms."""
    return {day: pair_of(effects[day], (100 / units) ** 0.5, units=units) for day, units in sizes.items()}


def test_slope_agrees_with_numpy() -> None:
    """Slope and error are those of numpy's polyfit with known standard errors, whatever order the days come in."""
    days = list(SIZES)
    weights = [(units / 100) ** 0.5 for units in SIZES.values()]
    (slope, _), covariance = np.polyfit(days, list(EFFECTS.values()), 1, w=weights, cov="unscaled")

    found = novelty(dict(reversed(daily(SIZES, EFFECTS).items())))

    assert found.days == 5
    assert found.slope == pytest.approx(slope, rel=1e-9)
    assert found.slope_standard_error == pytest.approx(covariance[0, 0] ** 0.5, rel=1e-9)


def test_early_and_late_by_hand() -> None:
    """Early are the first two of five days; weights are the units, for all have the same variance."""
    found = novelty(daily(SIZES, EFFECTS))

    assert found.early == pytest.approx((1_000 * 0.9 + 400 * 0.2) / 1_400)
    assert found.late == pytest.approx((600 * 0.5 + 900 * 0.1 + 300 * 0.3) / 1_800)
    assert found.change == found.late - found.early
    assert found.change_standard_error == pytest.approx((100 / 1_400 + 100 / 1_800) ** 0.5)


def test_a_fading_effect_is_found() -> None:
    """An effect that halves every few days has a small p-value, a negative slope and a negative change."""
    sizes = dict.fromkeys(range(14), 20_000)

    found = novelty(daily(sizes, {day: 2 * 0.8**day for day in sizes}))

    assert found.slope < 0
    assert found.change < 0
    assert max(found.p_value, found.change_p_value) < 1e-6


def _rare(random: np.random.Generator) -> Novelty:
    days = {}
    for day in range(14):
        units = np.array([900, 100])
        shares = random.binomial(units, 0.02) / units
        own = shares * (1 - shares) / (units - 1)
        days[day] = PairEstimate(
            float(shares[0]), float(shares[1]), float(own[0]), float(own[1]), 0.0, (own[0], own[1]), 900, 100
        )
    return novelty(days)


def test_error_rate_with_rare_conversions() -> None:
    """With 2 conversions a day in the small arm, and often none, 2,000 steady effects err 3.4 to 6.6 % of the time."""
    random = np.random.default_rng(3)
    found = [_rare(random) for _ in range(2_000)]

    assert 0.034 < np.mean([one.p_value < 0.05 for one in found]) < 0.066
    assert 0.034 < np.mean([one.change_p_value < 0.05 for one in found]) < 0.066


def test_variances_are_pooled_over_days() -> None:
    """The variance per unit is the mean over days, weighted by the units less one."""
    days = [
        PairEstimate(0.0, 0.0, 4 / 11, 9 / 5, 0.0, (4 / 11, 9 / 5), 11, 5),
        PairEstimate(0.0, 0.0, 7 / 21, 0.0, 0.0, (7 / 21, 0.0), 21, 13),
    ]

    assert pooled_unit_variances(days).tolist() == pytest.approx([(10 * 4 + 20 * 7) / 30, 4 * 9 / 16])


def test_refuses_by_name() -> None:
    """Few days show no trend, and without variance there is nothing to judge by."""
    with pytest.raises(AnalysisError, match="3 days with an effect; a trend needs at least 4"):
        novelty(daily(dict.fromkeys(range(3), 100), dict.fromkeys(range(3), 1.0)))
    with pytest.raises(AnalysisError, match="1 day with an effect"):
        novelty({3: pair_of(1.0, 1.0)})
    with pytest.raises(AnalysisError, match="the same value on every day"):
        novelty({day: pair_of(1.0, 0.0) for day in range(5)})
