"""Limits by hand, where random catalogues seldom go."""

from datetime import timedelta

from experiments.events import to_micros
from server.catalogue import Cap, Catalogue, Channel, ContactPolicy, Group, Placement
from server.decide.decide import decide
from server.members import MemberState
from tests.decide.making import NOON, ask, offers, snapshot_of


def given(*names: str, channel_id: str = "") -> MemberState:
    """Return the state of a member who was given these an hour ago, each by a decision of its own."""
    state, micros = MemberState("m1"), to_micros(NOON - timedelta(hours=1))
    for name in names:
        state = state.after_decision(state.version + 1, micros, [channel_id] if channel_id else [], [name])
    return state


def test_a_cap_that_stands_twice_counts_once() -> None:
    """Two equal caps of a group, or of groups in each other, are one limit: what happened is not counted twice."""
    caps = (Cap(most=2), Cap(most=2))
    catalogue = Catalogue(
        placements=(Placement(placement_id="home"),),
        groups=(Group(group_id="g", caps=caps),),
        offers=tuple(one.model_copy(update={"group_id": "g"}) for one in offers("a", "b")),
    )
    snapshot, placement = snapshot_of(catalogue), catalogue.placements[0]
    choice, _ = decide(snapshot, ask(placement, state=given("a")))
    assert choice.removed == {}
    choice, _ = decide(snapshot, ask(placement, state=given("a", "b")))
    assert choice.removed == {"CAP_REACHED": 2}


def test_a_channel_that_stands_twice_counts_once() -> None:
    """A contact policy that names a channel twice counts its contacts once."""
    catalogue = Catalogue(
        channels=(Channel(channel_id="email", outbound=True),),
        placements=(Placement(placement_id="home", channels=("email",)),),
        contact_policies=(ContactPolicy(policy_id="p", channels=("email", "email"), most=2, days=7),),
        offers=offers("a"),
    )
    snapshot, placement = snapshot_of(catalogue), catalogue.placements[0]
    state = given("a", channel_id="email")
    choice, _ = decide(snapshot, ask(placement, state=state, channel_id="email"))
    assert choice.removed == {}


def test_a_fallback_offer_that_stands_twice_is_given_once() -> None:
    """The fallback fills an answer with each of its offers once, however often it names them."""
    catalogue = Catalogue(
        placements=(Placement(placement_id="home", fallback_offer_ids=("b", "b", "a")),),
        offers=offers("a", "b"),
    )
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0]))
    assert [one.offer_id for one in choice.offers] == ["b", "a"]
