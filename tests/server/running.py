"""A real server in this process, its client, and what it wrote to its log."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from experiments.log.frames import EventFrames, read_log
from server.app import App, build
from server.clock import Clock, system_clock
from server.config import Config, load_config
from troth.v1 import (
    catalog_service_pb2_grpc,
    experiment_service_pb2_grpc,
    member_service_pb2_grpc,
    outcome_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

RPC_TIMEOUT_S = 20.0
"""No call of a test may hang."""


class Client:
    """Stubs of all services on one channel.

    Args:
        address: Host and port.
    """

    def __init__(self, address: str) -> None:
        # An own pool of connections, so that a restarted server is never met on an old one.
        self.channel = grpc.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),))
        recommendation = recommendation_service_pb2_grpc.RecommendationServiceStub(self.channel)
        experiment = experiment_service_pb2_grpc.ExperimentServiceStub(self.channel)
        outcome = outcome_service_pb2_grpc.OutcomeServiceStub(self.channel)
        self.recommend_offers: Any = recommendation.RecommendOffers
        self.experiments: Any = experiment
        self.members: Any = member_service_pb2_grpc.MemberServiceStub(self.channel)
        self.catalogues: Any = catalog_service_pb2_grpc.CatalogServiceStub(self.channel)
        self.get_assignments: Any = experiment.GetAssignments
        self.log_exposures: Any = outcome.LogExposures
        self.log_outcomes: Any = outcome.LogOutcomes
        health: Any = health_pb2_grpc.HealthStub(self.channel)
        self.health: Any = health.Check

    def decide(
        self, member_id: str, placement_id: str = "checkout", *, timeout: float = RPC_TIMEOUT_S, **fields: Any
    ) -> Any:
        """Return the decision for a member."""
        request = recommendation_service_pb2.RecommendOffersRequest(
            member_id=member_id, placement_id=placement_id, **fields
        )
        return self.recommend_offers(request, timeout=timeout).decision

    def healthy(self, service: str = "") -> bool:
        """Tell whether the server says SERVING."""
        status = self.health(health_pb2.HealthCheckRequest(service=service), timeout=RPC_TIMEOUT_S).status
        return bool(status == health_pb2.HealthCheckResponse.SERVING)

    def send_bytes(self, method: str, payload: bytes) -> Any:
        """Post raw bytes to a method and return the raw answer."""
        call: Any = self.channel.unary_unary(method)
        return call(payload, timeout=RPC_TIMEOUT_S)

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What a refused call told its client.

    Attributes:
        code: The status.
        message: The sentence.
        reason: Of the one ``ErrorInfo``.
        metadata: Of the one ``ErrorInfo``.
        fields: Path and description of each problem of the ``BadRequest`` or ``PreconditionFailure``.
    """

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    fields: tuple[tuple[str, str], ...]

    @property
    def paths(self) -> list[str]:
        """The paths of the problems, in order."""
        return [path for path, _ in self.fields]


def refusal(call: Callable[..., Any], request: Any, *, timeout: float = RPC_TIMEOUT_S) -> Refusal:
    """Make a call that must be refused by the server, and return what it said."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=timeout)
    return refusal_of(caught.value)


def refusal_of(error: Any) -> Refusal:
    """Return what an error says; each refusal carries one ``ErrorInfo`` of our domain."""
    status = rpc_status.from_call(error)
    assert status is not None, f"the server gave no details: {error.code()} {error.details()}"
    infos, fields = [], []
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            infos.append(error_details_pb2.ErrorInfo.FromString(detail.value))
        elif detail.Is(error_details_pb2.PreconditionFailure.DESCRIPTOR):
            failure = error_details_pb2.PreconditionFailure.FromString(detail.value)
            fields += [(violation.subject, violation.description) for violation in failure.violations]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo.FromString(detail.value)
            assert retry.retry_delay.seconds > 0
        else:
            assert detail.Is(error_details_pb2.BadRequest.DESCRIPTOR), detail.type_url
            bad = error_details_pb2.BadRequest.FromString(detail.value)
            fields += [(violation.field, violation.description) for violation in bad.field_violations]
    assert [info.domain for info in infos] == ["troth"]
    return Refusal(error.code(), error.details(), infos[0].reason, dict(infos[0].metadata), tuple(fields))


class Running(Client):
    """A started server and its client.

    Attributes:
        app: The server.
        config: Its configuration.
        log_path: The SQLite file.
    """

    def __init__(self, app: App, config: Config) -> None:
        super().__init__(f"127.0.0.1:{app.port}")
        self.app = app
        self.config = config
        self.log_path = Path(config.store.path)

    def frames(self, programme: str = "default") -> EventFrames:
        """Return the log as an analysis reads it."""
        return read_log(self.log_path, programme)

    def logged_decision(self, decision_id: str, programme: str = "default") -> dict[str, Any]:
        """Return the one row of a decision."""
        return _only(self.frames(programme).decisions, "decision_id", decision_id)

    def logged_outcome(self, event_id: str, programme: str = "default") -> dict[str, Any]:
        """Return the one row of an outcome."""
        return _only(self.frames(programme).outcomes, "event_id", event_id)

    def logged_exposure(self, event_id: str, programme: str = "default") -> dict[str, Any]:
        """Return the one row of an exposure."""
        return _only(self.frames(programme).exposures, "event_id", event_id)

    def row_counts(self, programme: str = "default") -> tuple[int, int, int]:
        """Return how many decisions, exposures and outcomes are logged."""
        frames = self.frames(programme)
        return len(frames.decisions), len(frames.exposures), len(frames.outcomes)


@contextmanager
def running(config: Config | Path, clock: Clock = system_clock, **server_settings: Any) -> Iterator[Running]:
    """Run a server in this process; it is stopped whatever happens.

    Args:
        config: The configuration or its file.
        clock: The server's clock.
        server_settings: Settings of the server section to use instead of the file's.
    """
    settings = load_config(config) if isinstance(config, Path) else config
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=server_settings)})
    app = build(settings, clock)
    server = None
    try:
        app.start()
        server = Running(app, settings)
        yield server
    finally:
        app.stop()
        if server is not None:
            server.close()


def _only(frame: Any, column: str, value: str) -> dict[str, Any]:
    rows = frame.filter(frame[column] == value).to_dicts()
    assert len(rows) == 1, f"{column} {value!r} is logged {len(rows)} times"
    row: dict[str, Any] = rows[0]
    return row
