"""What operators see: health, reflection, metrics, the request log."""

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import current_thread
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.parser import text_string_to_metric_families

from server.api.interceptors import INTERNAL_MESSAGE
from server.handlers.assignments import MemberList
from tests.server import scene
from tests.server.captured_logs import CapturedLog, captured_log
from tests.server.running import RPC_TIMEOUT_S, Running, refusal, refusal_of, running
from tests.server.waiting import wait_until
from troth.v1.experiment_service_pb2 import AssignedMember, GetAssignmentsRequest, StreamAssignmentsRequest
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

SERVICES = (
    "troth.v1.CatalogService",
    "troth.v1.ExperimentService",
    "troth.v1.MemberService",
    "troth.v1.OutcomeService",
    "troth.v1.RecommendationService",
)
CATALOGUES = 2
"""Of the scene's two programmes; a new server keeps them in its log."""


@pytest.fixture
def log() -> Iterator[CapturedLog]:
    """The structured log, kept while a test runs."""
    with captured_log() as captured:
        yield captured


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A server of one test's own, with counters at zero."""
    with running(scene.write_scene(tmp_path / "scene")) as started:
        yield started


def _metrics(server: Running) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{server.app.metrics_port}/metrics", timeout=RPC_TIMEOUT_S
    ) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _sample(server: Running, name: str, **labels: str) -> float | None:
    return _metrics(server).get((name, frozenset(labels.items())))


def _requests(log: CapturedLog, count: int) -> list[dict[str, Any]]:
    """Return the request lines once there are so many; the last may be written just after the answer arrives."""
    wait_until(lambda: len(log.requests) >= count, f"{count} requests are in the log")
    return log.requests


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_health(server: Running, service: str) -> None:
    """The server as a whole and each service say SERVING."""
    assert server.healthy(service)


def test_health_of_a_service_that_is_not(server: Running) -> None:
    """The health of an unknown service is NOT_FOUND, as the health protocol says."""
    with pytest.raises(grpc.RpcError) as caught:
        server.health(health_pb2.HealthCheckRequest(service="troth.v1.Nothing"), timeout=RPC_TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_reflection(server: Running) -> None:
    """A tool like grpcurl can list the services and read their messages, field numbers included."""
    database = ProtoReflectionDescriptorDatabase(server.channel)

    assert sorted(database.get_services()) == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        *SERVICES,
    ]
    file = database.FindFileContainingSymbol("troth.v1.RecommendationService")
    messages = {message.name: message for message in file.message_type}
    numbers = {field.name: field.number for field in messages["RecommendOffersRequest"].field}
    assert numbers["member_id"] == 2
    assert "RecommendOffers" in [method.name for method in file.service[0].method]


def test_metrics_count_what_happened(fresh: Running) -> None:
    """Requests by method and code, decisions by ranking, events by fate, commits and the model are exact numbers."""
    for member in ("nobody", "nobody", "m01"):
        fresh.decide(member, "home")
    with pytest.raises(grpc.RpcError):
        fresh.decide("m01", "nowhere")
    event = Outcome(event_id="e1", member_id="m01", outcome_type="click")
    fresh.log_outcomes(LogOutcomesRequest(outcomes=[event, event]))
    shown = Exposure(event_id="e1", experiment_id="banner", variant_id="loud", member_id="m01")
    fresh.log_exposures(LogExposuresRequest(exposures=[shown]))
    fresh.log_exposures(LogExposuresRequest(exposures=[shown]))

    recommend = "/troth.v1.RecommendationService/RecommendOffers"
    counted = "troth_request_duration_seconds_count"
    wait_until(lambda: _sample(fresh, counted, method=recommend, code="NOT_FOUND") == 1, "calls are counted")
    assert _sample(fresh, counted, method=recommend, code="OK") == 3
    assert (
        _sample(fresh, "troth_decisions_total", programme="default", placement="home", ranking="popular") == 3
    )
    events = {
        (kind, result): _sample(fresh, "troth_events_total", programme="default", kind=kind, result=result)
        for kind in ("outcome", "exposure")
        for result in ("accepted", "duplicate", "unattributed")
    }
    assert events == {
        ("outcome", "accepted"): 1,
        ("outcome", "duplicate"): 1,
        ("outcome", "unattributed"): 1,
        ("exposure", "accepted"): 1,
        ("exposure", "duplicate"): 1,
        ("exposure", "unattributed"): 0,
    }
    assert _sample(fresh, "troth_log_group_size_sum") == 6 + CATALOGUES
    loaded = {"programme": "default", "task": "replenish", "model_version": scene.MODEL_VERSION}
    assert _sample(fresh, "troth_model_loaded", **loaded) == 1


