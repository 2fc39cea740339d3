"""The four groups are claimed where held-out outcomes show them, and described in plain words."""

import numpy as np
import polars as pl
import pytest

from experiments.uplift.groups import EffectGroup, GroupName, describe, difference_words, effect_groups
from experiments.uplift.trial import Floats


def judged(
    effect: Floats, predicted: Floats, *, worth: float = 0.0, noise: float = 1.0, seed: int = 0
) -> dict[GroupName, EffectGroup]:
    """Return the groups of members with a true effect and a predicted one; the first half is well off untreated."""
    random = np.random.default_rng(seed)
    n = len(effect)
    base = np.where(np.arange(n) < n // 2, 3.0, 1.0)
    control = base + noise * random.normal(size=n)
    contrasts = effect + noise * random.normal(size=n)
    features = pl.DataFrame({"rich": np.arange(n) < n // 2, "age": 30.0 + 10 * (predicted > 0.5)})
    groups = effect_groups(control, contrasts, predicted, base, features, worth=worth)
    return {group.name: group for group in groups}


def test_all_four_groups_are_claimed_where_they_are_there() -> None:
    """Quarters of 1,000 with effects 2, 0.1, 0 and -1, a cost of 0.4, predicted so: each is found, with its size and description."""
    effect = np.repeat([2.0, 0.1, 0.0, -1.0], 1_000)
    groups = judged(effect, effect, worth=0.4)
    assert {name for name, group in groups.items() if group.claimed} == set(GroupName)
    assert [group.size for group in groups.values()] == [1_000] * 4
    assert groups[GroupName.SLEEPING_DOGS].harmed
    assert groups[GroupName.SURE_THINGS].untreated.value == pytest.approx(1, abs=0.2)
    assert groups[GroupName.LOST_CAUSES].untreated.value == pytest.approx(-1, abs=0.2)
    assert (
        groups[GroupName.PERSUADABLES].verdict == "Confirmed: these members gain more than a treatment costs."
    )
    assert groups[GroupName.PERSUADABLES].description == (
        "age higher (40.0 against 30.0); rich more often (100 % against 33 %)"
    )


def test_a_prediction_is_no_evidence_of_harm() -> None:
    """Members predicted to be harmed who gained in fact are said to have gained; those about zero may be chance."""
    predicted = np.repeat([1.0, -1.0], 2_000)
    gained = judged(np.full(4_000, 0.5), predicted)[GroupName.SLEEPING_DOGS]
    assert not gained.claimed
    assert not gained.harmed
    assert gained.verdict == "No evidence of harm: the members predicted to be harmed gained in fact."
    nothing = judged(np.repeat([0.5, 0.0], 2_000), predicted)[GroupName.SLEEPING_DOGS]
    assert not nothing.claimed
    assert nothing.verdict == "No evidence of harm: what these members gained or lost may be chance."


def test_a_cost_must_be_earned() -> None:
    """An effect of 0.5 is confirmed where a treatment is free, and not where it costs 0.6."""
    effect = np.full(2_000, 0.5)
    predicted = np.full(2_000, 0.7)
    free = judged(effect, predicted)[GroupName.PERSUADABLES]
    assert free.claimed
    assert free.verdict == "Confirmed: these members gain."
    dear = judged(effect, predicted, worth=0.6)[GroupName.PERSUADABLES]
    assert not dear.claimed
    assert (
        dear.verdict
        == "No evidence: what these members gained may be chance, or less than a treatment costs."
    )
    assert judged(effect, predicted, worth=0.8)[GroupName.PERSUADABLES].size == 0


def test_a_treatment_that_harms_those_it_should_help_is_said_to() -> None:
    """Predicted persuadables with an effect below zero are not persuadables, and the sentence says what held."""
    found = judged(np.full(2_000, -0.5), np.full(2_000, 1.0))[GroupName.PERSUADABLES]
    assert found.harmed
    assert found.verdict == "No evidence: a treatment harms these members, other than predicted."


def test_empty_and_tiny_groups_claim_nothing() -> None:
    """Nobody, or a single member, is not evidence of anything."""
    groups = judged(np.array([1.0, 1.0, 1.0]), np.array([1.0, 1.0, -1.0]))
    assert groups[GroupName.SURE_THINGS].verdict == "Nobody is predicted to be among them."
    assert not groups[GroupName.SLEEPING_DOGS].claimed
    assert groups[GroupName.SLEEPING_DOGS].size == 1


def test_without_any_effect_claims_are_rare() -> None:
    """Of 400 trials where nothing has an effect and predictions are noise, at most 5 % claim harm or gain, beyond chance."""
    wrong = 0
    for seed in range(400):
        predicted = np.random.default_rng(1_000 + seed).normal(size=400)
        groups = judged(np.zeros(400), predicted, seed=seed)
        wrong += groups[GroupName.SLEEPING_DOGS].claimed or groups[GroupName.PERSUADABLES].claimed
    assert wrong / 400 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)


def test_a_description_names_the_strongest_differences() -> None:
    """Numbers by their means, flags and texts by their shares; a difference that is not a difference is not named."""
    table = pl.DataFrame(
        {
            "spend": [100.0, 120.0, None, 10.0, 20.0, 30.0],
            "newbie": [1, 1, 1, 0, 0, 1],
            "channel": ["web", "web", None, "shop", "web", "shop"],
            "same": [1.5] * 6,
            "since": pl.Series([None] * 6, dtype=pl.Date),
        }
    )
    found = describe(table, np.array([True, True, True, False, False, False]))
    by = {one.feature: one for one in found}
    assert set(by) == {"spend", "newbie", "channel", "same"}
    assert by["spend"].inside == 110
    assert by["spend"].outside == 20
    # Variances 100 and 200 / 3: the difference 90 over the root of their mean.
    assert by["spend"].standardised == pytest.approx(90 / np.sqrt((100 + 200 / 3) / 2))
    assert by["channel"].words == "channel is shop less often (0 % against 67 %)"
    assert by["newbie"].words == "newbie more often (100 % against 33 %)"
    assert by["same"].standardised == 0
    assert found[0].feature == "spend"
    assert difference_words(found, 1) == "spend higher (110 against 20)"
    assert difference_words([by["same"]]) == "like everybody else in all features"


def test_nobody_and_everybody_have_no_description() -> None:
    """There is nothing to compare with."""
    table = pl.DataFrame({"age": [1, 2]})
    assert describe(table, np.array([True, True])) == ()
    assert describe(table, np.array([False, False])) == ()
