"""Standing arms: what each leaves out of the formula."""

from collections import Counter
from typing import Any

import pytest

from server.catalogue import Arbitration, Catalogue, ContextWeight, Exploration, Group, Offer, Placement
from server.decide.choice import Choice
from server.decide.decide import decide
from server.members import MemberState
from tests.server.decide.chances import assert_frequencies
from tests.server.decide.making import arm, ask, counting_bundle, dollars, offers, snapshot_of

TRIPS = {"m1": {"a": 3, "b": 1}}
POPULAR = {"a": 1.0, "b": 2.0, "c": 6.0}
LEVERS = {"a": 1.0, "b": 1.0, "c": 50.0}
EXPLORED = Exploration(method="softmax", share=0.5, shortlist=3)


def catalogue_of(exploration: Exploration | None = None, **more: Any) -> Catalogue:
    """Return three offers of equal value with levers, of which the context doubles b."""
    return Catalogue(
        currency_code="USD",
        attributes={"rainy": "bool"},
        groups=(Group(group_id="g"),),
        placements=(
            Placement(
                placement_id="home",
                arbitration="formula",
                exploration=Exploration() if exploration is None else exploration,
                **more,
            ),
        ),
        arbitrations=(
            Arbitration(
                arbitration_id="formula",
                default_probability=0.1,
                default_value=dollars(2),
                context_weights=(ContextWeight(rule="rainy", group_ids=("g",), weight=8.0),),
            ),
        ),
        offers=tuple(
            Offer(offer_id=name, kind="perk", lever=LEVERS[name], group_id="g" if name == "b" else "")
            for name in LEVERS
        ),
    )


def chosen(name: str, exploration: Exploration | None = None, seed: str = "d1", **more: Any) -> Choice:
    """Return the choice of a member in an arm, when it rains."""
    catalogue = catalogue_of(exploration, **more)
    question = ask(
        catalogue.placements[0],
        state=MemberState("m1"),
        attributes={"rainy": True},
        assigned=arm(name),
        seed=seed,
    )
    return decide(snapshot_of(catalogue, counting_bundle(TRIPS, POPULAR)), question)[0]


def scores(choice: Choice) -> dict[str, float]:
    """Return the scores by offer."""
    return {one.offer_id: one.score for one in choice.offers}


def test_the_policy_as_a_whole() -> None:
    """The model has 3, 1 and 0 trips, 4/3 on average: lifts 9/4, 3/4 and 0 of the rate 0.1, × 2, × lever, × context."""
    choice = chosen("")
    assert scores(choice) == pytest.approx({"a": 0.225 * 2, "b": 0.075 * 2 * 8, "c": 0.0})
    assert choice.standing_arm == ""


def test_no_levers_counts_levers_and_context_weights_as_1() -> None:
    """What is left is probability × value."""
    choice = chosen("no_levers")
    assert scores(choice) == pytest.approx({"a": 0.225 * 2, "b": 0.075 * 2, "c": 0.0})
    assert [one.offer_id for one in choice.offers] == ["a", "b", "c"]
    assert choice.standing_arm == "no_levers"
    assert choice.offers[1].factors == pytest.approx(
        {"probability": 0.075, "value": 2.0, "context": 1.0, "lever": 1.0, "cost": 0.0}
    )


def test_no_model_takes_every_probability_from_the_priors() -> None:
    """All three have the prior 0.1; levers and context weights count."""
    choice = chosen("no_model")
    assert scores(choice) == pytest.approx({"a": 0.2, "b": 1.6, "c": 10.0})
    assert "PROBABILITY_UNCALIBRATED" not in choice.degradations


def test_no_personalisation_ranks_by_what_is_popular() -> None:
    """Popularity 1, 2 and 6, 3 on average, lifts the rate instead of the member's own trips."""
    choice = chosen("no_personalisation")
    assert scores(choice) == pytest.approx({"a": 0.1 / 3 * 2, "b": 0.2 / 3 * 2 * 8, "c": 0.2 * 2 * 50})
    assert choice.ranking == "popular"


def test_the_holdout_gives_nothing() -> None:
    """No offer, not even of the fallback, whatever is left to chance; every row says why."""
    choice = chosen("holdout", EXPLORED, fallback_offer_ids=("a",))
    assert (choice.offers, choice.slate_propensity, choice.eligible_count) == ((), 1.0, 0)
    assert choice.removed == {"HELD_OUT": 3}
    assert choice.standing_arm == "holdout"


def test_random_eligible_chooses_evenly_among_all() -> None:
    """Each ordered pair of three has 1/6, whatever scores, shortlist and throttle say."""
    catalogue = catalogue_of(Exploration(method="softmax", share=0.5, shortlist=1, cold_share=0.01))
    snapshot = snapshot_of(catalogue, counting_bundle(TRIPS, POPULAR))
    seen: Counter[tuple[str, ...]] = Counter()
    for number in range(1500):
        question = ask(catalogue.placements[0], assigned=arm("random_eligible"), count=2, seed=f"d{number}")
        choice, _ = decide(snapshot, question)
        assert choice.slate_propensity == pytest.approx(1 / 6)
        assert [one.propensity for one in choice.offers] == pytest.approx([1 / 3, 1 / 2])
        seen[tuple(one.offer_id for one in choice.offers)] += 1
    assert choice.exploration == "uniform"
    pairs = [(one, other) for one in LEVERS for other in LEVERS if one != other]
    assert_frequencies(seen, dict.fromkeys(pairs, 1 / 6))  # type: ignore[arg-type]  # pairs are hashable


def test_random_eligible_leaves_out_what_may_not_be_chosen() -> None:
    """What gates or the least score remove is never drawn."""
    formula = Arbitration(arbitration_id="formula", least_score=0.5, default_value=dollars(1))
    catalogue = Catalogue(
        currency_code="USD",
        placements=(Placement(placement_id="home", arbitration="formula"),),
        arbitrations=(formula,),
        offers=tuple(
            one.model_copy(update={"prior_probability": probability, "eligible": rule})
            for one, probability, rule in zip(
                offers("low", "closed", "good", "fine"),
                (0.1, 0.9, 0.6, 0.7),
                ("", "purchase_count > 0", "", ""),
                strict=True,
            )
        ),
    )
    snapshot = snapshot_of(catalogue)
    for number in range(50):
        question = ask(catalogue.placements[0], assigned=arm("random_eligible"), seed=f"d{number}")
        choice, _ = decide(snapshot, question)
        assert {one.offer_id for one in choice.offers} == {"good", "fine"}
