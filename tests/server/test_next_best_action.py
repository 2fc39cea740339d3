"""``NextBestAction`` over real gRPC: actions and channels compete by what they add; limits and real time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.server import decision_scene as ds
from tests.server.decision_scene import EMAIL, Asking, Now, done, removed, stamp
from tests.server.running import Refusal, Running, refusal, running
from troth.v1 import decision_pb2
from troth.v1.assignment_pb2 import AttributeValue
from troth.v1.recommendation_service_pb2 import NextBestActionRequest


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


def test_best_action_with_all_that_is_said_of_it(ask: Asking) -> None:
    """The action that adds most is chosen: 0.5 x 5 - 0.1; the next is told, and how many each gate removed."""
    decision = ask.action("anna")

    assert done(decision) == ("welcome", "app")
    assert decision.action.score == pytest.approx(2.4)
    assert decision.action.propensity == decision.slate_propensity == 1
    assert (decision.action.title, decision.action.creative) == ("Welcome", "hello.html")
    assert (decision.runner_up.action_id, decision.runner_up.score) == ("no_action", 0)
    assert decision.eligible_count == 3
    assert removed(decision) == {"ELIGIBILITY_ERROR": 2, "NO_CONSENT": 1}
    assert decision.arbitration_id == "incremental_value"
    assert decision.exploration == decision_pb2.CHANCE_METHOD_NONE
    assert decision.ranking == decision_pb2.RANKING_CATALOGUE
    assert (decision.channel_id, list(decision.offers), list(decision.degradations)) == ("", [], [])


def test_no_action_wins_when_nothing_pays(ask: Asking) -> None:
    """A survey costs more than it brings, so nothing is done; the survey is the runner-up with its loss."""
    ask.log("anna", "purchase")

    decision = ask.action("anna")

    assert done(decision) == ("no_action", "")
    assert decision.action.score == 0
    assert decision.runner_up.action_id == "survey"
    assert decision.runner_up.score == pytest.approx(-0.99)
    assert removed(decision) == {"ELIGIBILITY_ERROR": 2, "NOT_APPLICABLE": 2}


def test_channels_compete(ask: Asking, now: Now) -> None:
    """An action travels by the best channel that is open to it: first push, in quiet hours email, without consent none."""
    ask.say("anna", EMAIL, tier="silver")
    ask.say("bob", tier="silver")

    assert done(ask.action("anna")) == ("nudge", "push")
    now.pass_(hours=10)
    assert done(ask.action("anna")) == ("nudge", "email")
    assert done(ask.action("bob")) == ("welcome", "app")


def test_quiet_hours_are_the_members(ask: Asking) -> None:
    """At noon of Greenwich it is day in Zurich and quiet in Tokyo; without a zone of theirs the catalogue's counts."""
    for name, zone in (("zoe", "Europe/Zurich"), ("ken", "Asia/Tokyo"), ("sam", "")):
        ask.say(name, tier="silver", time_zone=zone)

    assert done(ask.action("zoe")) == ("nudge", "push")
    assert done(ask.action("sam")) == ("nudge", "push")
    decision = ask.action("ken")
    assert done(decision) == ("welcome", "app")
    assert removed(decision) == {"NO_CONSENT": 2, "QUIET_HOURS": 1}


def test_contact_policy(ask: Asking, now: Now) -> None:
    """Two contacts by email within 7 days close the channel, not the action; after 7 days it is open again."""
    now.time = datetime(2026, 5, 4, 22, tzinfo=UTC)
    ask.say("anna", EMAIL, tier="silver")

    assert [done(ask.action("anna")) for _ in range(3)] == [
        ("nudge", "email"), ("nudge", "email"), ("welcome", "app"),
    ]  # fmt: skip
    decision = ask.action("anna")
    assert removed(decision) == {"CONTACT_POLICY": 2, "QUIET_HOURS": 1}
    now.pass_(days=7, seconds=1)
    assert done(ask.action("anna")) == ("nudge", "email")


