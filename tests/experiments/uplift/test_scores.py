"""Scores average to what each arm would have brought to everybody."""

import numpy as np
import polars as pl

from experiments.uplift.trial import Trial, arm_positions, doubly_robust_scores, weighted_scores


def test_scores_of_a_trial_done_by_hand() -> None:
    """Two members at propensity 1/2, outcomes 3 and 5, predictions 1: 1 + (3 - 1) / 0.5 = 5, and 3 / 0.5 = 6."""
    arm, propensity, outcome = np.array([0, 1]), np.array([0.5, 0.5]), np.array([3.0, 5.0])
    assert weighted_scores(arm, propensity, outcome, 2).tolist() == [[6.0, 0.0], [0.0, 10.0]]
    robust = doubly_robust_scores(arm, propensity, outcome, np.ones((2, 2)))
    assert robust.tolist() == [[5.0, 1.0], [1.0, 9.0]]


def test_both_scores_are_unbiased_with_any_prediction() -> None:
    """Averaged over many draws of arms, both give the arms' true means, however wrong the prediction is."""
    random = np.random.default_rng(7)
    n, draws = 400, 4_000
    truth = random.normal(size=(n, 3))
    chances = np.array([0.2, 0.3, 0.5])
    wrong = random.normal(size=(n, 3))
    found = np.zeros((2, draws, 3))
    for draw in range(draws):
        arm = random.choice(3, size=n, p=chances)
        outcome, propensity = truth[np.arange(n), arm], chances[arm]
        found[0, draw] = weighted_scores(arm, propensity, outcome, 3).mean(axis=0)
        found[1, draw] = doubly_robust_scores(arm, propensity, outcome, wrong).mean(axis=0)
    error = (found.mean(axis=1) - truth.mean(axis=0)) / (found.std(axis=1) / np.sqrt(draws))
    assert np.abs(error).max() < 4


def test_rows_and_arms_keep_what_belongs_together() -> None:
    """Some rows of a trial are these members with their own arms, outcomes and features; an unknown arm is -1."""
    arms = ("none", "mail")
    trial = Trial(
        pl.Series(["a", "b", "c"]),
        arms,
        arm_positions(arms, pl.Series(["mail", "none", "mail"])),
        np.array([0.4, 0.6, 0.4]),
        {"spend": np.array([1.0, 2.0, 3.0])},
        pl.DataFrame({"age": [30, 40, 50]}),
    )
    assert trial.counts.tolist() == [1, 2]
    for chosen in (np.array([True, False, True]), np.array([0, 2])):
        some = trial.rows(chosen)
        assert some.members.to_list() == ["a", "c"]
        assert some.outcomes["spend"].tolist() == [1.0, 3.0]
        assert some.features["age"].to_list() == [30, 50]
        assert len(some) == 2
    assert arm_positions(arms, pl.Series(["none", "post"])).tolist() == [0, -1]
