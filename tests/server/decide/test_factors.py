"""The formula by hand: every factor, what stands in for one that is missing, and a model that says no probabilities."""

from typing import Any

import numpy as np
import pytest

from server.catalogue import Arbitration, Catalogue, ContextWeight, Group, Offer, Placement
from server.decide.choice import Choice
from server.decide.context import Evidence
from server.decide.decide import decide
from server.members import MemberState
from tests.server.decide.making import ask, bundle_of, counting_bundle, dollars, offers, snapshot_of
from tests.server.scene import counting_model
from training.bundle import Bundle, OfferModel, Task


def catalogue_of(*listed: Offer, groups: tuple[Group, ...] = (), **formula: Any) -> Catalogue:
    """Return a catalogue whose one placement weighs these offers by a formula."""
    return Catalogue(
        currency_code="USD",
        attributes={"age": "int"},
        groups=groups,
        placements=(Placement(placement_id="home", arbitration="formula", default_offer_count=10),),
        arbitrations=(Arbitration(arbitration_id="formula", **formula),),
        offers=listed,
    )


def chosen(catalogue: Catalogue, bundle: Bundle | None = None, **more: Any) -> Choice:
    """Return what is chosen."""
    return decide(snapshot_of(catalogue, bundle), ask(catalogue.placements[0], **more))[0]


def factors_of(choice: Choice, offer_id: str) -> dict[str, float]:
    """Return the factors of an offer, with its score."""
    one = next(offer for offer in choice.offers if offer.offer_id == offer_id)
    assert one.factors is not None
    return {**one.factors, "score": one.score}


FULL = Offer(
    offer_id="full",
    value=dollars(10),
    cost=dollars(0.5),
    discount=dollars(2),
    points_liability=dollars(1),
    prior_probability=0.2,
    lever=1.5,
    group_id="inner",
)
GROUPS = (Group(group_id="outer", lever=2.0), Group(group_id="inner", parent_id="outer", lever=0.5))


def test_every_factor_by_hand() -> None:
    """0.2 × (10 − 2 − 1) × (3 × 2) × (1.5 × 0.5 × 2) − 0.5 = 12.1: the groups' levers and all context weights count."""
    weights = (
        ContextWeight(rule="age > 18", weight=3.0),
        ContextWeight(rule="local_hour == 12", group_ids=("outer",), weight=2.0),
        ContextWeight(rule="age < 18", weight=100.0),
        ContextWeight(rule="purchase_count == 0", group_ids=("elsewhere",), weight=100.0),
    )
    groups = (*GROUPS, Group(group_id="elsewhere"))
    choice = chosen(catalogue_of(FULL, groups=groups, context_weights=weights), attributes={"age": 30})
    assert factors_of(choice, "full") == pytest.approx(
        {"probability": 0.2, "value": 7.0, "context": 6.0, "lever": 1.5, "cost": 0.5, "score": 12.1}
    )


def test_what_stands_in_for_a_missing_factor() -> None:
    """Probability: the arbitration's. Value: its ``default_value``, or 0. Lever and context: 1. Cost: 0."""
    bare = offers("bare")[0]
    choice = chosen(catalogue_of(bare, default_probability=0.05, default_value=dollars(4)))
    assert factors_of(choice, "bare") == pytest.approx(
        {"probability": 0.05, "value": 4.0, "context": 1.0, "lever": 1.0, "cost": 0.0, "score": 0.2}
    )
    assert factors_of(chosen(catalogue_of(bare)), "bare")["value"] == 0.0


def test_a_default_value_is_net_of_nothing() -> None:
    """It is the value after what a response costs: a candidate without a value has no discount taken off again."""
    one = Offer(offer_id="one", discount=dollars(3))
    choice = chosen(catalogue_of(one, default_value=dollars(4)))
    assert factors_of(choice, "one")["value"] == 4.0


def test_a_named_response_cost_stands_before_the_discount() -> None:
    """10 − 1 with a response cost of 1, whatever the discount says; the points come on top."""
    one = FULL.model_copy(update={"response_cost": dollars(1)})
    assert factors_of(chosen(catalogue_of(one, groups=GROUPS)), "full")["value"] == pytest.approx(8.0)


