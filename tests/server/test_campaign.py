"""``DecideCampaign`` over real gRPC: the same decisions, limits and log as single calls; nobody is decided for twice."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, Now, done, offered
from tests.server.running import RPC_TIMEOUT_S, Running, refusal_of, running
from tests.server.waiting import wait_until
from troth.v1.recommendation_service_pb2 import DecideCampaignRequest

MEMBERS = [f"m{number:03}" for number in range(100)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server of the scene, without a model."""
    with running(ds.write(tmp_path / "scene"), Now()) as started:
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


def test_each_member_once_and_in_order(ask: Asking, server: Running) -> None:
    """Every member of the list gets their own decision, in the order of the list, named after the campaign in the log."""
    answers = ask.campaign("spring", MEMBERS)

    assert [answer.member_id for answer in answers] == MEMBERS
    assert [answer.decision.member_id for answer in answers] == MEMBERS
    assert {answer.decision.campaign_id for answer in answers} == {"spring"}
    assert server.row_counts()[0] == len(MEMBERS)
    logged = server.frames().decisions
    assert sorted(logged["decision_id"]) == sorted(answer.decision.decision_id for answer in answers)
    assert set(logged["campaign_id"]) == {"spring"}


def test_again_decides_nobody_twice(ask: Asking, server: Running) -> None:
    """The same campaign answers with the same decisions, whatever has happened since; another one decides anew."""
    first = ask.campaign("spring", MEMBERS[:10])
    ask.log("m000", "redemption", offer_id="honey", decision_id=first[0].decision.decision_id)

    again = ask.campaign("spring", MEMBERS[:20])

    assert again[:10] == first
    assert server.row_counts()[0] == 20
    other = ask.campaign("summer", MEMBERS[:1])
    assert "honey" in offered(first[0].decision)
    assert "honey" not in offered(other[0].decision)


def test_member_who_is_listed_twice(ask: Asking, server: Running) -> None:
    """A member who stands in the list twice gets one decision, told twice."""
    first, second = ask.campaign("spring", ["anna", "anna"])

    assert first == second
    assert server.row_counts()[0] == 1


def test_budget_holds_in_campaigns(ask: Asking) -> None:
    """Of a budget of 3 exactly 3 are given, however many are decided for at once; nobody is left without an answer."""
    answers = ask.campaign("spring", MEMBERS)

    given = [answer for answer in answers if "kale" in offered(answer.decision)]
    assert len(given) == 3
    assert all(offered(answer.decision)[:2] == ["honey", "jam"] for answer in answers)


def test_break_and_again(ask: Asking, server: Running) -> None:
    """A client that hangs up keeps what it was told: the next call starts with the same decisions."""
    request = DecideCampaignRequest(campaign_id="spring", placement_id="till", member_ids=MEMBERS)
    call = ask.stub.DecideCampaign(request)
    told = [next(call) for _ in range(5)]
    call.cancel()

    answers = ask.campaign("spring", MEMBERS)

    assert answers[:5] == told
    assert server.row_counts()[0] == len(MEMBERS)


def test_actions(ask: Asking) -> None:
    """A placement that decides actions serves a campaign too; *no action* is an answer."""
    ask.log("bob", "purchase")

    anna, bob = ask.campaign("next-week", ["anna", "bob"], "next")

    assert done(anna.decision) == ("welcome", "app")
    assert done(bob.decision) == ("no_action", "")


def test_channel_and_count(ask: Asking) -> None:
    """Channel and number of offers hold for everybody in the list."""
    ask.say("anna", ds.EMAIL)

    anna, bob = ask.campaign("letter", ["anna", "bob"], channel_id="email", offer_count=1)

    assert offered(anna.decision) == ["honey"]
    assert offered(bob.decision) == []
    assert anna.decision.channel_id == bob.decision.channel_id == "email"


def test_problem_of_one_member(ask: Asking, server: Running) -> None:
    """Another question under the same campaign is a problem of each member who has their answer, not of the others."""
    ask.campaign("spring", ["anna"])

    anna, bob = ask.campaign("spring", ["anna", "bob"], offer_count=1)

    assert anna.WhichOneof("result") == "problem"
    assert anna.problem == (
        "Campaign 'spring' decided for this member before, with another placement, channel or number of offers; ask for those"
        " again, or use another campaign_id."
    )
    assert bob.WhichOneof("result") == "decision"
    assert server.row_counts()[0] == 2


_ASKED: dict[str, Any] = {"campaign_id": "spring", "placement_id": "till", "member_ids": ["anna"]}


@pytest.mark.parametrize(
    ("fields", "reason", "paths"),
    [
        ({"campaign_id": ""}, "INVALID_REQUEST", ["campaign_id"]),
        ({"campaign_id": "c" * 65}, "INVALID_REQUEST", ["campaign_id"]),
        ({"member_ids": []}, "INVALID_REQUEST", ["member_ids"]),
        ({"member_ids": ["anna", "", "bob"]}, "INVALID_REQUEST", ["member_ids[1]"]),
        ({"member_ids": ["a" * 257, "b\n"]}, "INVALID_REQUEST", ["member_ids[0]", "member_ids[1]"]),
        ({"member_ids": ["m"] * 100_001}, "INVALID_REQUEST", ["member_ids"]),
        ({"offer_count": -1}, "INVALID_REQUEST", ["offer_count"]),
        ({"channel_id": "push"}, "INVALID_REQUEST", ["channel_id"]),
        ({"placement_id": "next", "channel_id": "app"}, "INVALID_REQUEST", ["channel_id"]),
        ({"placement_id": "nowhere"}, "PLACEMENT_NOT_FOUND", []),
        ({"programme": "other"}, "PROGRAMME_NOT_FOUND", []),
    ],
)
def test_bad_input(untouched: Running, fields: dict[str, Any], reason: str, paths: list[str]) -> None:
    """A campaign that is wrong is refused before anybody is decided for, and the problem names its field."""
    with pytest.raises(grpc.RpcError) as caught:
        Asking(untouched).campaign(**(_ASKED | fields))
    refused = refusal_of(caught.value)

    assert (refused.reason, refused.paths) == (reason, paths)
    assert untouched.row_counts()[0] == 0


def test_refused_campaign_is_counted(untouched: Running) -> None:
    """A stream that is refused is measured like any call."""
    with pytest.raises(grpc.RpcError):
        Asking(untouched).campaign("spring", ["anna"], "nowhere")

    counted = 'troth_request_duration_seconds_count{code="NOT_FOUND",method="/troth.v1.RecommendationService/DecideCampaign"}'
    wait_until(lambda: counted in _metrics(untouched), "the call is counted")


def _metrics(server: Running) -> str:
    address = f"http://127.0.0.1:{server.app.metrics_port}/metrics"
    with urllib.request.urlopen(address, timeout=RPC_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text
