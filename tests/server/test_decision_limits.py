"""Limits of offers over real gRPC: eligibility, caps, coupons, budgets and inventory, each at the very next call."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from server.storage.schema import COMMITTED, OPEN
from tests.server import decision_scene as ds
from tests.server.decision_scene import EMAIL, Asking, Now, offered, removed, stamp, values
from tests.server.running import RPC_TIMEOUT_S, Running, refusal, refusal_of, running
from tests.server.waiting import wait_until
from troth.v1.member_pb2 import Consent, Member
from troth.v1.member_service_pb2 import MemberUpdate, UpsertMembersRequest
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import DecideCampaignRequest, RecommendOffersRequest

RESERVED = (
    "SELECT decision_id, one.value ->> 0, one.value ->> 1, one.value ->> 3, substr(states, one.key + 1, 1)"
    " FROM reservations, json_each(draws) AS one ORDER BY 1, 2, 3"
)
SPENT = (
    "SELECT account_id, reserved_units, committed_units FROM budget_accounts"
    " WHERE reserved_units + committed_units > 0 ORDER BY 1"
)


@pytest.fixture
def now() -> Now:
    """The server's clock."""
    return Now()


@pytest.fixture
def server(tmp_path: Path, now: Now) -> Iterator[Running]:
    """A server of the scene, without a model."""
    with running(ds.write(tmp_path / "scene"), now) as started:
        yield started


@pytest.fixture
def ask(server: Running) -> Asking:
    """Its calls."""
    return Asking(server)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that keeps nothing of what these tests send."""
    with running(ds.write(tmp_path_factory.mktemp("untouched") / "scene"), Now()) as started:
        yield started


def rows(server: Running, statement: str) -> list[tuple[Any, ...]]:
    """Return rows of the server's file."""
    with closing(sqlite3.connect(server.log_path)) as connection:
        return connection.execute(statement).fetchall()


def test_best_offers_first(ask: Asking) -> None:
    """Offers come by a tenth of their value less their cost; a rule that cannot tell leaves its offer out."""
    decision = ask.offers("anna", offer_count=10)

    assert offered(decision) == ["honey", "jam", "kale", "nuts", "rice"]
    assert [offer.score for offer in decision.offers] == pytest.approx([0.9, 0.7, 0.6, 0.5, 0.1])
    assert removed(decision) == {"ELIGIBILITY_ERROR": 1}
    assert (decision.channel_id, decision.arbitration_id) == ("app", "worth")


@pytest.mark.parametrize(("age", "gate"), [(17, "NOT_ELIGIBLE"), (18, None)])
def test_eligible_by_the_request(ask: Asking, age: int, gate: str | None) -> None:
    """A rule over an attribute of the request says yes or no."""
    decision = ask.offers("anna", offer_count=10, attributes=values(age=age))

    assert ("wine" in offered(decision)) == (gate is None)
    assert removed(decision) == ({} if gate is None else {gate: 1})


def test_redeemed_coupon_is_gone(ask: Asking, now: Now) -> None:
    """A coupon that the member redeemed is not offered to them again, from the next call on; others still get it."""
    first = ask.offers("anna")
    assert offered(first)[0] == "honey"

    ask.log("anna", "redemption", decision_id=first.decision_id, offer_id="honey", outcome_time=stamp(now()))

    assert "honey" not in offered(ask.offers("anna", offer_count=10))
    assert removed(ask.offers("anna"))["CAP_REACHED"] == 1
    assert offered(ask.offers("bob"))[0] == "honey"


def test_refusal_rests_the_offer(ask: Asking, now: Now) -> None:
    """An offer that they refused rests for 10 days."""
    ask.log("anna", "refusal", offer_id="honey", outcome_time=stamp(now()))
    assert offered(ask.offers("anna"))[0] == "jam"

    now.pass_(days=10, seconds=1)
    assert offered(ask.offers("anna"))[0] == "honey"


