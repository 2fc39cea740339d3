"""Limits by hand, where random catalogues seldom go."""

import math
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from experiments.log.events import to_micros
from server.catalogue import Cap, Catalogue, Channel, ContactPolicy, Exploration, Group, Placement, QuietHours
from server.decide.decide import decide
from server.members import MemberProfile, MemberState
from tests.server.decide.making import NOON, ask, offers, snapshot_of


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


@pytest.mark.parametrize("method", ["none", "epsilon", "softmax", "thompson"])
@pytest.mark.parametrize(("before", "expected"), [((), 2), (("a",), 1), (("a", "b"), 0)])
def test_a_slate_gives_no_more_of_a_group_than_its_cap_leaves(
    method: Any, before: tuple[str, ...], expected: int
) -> None:
    """Each offer of an answer counts, so an answer of three holds what two decisions before it have left, and others."""
    catalogue = Catalogue(
        placements=(
            Placement(
                placement_id="home",
                exploration=Exploration(method=method, share=0.5, shortlist=3),
                fallback_offer_ids=("d", "z"),
            ),
        ),
        groups=(Group(group_id="outer", caps=(Cap(most=2, days=7),)), Group(group_id="g", parent_id="outer")),
        offers=(
            *(one.model_copy(update={"group_id": "g"}) for one in offers("a", "b", "c", "d")),
            *offers("y", "z"),
        ),
    )
    question = ask(catalogue.placements[0], state=given(*before), count=4)
    choice, _ = decide(snapshot_of(catalogue), question)
    chosen = [one.offer_id for one in choice.offers]
    assert len([one for one in chosen if one in "abcd"]) == expected
    assert {"y", "z"} <= set(chosen)
    assert choice.slate_propensity == math.prod(one.propensity for one in choice.offers)


@pytest.mark.parametrize(
    ("start", "end", "quiet"),
    [
        ("09:00", "17:30", {"09:00", "12:00", "17:29"}),
        ("17:30", "09:00", {"17:30", "23:59", "00:00", "08:59"}),
        ("17:30", "00:00", {"17:30", "23:59"}),
        ("00:00", "09:00", {"00:00", "08:59"}),
    ],
)
def test_quiet_hours_begin_with_their_first_minute_and_end_before_their_last(
    start: str, end: str, quiet: set[str]
) -> None:
    """``start`` is quiet, ``end`` is not, over midnight too, by the clock of the member's time zone."""
    catalogue = Catalogue(
        channels=(Channel(channel_id="push", outbound=True),),
        placements=(Placement(placement_id="home", channels=("push",)),),
        quiet_hours=(QuietHours(start=start, end=end),),
        offers=offers("a"),
    )
    snapshot = snapshot_of(catalogue)
    # Kolkata is 5 hours and 30 minutes ahead.
    state = MemberState("m1", profile=MemberProfile(time_zone="Asia/Kolkata"))
    found = set()
    for clock in ("00:00", "08:59", "09:00", "12:00", "17:29", "17:30", "23:59"):
        local = NOON.replace(hour=int(clock[:2]), minute=int(clock[3:]), tzinfo=ZoneInfo("Asia/Kolkata"))
        question = ask(catalogue.placements[0], state=state, channel_id="push", time=local.astimezone(UTC))
        if not decide(snapshot, question)[0].offers:
            found.add(clock)
    assert found == quiet