def test_no_action_is_no_contact(ask: Asking, now: Now) -> None:
    """Deciding to do nothing uses up no contact."""
    now.time = datetime(2026, 5, 4, 22, tzinfo=UTC)
    ask.say("anna", EMAIL)
    ask.log("anna", "purchase", outcome_time=stamp(now()))
    for _ in range(4):
        assert done(ask.action("anna")) == ("no_action", "")

    ask.say("anna", tier="silver")

    assert done(ask.action("anna")) == ("nudge", "email")


def test_cool_down_after_unsubscribe(ask: Asking, now: Now) -> None:
    """An unsubscription closes its channel for 30 days; the channel is that of the decision it names."""
    now.time = datetime(2026, 5, 4, 22, tzinfo=UTC)
    ask.say("anna", EMAIL, tier="silver")
    first = ask.action("anna")
    assert done(first) == ("nudge", "email")

    ask.log(
        "anna", "unsubscribe", channel_id="email", decision_id=first.decision_id, outcome_time=stamp(now())
    )

    decision = ask.action("anna")
    assert done(decision) == ("welcome", "app")
    assert removed(decision)["COOL_DOWN"] == 2
    now.pass_(days=29)
    assert done(ask.action("anna")) == ("welcome", "app")
    now.pass_(days=1, seconds=1)
    assert done(ask.action("anna")) == ("nudge", "email")


def test_consent_is_asked_at_every_decision(ask: Asking, now: Now) -> None:
    """Consent opens the channel at the next call, and taking it back closes it."""
    now.time = datetime(2026, 5, 4, 22, tzinfo=UTC)
    ask.say("anna", tier="silver")
    assert done(ask.action("anna")) == ("welcome", "app")

    ask.say("anna", EMAIL)
    assert done(ask.action("anna")) == ("nudge", "email")
    ask.say("anna", {("email", "marketing"): False})
    assert done(ask.action("anna")) == ("welcome", "app")


def test_welcome_ends_with_the_first_purchase(ask: Asking, now: Now) -> None:
    """A purchase that was acknowledged counts at the next call; one of another member does not."""
    assert done(ask.action("anna")) == ("welcome", "app")
    ask.log("bob", "purchase", outcome_time=stamp(now()))
    assert done(ask.action("anna")) == ("welcome", "app")

    ask.log("anna", "purchase", outcome_time=stamp(now()))

    assert done(ask.action("anna")) == ("no_action", "")


def test_cap(ask: Asking) -> None:
    """The action that was given as often as its cap allows is not given again."""
    for _ in range(5):
        assert done(ask.action("anna")) == ("welcome", "app")

    decision = ask.action("anna")

    assert done(decision) == ("no_action", "")
    assert removed(decision)["CAP_REACHED"] == 1


def test_retry_gets_the_same_decision(ask: Asking, server: Running) -> None:
    """The same key gives the same answer whatever has changed since, and logs nothing; another question is refused."""
    first = ask.action("anna", request_id="r-1")
    ask.log("anna", "purchase")

    assert ask.action("anna", request_id="r-1") == first
    assert server.row_counts()[0] == 1
    request = NextBestActionRequest(member_id="bob", placement_id="next", request_id="r-1")
    assert refusal(ask.stub.NextBestAction, request).reason == "REQUEST_ID_REUSED"


def test_attributes_of_the_request_count(ask: Asking) -> None:
    """Rules see what the request says of the member; what no rule can know is an error of the rule, not of the call."""
    ask.say("anna", tier="silver", attributes={"age": AttributeValue(int_value=30)})

    assert done(ask.action("anna")) == ("nudge", "push")
    assert done(ask.action("nobody")) == ("welcome", "app")