def test_unsubscribing_from_a_channel_that_nobody_told(ask: Asking, now: Now) -> None:
    """Who unsubscribes without a word of the channel is left alone on all of them; with the channel, on that one."""
    for member_id in ("anna", "bob"):
        ask.say(member_id, EMAIL)
    ask.log("anna", "unsubscribe", outcome_time=stamp(now()))
    ask.log("bob", "unsubscribe", channel_id="email", outcome_time=stamp(now()))

    for member_id, channel_id, rests in (
        ("anna", "app", True), ("anna", "email", True), ("bob", "app", False), ("bob", "email", True),
    ):  # fmt: skip
        assert ("COOL_DOWN" in removed(ask.offers(member_id, channel_id=channel_id))) == rests

    now.pass_(days=30, seconds=1)
    assert "COOL_DOWN" not in removed(ask.offers("anna", channel_id="app"))


def test_consent_of_the_channel(ask: Asking) -> None:
    """Without consent nothing travels by email: an empty answer that says why; with it everything does."""
    decision = ask.offers("anna", channel_id="email", offer_count=10)
    assert offered(decision) == []
    assert removed(decision) == {"ELIGIBILITY_ERROR": 1, "NO_CONSENT": 5}

    ask.say("anna", EMAIL)

    assert len(ask.offers("anna", channel_id="email", offer_count=10).offers) == 5


def test_budget_is_reserved_once(ask: Asking, server: Running) -> None:
    """A retry reserves nothing twice; each decision that gives the offer takes one, until none is left."""
    first = ask.offers("anna", offer_count=3, request_id="r-1")
    assert offered(first) == ["honey", "jam", "kale"]
    once = rows(server, RESERVED)
    assert once == [(first.decision_id, "kale", "candidate:kale:0", 1, OPEN)]

    assert ask.offers("anna", offer_count=3, request_id="r-1") == first
    assert rows(server, RESERVED) == once
    assert rows(server, SPENT) == [("candidate:kale:0", 1, 0)]

    for member in ("bob", "cleo"):
        assert "kale" in offered(ask.offers(member))
    decision = ask.offers("dora")
    assert offered(decision) == ["honey", "jam", "nuts"]
    assert removed(decision)["BUDGET_SPENT"] == 1
    assert rows(server, SPENT)[0] == ("candidate:kale:0", 3, 0)


def test_redemption_commits(ask: Asking, server: Running, now: Now) -> None:
    """A redemption turns its reservation into a spend, which does not run out."""
    decision = ask.offers("anna")
    ask.log(
        "anna", "redemption", decision_id=decision.decision_id, offer_id="kale", outcome_time=stamp(now())
    )

    assert rows(server, SPENT) == [("candidate:kale:0", 0, 1)]
    assert [state for *_, state in rows(server, RESERVED)] == [COMMITTED]


def test_reservation_runs_out(ask: Asking, server: Running, now: Now) -> None:
    """After its hold of 2 days a reservation is given back, and somebody else gets the offer."""
    for member in ("anna", "bob", "cleo"):
        assert "kale" in offered(ask.offers(member))
    now.pass_(days=1)
    assert "kale" not in offered(ask.offers("dora"))

    now.pass_(days=1, seconds=1)
    # Housekeeping gives back about every second.
    wait_until(lambda: ("candidate:kale:0", 3, 0) not in rows(server, SPENT), "reservations run out")

    assert "kale" in offered(ask.offers("dora"))
    assert rows(server, SPENT)[0] == ("candidate:kale:0", 1, 0)


def test_inventory(ask: Asking) -> None:
    """Of two pieces two are given, whoever asks."""
    given = ["nuts" in offered(ask.offers(f"m{number}", offer_count=10)) for number in range(4)]

    assert given == [True, True, False, False]


def test_bare_member_gets_an_answer(ask: Asking) -> None:
    """A member of whom nothing is known gets what needs no knowledge."""
    decision = ask.offers("成员")
    assert offered(decision) == ["honey", "jam", "kale"]


def test_factors_only_when_asked(ask: Asking) -> None:
    """Factors come with the answer if it was asked for them, and make up the score."""
    assert not any(offer.HasField("factors") for offer in ask.offers("anna").offers)

    for offer in ask.offers("anna", factors_wanted=True, offer_count=10).offers:
        made_of = offer.factors
        product = made_of.probability * (made_of.value_factor * made_of.context_factor * made_of.lever_factor)
        assert product - made_of.cost_term == offer.score


