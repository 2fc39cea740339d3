"""How long a running experiment still takes."""

import pytest

from experiments.stats import (
    NonInferiorityMargin,
    PairEstimate,
    confidence_sequence,
    fixed_effect,
    non_inferiority,
)
from experiments.stats.outlook import Outlook, days_to_go, projected
from tests.experiments.stats.pairs import pair_of


def fixed(pair: PairEstimate) -> bool:
    """Say whether the fixed interval at 5 % excludes zero."""
    return fixed_effect(pair, 0.05).excludes_zero


def test_by_hand() -> None:
    """At z = 1 today, 1.96^2 times the units are expected to do: 2.84 times as many more as there are."""
    outlook = days_to_go(pair_of(1.0, 1.0, units=100_000), 100_000 * 0.2, fixed)

    assert outlook.days == 15
    assert outlook.units == 15 * 20_000
    assert 14 < 2.8416 / 0.2 < 15


def test_a_target_pulls_the_estimate() -> None:
    """With nothing seen in n units and a target of z = 1, after m more z is m / sqrt(n (n + m)): 1.96 needs 4.64 n."""
    outlook = days_to_go(pair_of(0.0, 1.0, units=100_000), 20_000, fixed, target=1.0)

    # m^2 / (1 + m) = 1.96^2 has the root 4.637.
    assert outlook.days == 24
    assert 23 < 4.637 / 0.2 < 24


def test_an_answer_today_takes_no_days() -> None:
    """If the interval excludes zero already, nothing is to go, even if no more units come."""
    assert days_to_go(pair_of(3.0, 1.0), 0.0, fixed) == Outlook(0, 0.0)


def test_sequences_take_longer() -> None:
    """An always-valid interval is expected to take longer than the fixed one."""
    pair = pair_of(1.0, 0.7, units=50_000)

    late = days_to_go(pair, 5_000, lambda one: confidence_sequence(one, 0.05, 100_000).excludes_zero)

    assert late.days is not None
    assert late.days > (days_to_go(pair, 5_000, fixed).days or 0)


def test_non_inferiority_needs_no_effect() -> None:
    """Without any effect a margin of two standard errors is expected to be excluded soon."""
    margin = NonInferiorityMargin(absolute=1.0)

    outlook = days_to_go(
        pair_of(0.0, 1.0, units=10_000),
        1_000,
        lambda one: non_inferiority(one, margin, 0.05, higher_is_better=True).passed,
    )

    # 1.645^2 - 1 = 1.706 times the units of today.
    assert outlook.days == 18


def test_planned_looks() -> None:
    """Where looks are planned, the first one that is expected to tell counts."""
    pair = pair_of(1.0, 1.0, units=100_000)

    outlook = days_to_go(pair, 1_000, fixed, looks=[50_000, 200_000, 400_000, 800_000])

    assert (outlook.units, outlook.days) == (300_000, 300.0)
    assert days_to_go(pair, 1_000, fixed, looks=[200_000]).reason.endswith("at any planned look")


@pytest.mark.parametrize(
    ("estimate", "rate", "reason"),
    [(0.0, 1_000.0, "not expected to show within 730 days"), (1.0, 0.0, "no more units come")],
)
def test_what_is_not_expected_has_a_reason(estimate: float, rate: float, reason: str) -> None:
    """An effect of nothing never shows, and nothing shows without units."""
    outlook = days_to_go(pair_of(estimate, 1.0), rate, fixed)

    assert (outlook.units, outlook.days) == (None, None)
    assert reason in outlook.reason


def test_projected_pair() -> None:
    """Four times the units have a quarter of every variance, in the same proportions."""
    pair = PairEstimate(10.0, 11.0, 0.4, 0.5, 0.1, (0.3, 0.4), 100, 300, 0.2)

    found = projected(pair, 1_600, 2.0)

    assert found == PairEstimate(10.0, 12.0, 0.1, 0.125, 0.025, (0.075, 0.1), 400, 1_200, 0.2)