def test_factors_only_when_asked(ask: Asking) -> None:
    """Factors of the action and the runner-up come with the answer if it was asked for them, and multiply to the score."""
    ask.log("anna", "purchase")
    plain, full = ask.action("anna"), ask.action("anna", factors_wanted=True)

    assert not plain.action.HasField("factors")
    assert not plain.runner_up.HasField("factors")
    assert full.action.HasField("factors")
    factors = full.runner_up.factors
    assert (factors.probability, factors.value_factor, factors.cost_term) == (0.1, 0.1, 1)
    assert factors.probability * factors.value_factor - factors.cost_term == full.runner_up.score


def test_the_answer_is_what_is_logged(ask: Asking, server: Running) -> None:
    """Every field of the answer stands in the log."""
    ask.say("anna", EMAIL, tier="silver")
    decision = ask.action("anna", factors_wanted=True, request_id="r-2", basket_product_ids=["jam"])
    row = server.logged_decision(decision.decision_id)

    (action,) = row["actions"]
    assert (action["action_id"], action["channel_id"]) == done(decision)
    assert (action["score"], action["propensity"]) == (decision.action.score, decision.action.propensity)
    assert row["kind"] == "actions"
    assert row["placement_id"] == decision.placement_id == "next"
    assert row["member_id"] == decision.member_id == "anna"
    assert row["request_id"] == "r-2"
    assert row["eligible_count"] == decision.eligible_count
    assert row["plan_revision"] == decision.plan_revision
    assert row["catalogue_revision"] == decision.catalogue_revision
    assert row["arbitration_id"] == decision.arbitration_id
    assert row["slate_propensity"] == decision.slate_propensity
    assert row["decide_time"] == ds.NOON
    assert (row["ranking"], row["exploration"]) == ("catalogue", "none")


_ASKED: dict[str, Any] = {"member_id": "anna", "placement_id": "next"}


@pytest.mark.parametrize(
    ("fields", "reason", "paths"),
    [
        ({"member_id": ""}, "INVALID_REQUEST", ["member_id"]),
        ({"member_id": "", "placement_id": ""}, "INVALID_REQUEST", ["member_id", "placement_id"]),
        ({"member_id": "a" * 257}, "INVALID_REQUEST", ["member_id"]),
        ({"member_id": "a\x00"}, "INVALID_REQUEST", ["member_id"]),
        ({"request_id": "r" * 129}, "INVALID_REQUEST", ["request_id"]),
        ({"placement_id": "till"}, "INVALID_REQUEST", ["placement_id"]),
        ({"placement_id": "nowhere"}, "PLACEMENT_NOT_FOUND", []),
        ({"programme": "other"}, "PROGRAMME_NOT_FOUND", []),
        ({"basket_product_ids": ["jam", ""]}, "INVALID_REQUEST", ["basket_product_ids[1]"]),
        ({"basket_product_ids": ["p"] * 501}, "INVALID_REQUEST", ["basket_product_ids"]),
        ({"attributes": {"age": AttributeValue()}}, "INVALID_REQUEST", ["attributes.age"]),
        ({"request_time": stamp(datetime(2026, 5, 4, 13, tzinfo=UTC))}, "INVALID_REQUEST", ["request_time"]),
    ],
)
def test_bad_input(untouched: Running, fields: dict[str, Any], reason: str, paths: list[str]) -> None:
    """Each problem is named with the path of its field, and nothing is logged."""
    refused: Refusal = refusal(
        Asking(untouched).stub.NextBestAction, NextBestActionRequest(**(_ASKED | fields))
    )

    assert refused.reason == reason
    assert refused.paths == paths
    expected = grpc.StatusCode.NOT_FOUND if not paths else grpc.StatusCode.INVALID_ARGUMENT
    assert refused.code == expected
    assert untouched.row_counts()[0] == 0


def test_the_other_method_is_named(untouched: Running) -> None:
    """Who asks for offers where actions are decided is told the method."""
    with pytest.raises(grpc.RpcError) as caught:
        Asking(untouched).offers("anna", "next")
    assert "ask for them with NextBestAction" in str(caught.value.details())
