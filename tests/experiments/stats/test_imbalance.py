"""Differences between variants before the treatment."""

import math

import numpy as np
import pytest

from experiments.stats import Moments, Quantity
from experiments.stats.srm import check_imbalance

COVARIATES = {"spend": Quantity(0), "trips": Quantity(1), "spend per trip": Quantity(0, 1)}


def arm(seed: int, units: int = 500, lift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return spend and trips before the experiment."""
    random = np.random.default_rng(seed)
    trips = 1.0 + random.poisson(2, units)
    return random.gamma(2, 5, units) * trips + lift, trips


def test_each_difference_is_welchs() -> None:
    """P-values are those of scipy's Welch test, times the six tests, at most one."""
    from scipy import stats

    base, others = arm(1), {"b": arm(2), "c": arm(3, lift=8.0)}

    check = check_imbalance(
        Moments.of(*base), {name: Moments.of(*columns) for name, columns in others.items()}, COVARIATES
    )

    assert [(one.variant_id, one.covariate) for one in check.differences[:4]] == [
        ("b", "spend"),
        ("b", "trips"),
        ("b", "spend per trip"),
        ("c", "spend"),
    ]
    for i, column in ((3, 0), (4, 1)):
        reference = stats.ttest_ind(others["c"][column], base[column], equal_var=False).pvalue
        assert check.differences[i].p_value == pytest.approx(reference, rel=1e-9)
        assert check.differences[i].adjusted_p_value == pytest.approx(min(1, 6 * reference), rel=1e-9)
    assert check.p_value == min(one.adjusted_p_value or 0 for one in check.differences)
    assert check.alarm
    assert check.differences[3].difference == pytest.approx(others["c"][0].mean() - base[0].mean())


def test_healthy_experiments_are_left_alone() -> None:
    """Of 3,000 healthy experiments with three treatments at most 9 alarm (one in a thousand; P(10 or more) = 0.1 %)."""
    random = np.random.default_rng(4)
    alarms = 0
    for _ in range(3_000):
        moments = [Moments.of(*random.normal(size=(2, 60))) for _ in range(4)]
        check = check_imbalance(
            moments[0], dict(zip("bcd", moments[1:], strict=True)), {"x": Quantity(0), "y": Quantity(1)}
        )
        alarms += check.alarm

    assert alarms <= 9


def test_a_difference_that_cannot_be_tested_says_why() -> None:
    """Constant covariates and empty arms have a reason instead of a p-value, and do not count in the correction."""
    constant = Moments.of([1.0, 2.0, 3.0], [5.0, 5.0, 5.0])
    other = Moments.of([2.0, 2.0, 4.0], [5.0, 5.0, 5.0])

    check = check_imbalance(constant, {"b": other}, {"x": Quantity(0), "y": Quantity(1)})
    lonely = check_imbalance(constant, {"b": Moments.of([1.0], [1.0])}, {"x": Quantity(0)})

    assert check.differences[0].adjusted_p_value == check.differences[0].p_value
    assert check.differences[1].p_value is None
    assert "the same value" in check.differences[1].reason
    assert (lonely.p_value, lonely.alarm) == (None, False)
    assert "1 unit in a variant" in lonely.differences[0].reason


def test_nothing_to_compare() -> None:
    """Without covariates there is neither p-value nor alarm; infinite values are a reason."""
    moments = Moments.of([1.0, 2.0, 3.0])
    assert check_imbalance(moments, {"b": moments}, {}).p_value is None

    with np.errstate(all="ignore"):
        infinite = Moments.of([math.inf, 1.0, 2.0])
    assert (
        "not finite numbers"
        in check_imbalance(moments, {"b": infinite}, {"x": Quantity(0)}).differences[0].reason
    )
