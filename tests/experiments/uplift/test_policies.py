"""Choosing arms by predicted effects is valued member by member against what is simpler."""

import numpy as np
import pytest

from experiments.uplift.curves import contrast_curve
from experiments.uplift.policies import (
    AT_RANDOM,
    BEST_ARM,
    NOBODY,
    best_choice,
    policy_contrasts,
    policy_value,
)
from tests.experiments.uplift.simulated import simulate

SCORES = np.array([[1.0, 4.0, 2.0], [1.0, 0.0, 5.0], [2.0, 1.0, 1.0], [0.0, 3.0, 3.0]])
PREDICTED = np.array([[3.0, 1.0], [0.0, 4.0], [-1.0, -2.0], [1.0, 3.0]])
COSTS = np.array([0.5, 1.0])
ARMS = ("none", "mail", "call")


def test_each_member_gets_what_is_predicted_to_be_best_for_her() -> None:
    """Net of cost: 2.5, 3, nothing, and 2; the third stays with the control."""
    choice, gain = best_choice(PREDICTED, COSTS)
    assert choice.tolist() == [1, 2, 0, 2]
    assert gain.tolist() == [2.5, 3.0, -1.5, 2.0]


def test_values_and_gains_done_by_hand() -> None:
    """Net scores 3.5, 4, 2, 2 have mean 2.875; against nobody the differences 2.5, 3, 0, 2 have mean 1.875."""
    found = policy_value(
        "model", PREDICTED, SCORES, arms=ARMS, costs=COSTS, rankings={"rule": np.array([4.0, 3.0, 2.0, 2.0])}
    )
    assert found.shares == (0.25, 0.25, 0.5)
    assert found.value.value == pytest.approx(2.875)
    nobody = found.gains[NOBODY]
    assert nobody.value == pytest.approx(1.875)
    assert nobody.standard_error == pytest.approx(np.std([2.5, 3, 0, 2], ddof=1) / 2)
    # Net means: none 1, mail 1.5, call 1.75.
    assert found.best_arm == "call"
    assert found.gains[BEST_ARM].value == pytest.approx(2.875 - 1.75)
    assert found.gains["mail for all"].value == pytest.approx(2.875 - 1.5)
    assert found.gains[AT_RANDOM].value == pytest.approx(2.875 - (1 + 1.5 + 2 * 1.75) / 4)
    # The rule gives the most frequent arm, the call, to three of four: two first, and half of the two that are tied.
    by_rule = (1 + 4 + (0.5 * 0 + 0.5 * 2) + (0.5 * 2 + 0.5 * 0)) / 4
    assert found.gains["as many by rule"].value == pytest.approx(2.875 - by_rule)


def test_the_curve_of_several_arms_treats_each_member_with_her_best() -> None:
    """In the order 3, 2.5, 2, -1.5 members bring 3, 2.5, 2 and -1.5 net, and 7.5 per four at its height."""
    ranking, contrasts = policy_contrasts(SCORES, PREDICTED, COSTS)
    assert ranking.tolist() == [2.5, 3.0, -1.5, 2.0]
    assert contrasts.tolist() == [2.5, 3.0, -1.5, 2.0]
    assert (contrast_curve(ranking, contrasts).qini * 4).tolist() == [0, 3, 5.5, 7.5, 6]


def test_a_policy_has_its_own_curve_and_areas() -> None:
    """Net of cost the curve is that of the contrasts above; free of cost members bring 3, 4, -1 and 3."""
    found = policy_value("model", PREDICTED, SCORES, arms=ARMS, costs=COSTS, rankings={})
    ranking, contrasts = policy_contrasts(SCORES, PREDICTED, COSTS)
    assert found.net_qini.value == pytest.approx(contrast_curve(ranking, contrasts).qini_raw)
    assert found.curve[-1].value == pytest.approx(1.5)
    # Predicted 3, 4, -1 and 3 too, so that two members are one step: 4, 10, 9.
    area = (4 / 2 + 2 * (4 + 10) / 2 + (10 + 9) / 2) / 4
    assert found.qini.value == pytest.approx((area - 9 / 2) / 4)


def test_treating_nobody_is_a_policy_too() -> None:
    """Where nothing is worth its cost, everybody stays with the control, and there is nobody to rank."""
    found = policy_value(
        "dear", PREDICTED, SCORES, arms=ARMS, costs=np.array([9.0, 9.0]), rankings={"rule": PREDICTED[:, 0]}
    )
    assert found.best_arm == "none"
    assert found.gains[NOBODY].value == 0
    assert found.gains[NOBODY].p_value == 1
    assert "as many by rule" not in found.gains


def test_intervals_of_gains_hold_the_truth() -> None:
    """With effects .3 + .8 x, treating where x > 0 gains E[.3 + .8 x | x > 0] / 2 = .469 a head; 90 to 100 of 100 intervals hold it."""
    truth = 0.3 / 2 + 0.8 * np.sqrt(1 / (2 * np.pi))
    held = 0
    for seed in range(100):
        sim = simulate(seed, n=500, interaction=0.8)
        by_x = sim.trial.features["x0"].to_numpy()[:, None]
        gain = policy_value("x", by_x, sim.scores, arms=sim.trial.arms, costs=np.zeros(1), rankings={}).gains[
            NOBODY
        ]
        held += gain.lower <= truth <= gain.upper
    assert held >= 90