def test_a_rule_that_cannot_tell_gives_no_weight() -> None:
    """A context weight applies where its rule says yes, neither where it says no nor where it errs."""
    weights = (ContextWeight(rule="age > 18", weight=3.0),)
    choice = chosen(catalogue_of(FULL, groups=GROUPS, context_weights=weights))
    assert factors_of(choice, "full")["context"] == 1.0


@pytest.mark.parametrize(
    ("parts", "score"),
    [
        (("probability",), 0.2),
        (("value",), 7.0),
        (("lever",), 1.5),
        (("context",), 1.0),
        (("cost",), 0.5),
        (("probability", "value", "cost"), 0.9),
    ],
)
def test_parts_that_are_left_out_count_as_1(parts: Any, score: float) -> None:
    """And the cost as 0: with cost alone the score is 1 − 0.5."""
    choice = chosen(catalogue_of(FULL, groups=GROUPS, factors=parts))
    assert factors_of(choice, "full")["score"] == pytest.approx(score)


def test_a_model_without_probabilities_lifts_the_rate() -> None:
    """Trips 4, 1 and 1, 2 on average: lifts 2, 1/2 and 1/2 of (100 × prior + responses) / (100 + decisions); at most 1.

    An offer that the model does not know keeps its rate.
    """
    catalogue = catalogue_of(
        *(
            one.model_copy(update={"prior_probability": prior, "value": dollars(1)})
            for one, prior in zip(offers("a", "b", "c", "new"), (0.8, 0.2, 0.1, 0.3), strict=True)
        )
    )
    bundle = counting_bundle({"m1": {"a": 4, "b": 1, "c": 1}}, {"a": 1.0, "b": 1.0, "c": 1.0})
    choice = chosen(catalogue, bundle, evidence=Evidence({"c": (100, 30)}))
    probabilities = {name: factors_of(choice, name)["probability"] for name in ("a", "b", "c", "new")}
    assert probabilities == pytest.approx({"a": 1.0, "b": 0.1, "c": 0.1, "new": 0.3})
    assert choice.degradations == ("PROBABILITY_UNCALIBRATED",)


def test_a_model_that_says_nothing_lifts_nothing() -> None:
    """Where all scores are 0 every offer keeps its rate: no division by a mean of 0."""
    catalogue = catalogue_of(*offers("a", "b"), default_probability=0.1, default_value=dollars(1))
    bundle = counting_bundle({"m1": {}}, {"a": 0.0, "b": 0.0})
    choice = chosen(catalogue, bundle)
    assert [one.score for one in choice.offers] == pytest.approx([0.1, 0.1])


def test_scores_below_0_are_counted_from_the_lowest_up() -> None:
    """Popular scores −2, 0 and 4 count as 0, 2 and 6: 0, 3/4 and 9/4 of the rate."""
    catalogue = catalogue_of(*offers("a", "b", "c"), default_probability=0.2, default_value=dollars(1))
    bundle = counting_bundle({"x": {"a": 1}}, {"a": -2.0, "b": 0.0, "c": 4.0})
    choice = chosen(catalogue, bundle)
    found = {name: factors_of(choice, name)["probability"] for name in "abc"}
    assert found == pytest.approx({"a": 0.0, "b": 0.15, "c": 0.45})


class _Calibrated(OfferModel):
    """A model whose scores are probabilities of a response."""

    @property
    def calibrated(self) -> bool:
        """See ``OfferModel``."""
        return True


def test_a_calibrated_model_says_the_probability() -> None:
    """Its score is the probability, kept within 0 and 1; an offer that it does not know has its rate."""
    plain = counting_model(Task.REPLENISH, ["a", "b"], {"m1": {"a": 1, "b": 3}}, [0.0, 0.0])
    plain.history.columns[:, 0] = np.array([0.25, 3.0], dtype=np.float32)
    fields = (
        "task", "member_ids", "product_ids", "offer_ids", "history", "covers", "popular_scores", "scorer",
        "attributes",
    )  # fmt: skip
    model = _Calibrated(**{name: getattr(plain, name) for name in fields})
    catalogue = catalogue_of(*offers("a", "b", "new"), default_probability=0.4, default_value=dollars(1))
    choice = chosen(catalogue, bundle_of(model), state=MemberState("m1"))
    assert [(one.offer_id, one.score) for one in choice.offers] == [
        ("b", 1.0),
        ("new", pytest.approx(0.4)),
        ("a", 0.25),
    ]
    assert choice.degradations == ()
