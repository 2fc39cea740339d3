"""Actions: *no action* is always possible and worth nothing; the rest is weighed by what it brings on top."""

from typing import Any

import pytest

from server.catalogue import Action, Arbitration, Catalogue, Channel, Exploration, Placement
from server.decide.context import Evidence
from server.decide.decide import decide
from server.decide.gates import Gate
from server.members import MemberState
from tests.server.decide.making import arm, ask, dollars, snapshot_of


def catalogue_of(
    *actions: Action, formula: Arbitration | None = None, exploration: Exploration | None = None, **more: Any
) -> Catalogue:
    """Return a catalogue that decides on these actions."""
    return Catalogue(
        currency_code="USD",
        placements=(
            Placement(
                placement_id="next",
                decides="actions",
                arbitration="" if formula is None else formula.arbitration_id,
                exploration=Exploration() if exploration is None else exploration,
                **more,
            ),
        ),
        arbitrations=() if formula is None else (formula,),
        actions=actions,
    )


def worth(action_id: str, value: float, probability: float, cost: float = 0.0) -> Action:
    """Return an action by its factors."""
    return Action(
        action_id=action_id,
        kind="care",
        value=dollars(value),
        cost=dollars(cost),
        prior_probability=probability,
    )


def test_the_best_action_wins_and_the_next_is_the_runner_up() -> None:
    """0.2 × 30 − 1 = 5 beats 0.5 × 8 = 4, which beats doing nothing."""
    catalogue = catalogue_of(worth("gift", 30, 0.2, 1), worth("call", 8, 0.5))
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0]))
    assert choice.runner_up is not None
    found = [(one.action_id, round(one.score, 9)) for one in (*choice.actions, choice.runner_up)]
    assert found == [("gift", 5.0), ("call", 4.0)]


@pytest.mark.parametrize("cost", [2.0, 3.0])
def test_what_brings_no_more_than_nothing_is_not_done(cost: float) -> None:
    """0.5 × 4 − 2 is 0 and − 3 is below: nothing is done, and a tie is for doing nothing."""
    catalogue = catalogue_of(worth("call", 4, 0.5, cost))
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0]))
    assert [(one.action_id, one.score) for one in choice.actions] == [("no_action", 0.0)]
    assert choice.candidate_ids == ()


@pytest.mark.parametrize("least", [0.5, 1000.0])
def test_no_action_is_left_where_all_are_below_the_least_score(least: float) -> None:
    """``least_score`` removes actions, never *no action*: there is always an answer."""
    formula = Arbitration(arbitration_id="formula", least_score=least)
    catalogue = catalogue_of(worth("call", 0.4, 0.5), formula=formula)
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0]))
    assert [one.action_id for one in choice.actions] == ["no_action"]
    assert choice.removed == {"BELOW_LEAST_SCORE": 1}


def test_no_action_is_never_too_new() -> None:
    """The throttle of what has no evidence does not hold back *no action*, which never has any."""
    exploration = Exploration(method="epsilon", cold_share=0.01)
    catalogue = catalogue_of(worth("call", 4, 0.5, 3.0), exploration=exploration)
    snapshot = snapshot_of(catalogue)
    for number in range(20):
        question = ask(catalogue.placements[0], state=MemberState(f"m{number}"))
        _, considered = decide(snapshot, question)
        assert considered.codes[considered.table.places["no_action"][0]] == Gate.OPEN


@pytest.mark.parametrize(
    "factors",
    [
        ("probability",),
        ("value",),
        ("lever",),
        ("context", "cost"),
        ("probability", "value", "context", "lever", "cost"),
    ],
)
def test_no_action_earns_nothing_under_any_formula(factors: Any) -> None:
    """Its score is 0 whichever parts of the formula count, and no ``default_value`` is its value."""
    formula = Arbitration(arbitration_id="formula", factors=factors, default_value=dollars(7))
    catalogue = catalogue_of(worth("call", 4, 0.5), formula=formula)
    snapshot = snapshot_of(catalogue)
    _, considered = decide(snapshot, ask(catalogue.placements[0], evidence=Evidence({"no_action": (10, 9)})))
    place = considered.table.places["no_action"][0]
    assert considered.score(place) == 0.0


def test_no_action_takes_no_place_of_what_is_new() -> None:
    """``cold_places`` are for what has no evidence yet, which *no action* never will."""
    exploration = Exploration(method="epsilon", share=1.0, shortlist=2, cold_places=1, mature_after=10)
    catalogue = catalogue_of(
        worth("old", 8, 0.5), worth("older", 6, 0.5), worth("new", -8, 0.5), exploration=exploration
    )
    snapshot = snapshot_of(catalogue)
    evidence = Evidence({"old": (100, 50), "older": (100, 50)})
    chosen = {
        decide(snapshot, ask(catalogue.placements[0], evidence=evidence, seed=str(seed)))[0]
        .actions[0]
        .action_id
        for seed in range(50)
    }
    assert chosen == {"old", "new"}


def test_an_action_competes_over_its_channels() -> None:
    """Each channel of the placement that an action may travel by is one possibility; the first is taken on a tie."""
    catalogue = Catalogue(
        currency_code="USD",
        channels=(Channel(channel_id="email"), Channel(channel_id="push"), Channel(channel_id="till")),
        placements=(Placement(placement_id="next", decides="actions", channels=("till", "push", "email")),),
        actions=(worth("call", 4, 0.5).model_copy(update={"channels": ("email", "push")}),),
    )
    choice, considered = decide(snapshot_of(catalogue), ask(catalogue.placements[0]))
    assert [(one.action_id, one.channel_id) for one in choice.actions] == [("call", "push")]
    assert considered.table.channel_ids == ("", "push", "email")


def test_a_held_out_member_gets_no_action_for_certain() -> None:
    """In the holdout *no action* is chosen with probability 1, and nothing comes next."""
    catalogue = catalogue_of(worth("call", 4, 0.5), exploration=Exploration(method="epsilon", share=1.0))
    question = ask(catalogue.placements[0], assigned=arm("holdout"))
    choice, _ = decide(snapshot_of(catalogue), question)
    assert [(one.action_id, one.propensity) for one in choice.actions] == [("no_action", 1.0)]
    assert choice.runner_up is None
    assert (choice.slate_propensity, choice.eligible_count) == (1.0, 1)
    assert (choice.removed, choice.standing_arm) == ({"HELD_OUT": 1}, "holdout")