@pytest.mark.parametrize(
    ("fields", "paths", "sentence"),
    [
        ({"channel_id": "push"}, ["channel_id"], "has app, email, so not 'push'"),
        ({"placement_id": "plain", "channel_id": "app"}, ["channel_id"], "names no channels"),
        ({"placement_id": "next"}, ["placement_id"], "ask for them with NextBestAction"),
        ({"offer_count": -1}, ["offer_count"], "must be 0"),
        ({"channel_id": "a" * 129}, ["channel_id"], "at most 128"),
        ({"offer_count": -1, "member_id": ""}, ["member_id", "offer_count"], "is required"),
    ],
)
def test_bad_input(untouched: Running, fields: dict[str, Any], paths: list[str], sentence: str) -> None:
    """Each problem is named with its field, and what would be right."""
    asked = {"member_id": "anna", "placement_id": "till"} | fields
    refused = refusal(untouched.recommend_offers, RecommendOffersRequest(**asked))

    assert refused.reason == "INVALID_REQUEST"
    assert refused.paths == paths
    assert sentence in refused.message


def test_misspelt_channels_are_refused(ask: Asking, server: Running) -> None:
    """An unsubscribe from a channel that does not exist would do nothing, and nobody would notice; so would a consent."""
    event = Outcome(event_id="e1", member_id="anna", outcome_type="unsubscribe", channel_id="fax")
    answer = refusal(server.log_outcomes, LogOutcomesRequest(outcomes=[event]))
    consent = Consent(channel_id="fax", purpose="marketing", granted=True)
    updates = [MemberUpdate(member=Member(member_id="anna", consents=[consent]))]
    again = refusal(server.members.UpsertMembers, UpsertMembersRequest(updates=updates, actor="tests"))

    assert answer.paths == ["outcomes[0].channel_id"]
    assert "the catalogue has no channel 'fax'; it has " in answer.message
    assert again.paths == ["updates[0].member.consents"]
    assert server.row_counts() == (0, 0, 0)


def test_actions_are_not_counted(ask: Asking) -> None:
    """A campaign of actions gives each member one; a number of offers is refused, not passed over."""
    request = DecideCampaignRequest(
        campaign_id="spring", placement_id="next", offer_count=2, member_ids=["anna"]
    )
    with pytest.raises(grpc.RpcError) as caught:
        list(ask.stub.DecideCampaign(request, timeout=RPC_TIMEOUT_S))

    assert refusal_of(caught.value).paths == ["offer_count"]


def test_a_slate_does_not_draw_twice_what_is_there_once(tmp_path: Path) -> None:
    """Two offers share a budget of one: the first of them is given, and the rest of the answer is found without it."""
    groups = [{"group_id": "sweets", "budgets": [{"units": 1}]}]
    offers = [
        {"offer_id": "honey", "value": ds.money("9"), "group_id": "sweets"},
        {"offer_id": "jam", "value": ds.money("8"), "group_id": "sweets"},
        {"offer_id": "nuts", "value": ds.money("5")},
    ]
    placements = [{"placement_id": "till", "arbitration": "worth"}]
    changes: dict[str, Any] = {"groups": groups, "offers": offers, "placements": placements, "actions": []}
    with running(ds.write(tmp_path / "scene", **changes), Now()) as server:
        ask = Asking(server)
        first, second = ask.offers("anna", offer_count=3), ask.offers("bob", offer_count=3)

        assert offered(first) == ["honey", "nuts"]
        assert offered(second) == ["nuts"]
        assert removed(second) == {"BUDGET_SPENT": 2}
        assert rows(server, SPENT) == [("group:sweets:0", 1, 0)]


def test_another_channel_is_another_question(ask: Asking) -> None:
    """The key of one channel cannot be used for the same question on another."""
    ask.say("anna", EMAIL)
    ask.offers("anna", channel_id="app", request_id="r-1")

    with pytest.raises(grpc.RpcError) as caught:
        ask.offers("anna", channel_id="email", request_id="r-1")

    assert refusal_of(caught.value).reason == "REQUEST_ID_REUSED"
