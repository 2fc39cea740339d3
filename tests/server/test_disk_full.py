"""A disk that runs full while the server works."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from tests.server import scene
from tests.server.process import ServerProcess, connected, serving
from tests.server.running import RPC_TIMEOUT_S, refusal
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest

BATCH = 200


@contextmanager
def files_limited(server: ServerProcess, size: int) -> Iterator[None]:
    """Let no file of the server grow beyond a size: writes fail as on a full disk, in the middle of a file."""
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    yield
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)


def _outcomes(number: int) -> LogOutcomesRequest:
    return LogOutcomesRequest(
        outcomes=[
            Outcome(event_id=f"e{number}-{place}", member_id="m" * 200, outcome_type="purchase")
            for place in range(BATCH)
        ]
    )


def _exposures(number: int) -> LogExposuresRequest:
    return LogExposuresRequest(
        exposures=[
            Exposure(event_id=f"e{number}-{place}", experiment_id="e", variant_id="v", member_id="m" * 200)
            for place in range(BATCH)
        ]
    )


def _question(number: int) -> RecommendOffersRequest:
    return RecommendOffersRequest(member_id="m01", placement_id="checkout", request_id=f"r{number}")


def _until_refused(call: Any, request_of: Callable[[int], Any]) -> list[int]:
    """Send one request after another until one is refused, which must be for want of space; return those answered."""
    answered: list[int] = []
    while len(answered) < 2000:
        try:
            call(request_of(len(answered)), timeout=RPC_TIMEOUT_S)
        except grpc.RpcError:
            break
        answered.append(len(answered))
    for _ in range(3):
        refused = refusal(call, request_of(len(answered)))
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert refused.reason == "STORE_UNAVAILABLE"
        assert "Send the same request again" in refused.message
    return answered


def _event_ids(request_of: Callable[[int], Any], numbers: list[int], field: str) -> list[str]:
    return sorted(event.event_id for number in numbers for event in getattr(request_of(number), field))


def test_disk_full(tmp_path: Path) -> None:
    """Every kind of write is UNAVAILABLE while the disk is full, whole batches at a time; what was acknowledged stays.

    The server lives on and works again as soon as there is room, also after a restart.
    """
    config = scene.write_scene(tmp_path / "scene")
    with serving(config) as server, connected(server) as client:
        client.log_outcomes(_outcomes(0), timeout=RPC_TIMEOUT_S)
        with files_limited(server, (config.parent / "troth.db-wal").stat().st_size + 1024 * 1024):
            outcomes = _until_refused(client.log_outcomes, _outcomes)
            exposures = _until_refused(client.log_exposures, _exposures)
            decisions = _until_refused(client.recommend_offers, _question)
            assert client.healthy()
            frames = server.frames()
        assert len(outcomes) > 2
        assert sorted(frames.outcomes["event_id"]) == _event_ids(_outcomes, outcomes, "outcomes")
        assert sorted(frames.exposures["event_id"]) == _event_ids(_exposures, exposures, "exposures")
        assert sorted(frames.decisions["request_id"]) == sorted(f"r{number}" for number in decisions)

        again = client.log_outcomes(_outcomes(len(outcomes)), timeout=RPC_TIMEOUT_S)
        assert (again.accepted_count, again.duplicate_count) == (BATCH, 0)
        assert client.decide("m01", request_id="afterwards").decision_id
        assert server.stop() == 0

    with serving(config) as server, connected(server) as client:
        again = client.log_outcomes(_outcomes(len(outcomes)), timeout=RPC_TIMEOUT_S)
        assert again.duplicate_count == BATCH
        assert len(server.frames().outcomes) == (len(outcomes) + 1) * BATCH
        assert len(server.frames().decisions) == len(decisions) + 1
