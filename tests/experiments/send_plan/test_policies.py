"""Alternatives keep the limits in expectation, and comparisons are averages of the members' own differences."""

import numpy as np
import pytest

from experiments.send_plan.policies import (
    by_response,
    by_rule,
    nobody,
    one_arm,
    one_hot,
    random_arms,
)
from experiments.send_plan.problem import PlanLimits, ScoredArms, compare, effective_members

COSTS = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])


def test_money_that_does_not_reach_all_reaches_a_random_share() -> None:
    """With 2 to spend on four members at 1 each, each gets the arm with 1/2; an arm at 2 with 1/4; both by lot with 1/6 each."""
    limits = PlanLimits(2.0)
    assert one_arm(1, COSTS, limits).tolist() == [[0.5, 0.5, 0]] * 4
    assert one_arm(2, COSTS, limits).tolist() == [[0.75, 0, 0.25]] * 4
    assert random_arms(COSTS, limits) == pytest.approx(np.array([[2 / 3, 1 / 6, 1 / 6]] * 4))
    assert one_arm(2, COSTS, PlanLimits(8.0)).tolist() == [[0, 0, 1]] * 4


@pytest.mark.parametrize(
    ("limits", "chance"),
    [(PlanLimits(sends=1), 0.25), (PlanLimits(caps={0: 2}), 0.5), (PlanLimits(caps={1: 1}), 1.0)],
)
def test_sends_and_caps_are_kept_too(limits: PlanLimits, chance: float) -> None:
    """One send among four members is a chance of 1/4 each; a cap counts for its own arm only."""
    assert one_arm(1, COSTS, limits)[:, 1] == pytest.approx(np.full(4, chance))


def test_a_ranking_by_response_writes_to_the_likeliest() -> None:
    """The likeliest get the arm, however little it changes them, until money, sends or the arm's cap end the list."""
    level = np.array([0.1, 0.4, 0.3, 0.2])
    assert by_response(level, 1, COSTS, PlanLimits(sends=2)).argmax(axis=1).tolist() == [0, 1, 1, 0]
    assert by_response(level, 2, COSTS, PlanLimits(6.0)).argmax(axis=1).tolist() == [0, 2, 2, 2]
    assert by_response(level, 2, COSTS, PlanLimits(caps={1: 1})).argmax(axis=1).tolist() == [0, 2, 0, 0]


def test_a_rule_that_costs_too_much_is_followed_for_a_share() -> None:
    """A rule whose three sends cost 4 is followed with 1/2 where 2 can be spent."""
    chances = by_rule(np.array([1, 0, 2, 1]), COSTS, PlanLimits(2.0))
    assert chances.tolist() == [[0.5, 0.5, 0], [1, 0, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def _scored(robust: list[list[float]], arm: list[int], propensity: list[float]) -> ScoredArms:
    scores = np.array(robust)
    return ScoredArms(scores, 2 * scores, np.array(arm), np.array(propensity))


def test_a_difference_done_by_hand() -> None:
    """Differences 4, 0, 2 and 2 have the mean 2 and the standard error sd/√n = 1.633/2; both kinds of scores are used."""
    scored = _scored([[0, 4], [1, 9], [0, 2], [1, 3]], [0, 1, 0, 1], [0.5] * 4)
    found = compare(one_hot(np.array([1, 0, 1, 1]), 2), nobody(4, 2), scored)
    assert found.robust.value == 2
    assert found.robust.standard_error == pytest.approx(np.sqrt(8 / 3) / 2)
    assert found.weighted.value == 4
    assert found.effective == 2


def test_policies_that_agree_differ_by_exactly_nothing() -> None:
    """Equal policies have the difference 0 without an error, however noisy the scores are."""
    scored = _scored(np.random.default_rng(1).normal(size=(50, 2)).tolist(), [0, 1] * 25, [0.5] * 50)
    same = one_arm(1, np.ones((50, 1)), PlanLimits(10.0))
    assert compare(same, same, scored).robust.standard_error == 0
    assert not compare(same, same, scored).robust.above_zero


def test_effective_members_are_kishs() -> None:
    """Weights 4, 1 and 1 are worth 36/18 = 2 members (Kish 1965, section 11.7); a policy that nobody had is worth none."""
    chances = np.array([[0, 1.0], [0, 1.0], [0, 1.0]])
    assert effective_members(chances, np.array([1, 1, 1]), np.array([0.25, 1.0, 1.0])) == 2
    assert effective_members(chances, np.array([0, 0, 0]), np.full(3, 0.5)) == 0
