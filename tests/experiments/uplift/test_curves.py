"""Curves follow their published definitions, count ties as one step, and know no unit and no order of the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.uplift.curves import arm_curve, arm_weights, auuc_raw, contrast_curve, qini_raw, steps_of
from experiments.uplift.trial import weighted_scores
from tests.experiments.uplift.hillstrom import rule, womens_visit

RANKING = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
TREATED = np.array([True, False, True, False, False, True])
OUTCOME = np.array([1.0, 0.0, 2.0, 1.0, 0.0, 3.0])


def test_curves_done_by_hand() -> None:
    """Six members: g = 1, 1, 3, 2, 7/3, 5 and u = 0, 2, 9/2, 4, 35/6, 10, over three treated and over six members."""
    curve = arm_curve(RANKING, TREATED, OUTCOME)
    assert curve.depth.tolist() == pytest.approx([k / 6 for k in range(7)])
    assert (curve.qini * 3).tolist() == pytest.approx([0, 1, 1, 3, 2, 3 - 2 / 3, 6 - 1])
    # Before the first control member the control mean counts as 0, and so does the treated mean before the first treated one.
    assert (curve.uplift * 6).tolist() == pytest.approx([0, 1, 2, 4.5, 4, 5 * (1.5 - 1 / 3), 6 * (2 - 1 / 3)])
    assert curve.average_effect == pytest.approx(5 / 3)
    area = (1 / 2 + 1 + 2 + 2.5 + (2 + 7 / 3) / 2 + (7 / 3 + 5) / 2) / 6
    assert curve.qini_raw == pytest.approx((area - 5 / 2) / 3)


def test_equal_ranks_are_one_step() -> None:
    """However the rows stand, members of equal rank are taken together, and one rank for all is the diagonal."""
    ranking = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    curve = arm_curve(ranking, TREATED, OUTCOME)
    assert curve.depth.tolist() == [0, 0.5, 1]
    order = np.array([2, 0, 1, 5, 4, 3])
    again = arm_curve(ranking[order], TREATED[order], OUTCOME[order])
    assert curve.qini.tolist() == again.qini.tolist()
    assert qini_raw(np.ones(6), TREATED, OUTCOME) == pytest.approx(0, abs=1e-15)
    assert auuc_raw(np.ones(6), TREATED, OUTCOME) == pytest.approx(5 / 6)
    assert steps_of(np.array([2.0, 1.0, 2.0])).ends.tolist() == [1, 2]


members = st.integers(0, 100_000).map(np.random.default_rng)


@given(members, st.floats(0.01, 100), st.floats(-10, 10))
def test_only_the_order_of_a_ranking_counts(random: np.random.Generator, times: float, by: float) -> None:
    """Any increasing change of the ranking changes nothing; money twice as dear is twice as much."""
    n = 40
    ranking, treated = random.integers(0, 12, n).astype(float), random.permutation(np.arange(n) % 2 == 0)
    outcome = random.normal(size=n)
    found = qini_raw(ranking, treated, outcome)
    assert qini_raw(np.exp(ranking / 4), treated, outcome) == pytest.approx(found)
    assert qini_raw(ranking, treated, times * outcome) == pytest.approx(times * found)
    # Something that everybody has anyway is nobody's effect, once both arms are there from the first step.
    ranking[:2] = 99
    treated[:2] = True, False
    moved = qini_raw(ranking, treated, outcome + by)
    assert moved == pytest.approx(qini_raw(ranking, treated, outcome), abs=1e-9)


@given(members)
def test_one_propensity_per_arm_is_the_plain_form(random: np.random.Generator) -> None:
    """Weights are all 1 there, also with arms of different sizes, so that nothing changes."""
    n = 60
    treated = random.permutation(np.arange(n) < 15)
    propensity = np.where(treated, 0.25, 0.75)
    weights = arm_weights(treated, propensity)
    assert np.allclose(weights, 1)
    ranking, outcome = random.normal(size=n), random.normal(size=n)
    assert qini_raw(ranking, treated, outcome, weights) == pytest.approx(qini_raw(ranking, treated, outcome))


def test_weights_count_members_several_times() -> None:
    """A weight of 2 is the same member twice: integer weights and repeated rows give the same curve."""
    random = np.random.default_rng(3)
    n = 50
    ranking, treated, outcome = random.normal(size=n), random.random(n) < 0.5, random.normal(size=n)
    times = random.integers(1, 4, n)
    weighted = arm_curve(ranking, treated, outcome, times.astype(float))
    rows = np.repeat(np.arange(n), times)
    repeated = arm_curve(ranking[rows], treated[rows], outcome[rows])
    assert np.allclose(weighted.depth, repeated.depth)
    assert np.allclose(weighted.qini, repeated.qini)
    assert np.allclose(weighted.uplift, repeated.uplift)


def test_unequal_propensities_are_undone() -> None:
    """Where likely responders were mailed more often, the weighted Qini is the true one and the plain one is not.

    The effect is x for x uniform on [0, 1]: ranked by x, the true area is the mean over q of q - q^2 / 2 - q / 2, or 1 / 12.
    """
    random = np.random.default_rng(8)
    n = 200_000
    x = random.random(n)
    chance = 0.2 + 0.6 * x
    treated = random.random(n) < chance
    outcome = 2 * x + x * treated + 0.1 * random.normal(size=n)
    propensity = np.where(treated, chance, 1 - chance)
    weights = arm_weights(treated, propensity)
    true = 1 / 2 - 1 / 6 - 1 / 4
    assert qini_raw(x, treated, outcome, weights) == pytest.approx(true, abs=0.004)
    assert auuc_raw(x, treated, outcome, weights) == pytest.approx(true + 1 / 4, abs=0.008)
    assert abs(qini_raw(x, treated, outcome) - true) > 0.02
    scores = weighted_scores(treated.astype(np.int64), propensity, outcome, 2)
    assert contrast_curve(x, scores[:, 1] - scores[:, 0]).qini_raw == pytest.approx(true, abs=0.008)


def test_the_doubly_robust_curve_adds_up_contrasts() -> None:
    """Contrasts 4, 2, 0, -2 in this order rise to 4, 6, 6, 4 of four members; ties are one step there too."""
    curve = contrast_curve(np.array([4.0, 3.0, 2.0, 1.0]), np.array([4.0, 2.0, 0.0, -2.0]))
    assert (curve.qini * 4).tolist() == [0, 4, 6, 6, 4]
    assert curve.qini_raw == pytest.approx((2 + 5 + 6 + 5) / 16 - 0.5)
    assert contrast_curve(np.ones(3), np.array([1.0, 5.0, 6.0])).qini_raw == pytest.approx(0)
    assert curve.at(np.array([0.0, 0.125, 1.0])).tolist() == [0, 0.5, 1]


def test_the_rule_of_hillstroms_women() -> None:
    """Women's buyers first, then by past spend: 7.35 more visits per 1,000 mailed than at random, as was measured elsewhere."""
    trial, treated, visit = womens_visit()
    assert qini_raw(rule(trial), treated, visit) == pytest.approx(7.35e-3, abs=5e-6)
    assert auuc_raw(rule(trial), treated, visit) == pytest.approx(29.9e-3, abs=5e-5)
    assert arm_curve(rule(trial), treated, visit).average_effect == pytest.approx(0.045233, abs=1e-6)


def test_random_rankings_have_a_qini_of_zero() -> None:
    """Over 200 seeds the mean lies within four of its standard errors of 0, and each within .0027 but for chance."""
    trial, treated, visit = womens_visit()
    found = [qini_raw(np.random.default_rng(seed).random(len(trial)), treated, visit) for seed in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)
    assert np.quantile(np.abs(found), 0.98) < 0.0027