def test_retries_and_failures_are_no_decisions_of_their_own_kind(fresh: Running) -> None:
    """Labels hold no members and no ids, whatever is asked, so that the number of series stays small."""
    for number in range(30):
        fresh.decide(f"secret-member-{number}", request_id=f"secret-request-{number}")
        with pytest.raises(grpc.RpcError):
            fresh.decide(f"secret-member-{number}", f"secret-placement-{number}")
        with pytest.raises(grpc.RpcError):
            fresh.decide("m", programme=f"secret-programme-{number}")

    series = _metrics(fresh)
    assert len(series) < 150
    assert not any("secret" in value for _, labels in series for _, value in labels)


def test_one_line_for_each_request(fresh: Running, log: CapturedLog) -> None:
    """Each request leaves one JSON line with method, code, programme and duration; errors with their sentence."""
    ahead = Outcome(event_id="e", member_id="m", outcome_type="click")
    ahead.outcome_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    calls = [
        (fresh.recommend_offers, RecommendOffersRequest(member_id="m01", placement_id="checkout"), "OK"),
        (fresh.recommend_offers, RecommendOffersRequest(member_id="m01", placement_id="x"), "NOT_FOUND"),
        (fresh.get_assignments, GetAssignmentsRequest(member_id="m01", programme="second"), "OK"),
        (fresh.get_assignments, GetAssignmentsRequest(), "INVALID_ARGUMENT"),
        (fresh.log_outcomes, LogOutcomesRequest(outcomes=[ahead]), "INVALID_ARGUMENT"),
        (
            fresh.log_exposures,
            LogExposuresRequest(programme="nix", exposures=[Exposure()]),
            "INVALID_ARGUMENT",
        ),
    ]
    for call, request, code in calls:
        if code == "OK":
            call(request, timeout=RPC_TIMEOUT_S)
        else:
            with pytest.raises(grpc.RpcError):
                call(request, timeout=RPC_TIMEOUT_S)

    lines = _requests(log, len(calls))
    assert len(lines) == len(calls)
    assert sorted((line["method"].rsplit("/")[-1], line["code"]) for line in lines) == sorted(
        ("".join(part.title() for part in name.split("_")), code)
        for name, code in zip(
            (
                "recommend_offers",
                "recommend_offers",
                "get_assignments",
                "get_assignments",
                "log_outcomes",
                "log_exposures",
            ),
            (code for _, _, code in calls),
            strict=True,
        )
    )
    assert sorted(line["programme"] for line in lines) == ["default"] * 4 + ["nix", "second"]
    for line in lines:
        assert datetime.fromisoformat(line["time"]).tzinfo is not None
        assert line["level"] == "info"
        assert 0 <= line["duration_ms"] < 60_000
        assert bool(line.get("detail")) is (line["code"] != "OK")


def test_log_names_no_members(fresh: Running, log: CapturedLog) -> None:
    """Neither a good nor a refused request leaves a member's id in the log."""
    secret = "secret-member"
    requests = [
        (fresh.recommend_offers, RecommendOffersRequest(member_id=secret, placement_id="checkout")),
        (fresh.recommend_offers, RecommendOffersRequest(member_id=secret, placement_id="nowhere")),
        (fresh.recommend_offers, RecommendOffersRequest(member_id=secret * 30, placement_id="checkout")),
        (fresh.recommend_offers, RecommendOffersRequest(member_id=secret + "\n", placement_id="checkout")),
        (fresh.get_assignments, GetAssignmentsRequest(member_id=secret)),
        (fresh.get_assignments, GetAssignmentsRequest(member_id=secret, experiment_ids=["x"])),
        (
            fresh.log_outcomes,
            LogOutcomesRequest(outcomes=[Outcome(event_id="e", member_id=secret, outcome_type="click")]),
        ),
        (
            fresh.log_exposures,
            LogExposuresRequest(exposures=[Exposure(event_id="e", member_id=secret, variant_id="v")]),
        ),
    ]
    codes = set()
    for call, request in requests:
        try:
            call(request, timeout=RPC_TIMEOUT_S)
            codes.add("OK")
        except grpc.RpcError as error:
            codes.add(error.code().name)

    assert len(_requests(log, len(requests))) == len(requests)
    assert codes == {"OK", "NOT_FOUND", "INVALID_ARGUMENT"}
    assert not any("secret" in line for line in log.raw_lines)


