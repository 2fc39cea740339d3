"""A store that does not answer: deadlines hold, nothing hangs, nothing is lost, and it recovers by itself."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from grpc_status import rpc_status

from tests.server import scene
from tests.server.process import ServerProcess, connected, serving
from tests.server.running import RPC_TIMEOUT_S, Client, refusal_of
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest


class Slow(NamedTuple):
    """A server whose store the tests hold up, and its client."""

    client: Client
    process: ServerProcess


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    """A server as a process: in one process, a hundred waiting clients would hold up the server's own threads."""
    config = scene.write_scene(tmp_path_factory.mktemp("slow") / "scene")
    with serving(config) as process, connected(process) as client:
        yield Slow(client, process)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the log's write lock, as a backup or a stuck disk would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def _writes(server: Client, key: str) -> list[tuple[Any, Any]]:
    outcome = Outcome(event_id=key, member_id="m", outcome_type="click")
    exposure = Exposure(event_id=key, experiment_id="e", variant_id="v", member_id="m")
    return [
        (
            server.recommend_offers,
            RecommendOffersRequest(member_id="m", placement_id="checkout", request_id=key),
        ),
        (server.log_outcomes, LogOutcomesRequest(outcomes=[outcome])),
        (server.log_exposures, LogExposuresRequest(exposures=[exposure])),
    ]


@pytest.mark.parametrize("which", range(3), ids=["RecommendOffers", "LogOutcomes", "LogExposures"])
def test_deadline_holds(slow: Slow, which: int) -> None:
    """A call that cannot be logged in time is DEADLINE_EXCEEDED when its deadline ends; the retry is kept once."""
    key = f"deadline-{which}"
    call, request = _writes(slow.client, key)[which]
    with held(slow.process.log_path):
        start = time.monotonic()
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=0.4)
        waited = time.monotonic() - start
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.2 < waited < 20

    first = call(request, timeout=RPC_TIMEOUT_S)
    if which == 0:
        assert call(request, timeout=RPC_TIMEOUT_S) == first
        logged = slow.process.frames().decisions.filter(request_id=key)
        assert logged["decision_id"].to_list() == [first.decision.decision_id]
    else:
        frames = slow.process.frames()
        assert (frames.outcomes if which == 1 else frames.exposures).filter(event_id=key).height == 1


def test_server_tells_the_deadline_itself(slow: Slow) -> None:
    """Where the answer arrives before the client gives up, it says what to do, with our reason."""
    request = _writes(slow.client, "told")[1][1]
    with held(slow.process.log_path):
        # The server answers a little before the deadline, but one answer may be late on a busy machine.
        for _ in range(20):
            with pytest.raises(grpc.RpcError) as caught:
                slow.client.log_outcomes(request, timeout=0.15)
            error: Any = caught.value
            assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if rpc_status.from_call(error) is not None:
                break
        refused = refusal_of(error)
    assert refused.reason == "DEADLINE_EXCEEDED"
    assert "send the same request_id or event_id again" in refused.message


def test_without_a_deadline(slow: Slow) -> None:
    """A client that set no deadline is told after a few seconds instead of waiting for ever."""
    _, request = _writes(slow.client, "no-deadline")[0]
    with held(slow.process.log_path):
        start = time.monotonic()
        call = slow.client.recommend_offers.future(request)
        refused = refusal_of(call.exception(timeout=RPC_TIMEOUT_S))
        waited = time.monotonic() - start
    assert (refused.code, refused.reason) in {
        (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    }
    assert waited < 30


def test_crowd_behind_a_slow_store(slow: Slow) -> None:
    """More calls than threads wait behind the store: each ends in time, and the server is as before afterwards."""
    with held(slow.process.log_path), ThreadPoolExecutor(100) as pool:
        start = time.monotonic()
        sent = [
            pool.submit(call, request, timeout=1.0)
            for number in range(34)
            for call, request in _writes(slow.client, f"crowd-{number}")
        ]
        errors: list[Any] = [one.exception(timeout=RPC_TIMEOUT_S) for one in sent]
        waited = time.monotonic() - start
    assert {error.code() for error in errors} <= {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    }
    assert waited < 30

    for number in range(34):
        for call, request in _writes(slow.client, f"crowd-{number}"):
            call(request, timeout=RPC_TIMEOUT_S)
    frames = slow.process.frames()
    keys = {f"crowd-{number}" for number in range(34)}
    for column in (frames.decisions["request_id"], frames.outcomes["event_id"], frames.exposures["event_id"]):
        assert sorted(one for one in column.to_list() if one in keys) == sorted(keys)


def test_what_needs_no_store_goes_on(slow: Slow) -> None:
    """While the store is stuck, assignments are answered and the server is alive."""
    with held(slow.process.log_path):
        assert slow.client.get_assignments(GetAssignmentsRequest(member_id="m"), timeout=2).assignments
        assert slow.client.healthy()


def test_cancelled_calls_leave_nothing_behind(slow: Slow) -> None:
    """A client that hangs up while its call waits costs nothing: the next calls go through."""
    call, request = _writes(slow.client, "cancelled")[0]
    with held(slow.process.log_path):
        futures = [call.future(request) for _ in range(70)]
        for future in futures:
            future.cancel()
    assert slow.client.decide("m").decision_id
    assert slow.process.frames().decisions.filter(request_id="cancelled").height <= 1
