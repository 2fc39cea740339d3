"""The composition root: builds the server from its configuration, and runs it as a process until a signal drains it."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from server.api import (
    CatalogServicer,
    ExperimentServicer,
    MemberServicer,
    OutcomeServicer,
    RecommendationServicer,
)
from server.api.interceptors import ErrorInterceptor, RequestLogInterceptor
from server.clock import Clock, system_clock
from server.config import Config
from server.engine import Engine
from server.logs import configure_logs
from server.metrics import Metrics, MetricsEndpoint
from server.programme.loading import StartError
from troth.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    member_service_pb2,
    member_service_pb2_grpc,
    outcome_service_pb2,
    outcome_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

_SERVICES = tuple(
    service.full_name
    for module in (
        recommendation_service_pb2,
        experiment_service_pb2,
        outcome_service_pb2,
        member_service_pb2,
        catalog_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
)
_MAX_WAITING = 1024
_LARGEST_REQUEST = 4 * 1024 * 1024


class App:
    """A built server. ``start`` it, ``stop`` it once.

    Attributes:
        port: The bound gRPC port.
        metrics_port: The bound port of the metrics.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        opened: list[Callable[[], None]] = []
        try:
            self._config = config
            self._started = False
            settings = config.server
            self._metrics = Metrics()
            self._engine = Engine(config, clock, self._metrics, self._update_health)
            opened.append(self._engine.close)
            self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="request")
            opened.append(self._executor.shutdown)
            self._health = health.HealthServicer()
            self._server = self._grpc_server(clock)
            self.port = _bind(self._server, settings.host, settings.port)
            self._endpoint = _metrics_endpoint(self._metrics, settings.host, settings.metrics_port)
            opened.append(self._endpoint.close)
            self.metrics_port = self._endpoint.port
        except BaseException:
            for close in reversed(opened):
                close()
            raise

    def start(self) -> None:
        """Begin to answer. A service is SERVING once every programme that names a models folder has a model."""
        self._update_health()
        self._server.start()
        self._started = True
        self._engine.start()

    def stop(self) -> None:
        """Drain: say NOT_SERVING, wait for load balancers, let calls finish, write what waits, release everything."""
        self._health.enter_graceful_shutdown()
        if not self._started:
            # gRPC gives back the port of a server only if it ran.
            self._server.start()
        time.sleep(self._config.server.drain_wait)
        self._server.stop(self._config.server.grace).wait()
        self._engine.close()
        self._executor.shutdown()
        self._endpoint.close()

    def _grpc_server(self, clock: Clock) -> grpc.Server:
        server = grpc.server(
            self._executor,
            interceptors=[RequestLogInterceptor(self._metrics), ErrorInterceptor()],
            maximum_concurrent_rpcs=_MAX_WAITING,
            options=(
                # Otherwise two servers would share the port without a word.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _LARGEST_REQUEST),
            ),
        )
        engine = self._engine
        recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(
            RecommendationServicer(engine.decisions, engine.campaigns, engine.replays), server
        )
        experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(
            ExperimentServicer(engine.assignments, engine.experiments, engine.results), server
        )
        member_service_pb2_grpc.add_MemberServiceServicer_to_server(MemberServicer(engine.members), server)
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(
            CatalogServicer(engine.catalogues, engine.segments), server
        )
        outcome_service_pb2_grpc.add_OutcomeServiceServicer_to_server(
            OutcomeServicer(engine.events, clock), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return server

    def _update_health(self) -> None:
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if self._engine.is_ready()
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *_SERVICES):
            self._health.set(service, status)


def build(config: Config, clock: Clock = system_clock) -> App:
    """Build a server: read definitions, open models and log, bind the ports.

    Raises:
        StartError: It cannot start.
        DefinitionError: A definition is wrong; all problems are named.
    """
    return App(config, clock)


def _bind(server: grpc.Server, host: str, port: int) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound: int = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if bound == 0:
        raise StartError(
            f"The gRPC port {address} cannot be bound; another program may use it. Set [server] port or --port."
        )
    return bound


def _metrics_endpoint(metrics: Metrics, host: str, port: int) -> MetricsEndpoint:
    try:
        return MetricsEndpoint(metrics, host, port)
    except OSError as error:
        raise StartError(
            f"The metrics port {host}:{port} cannot be bound ({error.strerror}); set [server] metrics_port."
        ) from error


_log = logging.getLogger("troth.server")
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(config: Config, on_ready: Callable[[int, int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        config: The configuration.
        on_ready: Called with the gRPC port and the metrics port once calls are answered.

    Raises:
        StartError, DefinitionError: The server cannot start.
    """
    configure_logs()
    with caught_signals() as wait_for_signal:
        app = build(config)
        app.start()
        fields = {"port": app.port, "metrics_port": app.metrics_port, "replay": config.server.replay}
        _log.info("serving", extra={"fields": fields})
        if on_ready is not None:
            on_ready(app.port, app.metrics_port)
        received = wait_for_signal()
        _log.info("draining", extra={"fields": {"signal": received.name}})
        app.stop()
        _log.info("stopped")


@contextmanager
def caught_signals() -> Iterator[Callable[[], signal.Signals]]:
    """Catch SIGTERM and SIGINT, and give the function that waits for one of them.

    The interpreter writes each signal into a socket the moment it comes, whichever thread it hits; waiting is reading from
    there. An Event that a handler sets would not do: a signal just before the wait does not end it, and one in the middle of
    it can find the Event's own lock taken.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    descriptor = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, lambda *_: None) for number in _STOP_SIGNALS}

    def wait() -> signal.Signals:
        while True:
            received = signal.Signals(reader.recv(1)[0])
            if received in _STOP_SIGNALS:
                return received

    try:
        yield wait
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(descriptor)
        reader.close()
        writer.close()
