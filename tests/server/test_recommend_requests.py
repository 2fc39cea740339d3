"""RecommendOffers with strange and wrong input: each gets a designed answer, and nothing wrong is logged."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tests.server.running import Running, refusal
from troth.v1 import decision_pb2
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

NewId = Callable[[], str]
METHOD = "/troth.v1.RecommendationService/RecommendOffers"

STRANGE_IDS = (
    "x",
    "x" * 256,
    "Zoé",
    "ア" * 256,
    "🛒" * 256,
    "👩‍👩‍👧",
    "\u202eright to left",
    " ",
    "e\u0301 is not é",
    "'; DROP TABLE decisions; --",
    "\ufdd0\uffff\U0010ffff",
    'a|b,c\\d"e',
)


def _ask(**fields: Any) -> RecommendOffersRequest:
    return RecommendOffersRequest(**{"member_id": "m01", "placement_id": "checkout"} | fields)


@pytest.mark.parametrize("member_id", STRANGE_IDS, ids=range(len(STRANGE_IDS)))
def test_strange_member_ids_are_fine(server: Running, member_id: str) -> None:
    """1 to 256 characters of any script are a member, who is unknown here, and come back and are logged unchanged."""
    decision = server.decide(member_id)

    assert decision.member_id == member_id
    assert list(decision.degradations) == [decision_pb2.DEGRADATION_MEMBER_UNKNOWN]
    assert len(decision.offers) == 3
    assert server.logged_decision(decision.decision_id)["member_id"] == member_id


@pytest.mark.parametrize(
    "request_id", ["x" * 128, "🛒" * 128, "Schlüssel"], ids=["ascii", "astral", "umlaut"]
)
def test_strange_request_ids_are_fine(server: Running, new_id: NewId, request_id: str) -> None:
    """A key of up to 128 characters of any script works as a key."""
    first = server.decide("m01", request_id=request_id)

    assert server.decide("m01", request_id=request_id) == first
    assert server.logged_decision(first.decision_id)["request_id"] == request_id


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("member_id", "", "is required"),
        ("member_id", "x" * 257, "257 characters"),
        ("member_id", "🛒" * 257, "257 characters"),
        ("member_id", "x" * 10_000, "10000 characters"),
        ("member_id", "ü" * 10_000, "10000 characters"),
        ("member_id", "tab\there", "control characters"),
        ("member_id", "nul\0", "control characters"),
        ("member_id", "\x85", "control characters"),
        ("member_id", "line\nbreak", "control characters"),
        ("placement_id", "", "is required"),
        ("placement_id", "p" * 10_000, "10000 characters"),
        ("placement_id", "\x1b[31m", "control characters"),
        ("request_id", "r" * 129, "129 characters"),
        ("request_id", "r" * 10_000, "10000 characters"),
        ("request_id", "r\r", "control characters"),
        ("programme", "p" * 129, "129 characters"),
        ("programme", "p" * 10_000, "10000 characters"),
        ("programme", "p\x7f", "control characters"),
        ("offer_count", -1, "-1"),
        ("offer_count", -(2**31), "-2147483648"),
    ],
)
def test_wrong_field(server: Running, field: str, value: str | int, said: str) -> None:
    """A field that breaks its rule is INVALID_ARGUMENT with its path and what is wrong; nothing is logged."""
    rows = server.row_counts()

    refused = refusal(server.recommend_offers, _ask(**{field: value}))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert refused.paths == [field]
    assert said in refused.fields[0][1]
    assert len(refused.message) < 500
    assert server.row_counts() == rows


def test_invalid_timestamps(server: Running, replay_server: Running) -> None:
    """A timestamp outside the years 1 to 9999, or with impossible nanos, is a problem of its field on every server."""
    for seconds, nanos in (
        (253_402_300_800, 0),
        (-62_135_596_801, 0),
        (2**63 - 1, 0),
        (-(2**63), 0),
        (0, -1),
        (0, 1_000_000_000),
    ):
        request = _ask()
        request.request_time.seconds = seconds
        request.request_time.nanos = nanos
        for asked in (server, replay_server):
            refused = refusal(asked.recommend_offers, request)

            assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.paths == ["request_time"]
            assert "not a valid timestamp" in refused.fields[0][1]


def test_all_problems_at_once(server: Running) -> None:
    """One answer names every problem with its path, so that a client is repaired in one go."""
    request = RecommendOffersRequest(
        programme="p" * 129, member_id="m\n", offer_count=-5, request_id="r" * 200
    )
    request.request_time.seconds = 2**62

    refused = refusal(server.recommend_offers, request)

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sorted(refused.paths) == [
        "member_id",
        "offer_count",
        "placement_id",
        "programme",
        "request_id",
        "request_time",
    ]
    for path, description in refused.fields:
        assert description
        assert path in refused.message


def test_empty_request(server: Running) -> None:
    """A request without anything names what is required."""
    refused = refusal(server.recommend_offers, RecommendOffersRequest())

    assert refused.fields == (("member_id", "is required"), ("placement_id", "is required"))


@pytest.mark.parametrize("placement_id", ["nowhere", "Checkout", "checkout ", "пусто", "🛒" * 128])
def test_unknown_placement(server: Running, placement_id: str) -> None:
    """An unknown placement is NOT_FOUND; the sentence names those there are."""
    refused = refusal(server.recommend_offers, _ask(placement_id=placement_id))

    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert refused.reason == "PLACEMENT_NOT_FOUND"
    assert refused.metadata == {"programme": "default", "placement_id": placement_id}
    assert "checkout, home" in refused.message


@pytest.mark.parametrize("programme", ["nowhere", "Default", "程序"])
def test_unknown_programme(server: Running, programme: str) -> None:
    """An unknown programme is NOT_FOUND, before anything of the request is looked up."""
    refused = refusal(server.recommend_offers, _ask(programme=programme, placement_id="nowhere"))

    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert refused.reason == "PROGRAMME_NOT_FOUND"
    assert refused.metadata == {"programme": programme}


def test_bytes_that_are_no_request(server: Running) -> None:
    """Garbage is refused and the server lives on."""
    for payload in (b"\xff\xff\xff", b"\x12\x02\xc3\x28"):
        with pytest.raises(grpc.RpcError) as caught:
            server.send_bytes(METHOD, payload)
        assert caught.value.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT}
    assert server.decide("m01").decision_id


def test_fields_of_a_later_version_are_ignored(server: Running) -> None:
    """A client that is newer than the server is served."""
    newer = _ask().SerializeToString() + bytes([0xFA, 0x3F, 3]) + b"new"

    assert server.send_bytes(METHOD, newer)


def test_unknown_method(server: Running) -> None:
    """A method that does not exist is UNIMPLEMENTED."""
    with pytest.raises(grpc.RpcError) as caught:
        server.send_bytes("/troth.v1.RecommendationService/GuessOffers", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