def test_line_stays_a_line(fresh: Running, log: CapturedLog) -> None:
    """A client cannot forge or flood the log: its texts are escaped and cut."""
    forged = '\n{"event": "request", "code": "OK"}'
    for request in (
        RecommendOffersRequest(member_id="m", placement_id="checkout", programme=forged),
        RecommendOffersRequest(member_id="m", placement_id="checkout", programme="p" * 100_000),
        RecommendOffersRequest(member_id="m", placement_id="checkout", programme="\u2028\u0085"),
        RecommendOffersRequest(member_id="m", placement_id="\u2028" * 128),
    ):
        with pytest.raises(grpc.RpcError):
            fresh.recommend_offers(request, timeout=RPC_TIMEOUT_S)

    lines = _requests(log, 4)
    assert len(lines) == 4
    assert {line["code"] for line in lines} == {"INVALID_ARGUMENT", "NOT_FOUND"}
    assert all(len(line) < 2000 for line in log.raw_lines)


def test_unforeseen_failure(tmp_path: Path, log: CapturedLog) -> None:
    """A failure that nobody foresaw is INTERNAL with a fixed sentence; what went wrong stands in the log only."""
    broken = False

    def clock() -> datetime:
        if broken and current_thread().name.startswith("request"):
            raise ZeroDivisionError("secret detail")
        return datetime.now(UTC)

    with running(scene.write_scene(tmp_path / "scene"), clock) as server:
        broken = True
        refused = refusal(
            server.recommend_offers, RecommendOffersRequest(member_id="m", placement_id="checkout")
        )
        assert refused.code is grpc.StatusCode.INTERNAL
        assert refused.message == INTERNAL_MESSAGE
        assert (refused.reason, refused.metadata) == ("INTERNAL", {})
        assert [line["code"] for line in _requests(log, 1)] == ["INTERNAL"]
        (failure,) = log.errors
        assert "ZeroDivisionError: secret detail" in failure["exception"]

        broken = False
        assert server.decide("m01").decision_id


def test_streams_are_logged_and_counted_at_their_end(fresh: Running, log: CapturedLog) -> None:
    """A stream is one line and one measurement: with its programme, and with the reason where it was refused."""
    method = "/troth.v1.ExperimentService/StreamAssignments"
    part = StreamAssignmentsRequest(programme="second", members=[AssignedMember(member_id="secret")])
    assert len(list(fresh.experiments.StreamAssignments(iter([part, part])))) == 2
    with pytest.raises(grpc.RpcError):
        list(fresh.experiments.StreamAssignments(iter([part, StreamAssignmentsRequest()])))

    good, bad = _requests(log, 2)
    assert (good["method"], good["code"], good["programme"]) == (method, "OK", "second")
    assert (bad["code"], "members: is required" in bad["detail"]) == ("INVALID_ARGUMENT", True)
    assert not any("secret" in line for line in log.raw_lines)
    counted = "troth_request_duration_seconds_count"
    wait_until(lambda: _sample(fresh, counted, method=method, code="OK") == 1, "the stream is counted")


def test_a_failure_in_a_stream_says_nothing(
    fresh: Running, log: CapturedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of ours in the middle of a stream is INTERNAL with the fixed sentence; the log has the details."""

    def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(MemberList, "assign", broken)
    part = StreamAssignmentsRequest(members=[AssignedMember(member_id="m")])

    with pytest.raises(grpc.RpcError) as caught:
        list(fresh.experiments.StreamAssignments(iter([part])))

    refused = refusal_of(caught.value)
    assert (refused.code, refused.message) == (grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)
    assert "a secret detail" in str(log.errors)
