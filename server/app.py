"""The composition root: builds the server from its configuration, starts and stops it."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from experiments.errors import DomainError
from experiments.events import Outcome
from server.config import Config
from server.handlers.assignments import AssignmentHandler
from server.handlers.clock import Clock, system_clock
from server.handlers.events import EventHandler
from server.handlers.experiments import ExperimentHandler
from server.handlers.people import People
from server.handlers.recommend import RecommendHandler
from server.handlers.results import ResultsHandler
from server.interceptors import ErrorInterceptor, RequestLogInterceptor
from server.members.cache import MemberStates
from server.metrics import Metrics, MetricsEndpoint
from server.models import ModelWatcher
from server.opening import StartError, open_parts, snapshot
from server.programme import Programmes
from server.servicers import ExperimentServicer, OutcomeServicer, RecommendationServicer
from server.storage import SqliteEventLog
from training.bundle import Bundle, Task
from troth.v1 import (
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    outcome_service_pb2,
    outcome_service_pb2_grpc,
    recommendation_service_pb2,
    recommendation_service_pb2_grpc,
)

_SERVICES = tuple(
    service.full_name
    for module in (recommendation_service_pb2, experiment_service_pb2, outcome_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
)
_MOST_WAITING = 1024
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
            parts = [open_parts(name, section) for name, section in config.programmes.items()]
            self._log = _open_log(Path(config.store.path), self._metrics, self._took)
            self._states = MemberStates(self._log)
            opened.append(self._log.close)
            self._programmes = Programmes({part.programme: snapshot(part, self._log) for part in parts})
            self._experiments = ExperimentHandler(self._programmes, self._log, clock)
            opened.append(self._experiments.close)
            self._results = ResultsHandler(self._programmes, self._log, Path(config.store.path), clock)
            opened.append(self._results.close)
            self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="request")
            opened.append(self._executor.shutdown)
            self._health = health.HealthServicer()
            self._server = self._grpc_server(clock)
            self.port = _bind(self._server, settings.host, settings.port)
            self._endpoint = _metrics_endpoint(self._metrics, settings.host, settings.metrics_port)
            opened.append(self._endpoint.close)
            self.metrics_port = self._endpoint.port
            self._watcher = self._model_watcher()
        except BaseException:
            for close in reversed(opened):
                close()
            raise

    def start(self) -> None:
        """Begin to answer. A service is SERVING once every programme that names a models folder has a model."""
        for programme in self._config.programmes:
            for task, bundle in self._programmes.current(programme).bundles.items():
                self._metrics.serves(programme, task, bundle.manifest.model_version)
        self._update_health()
        self._server.start()
        self._started = True
        self._watcher.start()

    def stop(self) -> None:
        """Drain: say NOT_SERVING, wait for load balancers, let calls finish, write what waits, release everything."""
        self._health.enter_graceful_shutdown()
        if not self._started:
            # gRPC gives back the port of a server only if it ran.
            self._server.start()
        time.sleep(self._config.server.drain_wait)
        self._server.stop(self._config.server.grace).wait()
        self._watcher.stop()
        self._experiments.close()
        self._results.close()
        self._log.close()
        self._executor.shutdown()
        self._endpoint.close()

    def _grpc_server(self, clock: Clock) -> grpc.Server:
        server = grpc.server(
            self._executor,
            interceptors=[RequestLogInterceptor(self._metrics), ErrorInterceptor()],
            maximum_concurrent_rpcs=_MOST_WAITING,
            options=(
                # Otherwise two servers would share the port without a word.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", _LARGEST_REQUEST),
            ),
        )
        people = People(self._log, tuple(self._config.programmes))
        recommend = RecommendHandler(
            self._programmes,
            people,
            self._states,
            self._log,
            clock,
            replay=self._config.server.replay,
            on_decision=self._metrics.decided,
        )
        recommendation_service_pb2_grpc.add_RecommendationServiceServicer_to_server(
            RecommendationServicer(recommend), server
        )
        experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(
            ExperimentServicer(
                AssignmentHandler(self._programmes, people, self._log, clock),
                self._experiments,
                self._results,
            ),
            server,
        )
        events = EventHandler(self._programmes, self._log, self._metrics.took_events)
        outcome_service_pb2_grpc.add_OutcomeServiceServicer_to_server(OutcomeServicer(events, clock), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return server

    def _took(self, outcomes: Sequence[Outcome]) -> None:
        self._states.took(outcomes)

    def _model_watcher(self) -> ModelWatcher:
        folders = {
            name: Path(section.models) for name, section in self._config.programmes.items() if section.models
        }
        opened = {
            (name, task): bundle.path
            for name in folders
            for task, bundle in self._programmes.current(name).bundles.items()
        }
        return ModelWatcher(folders, opened, self._swap_model, self._config.server.watch_interval)

    def _swap_model(self, programme: str, task: Task, bundle: Bundle) -> None:
        self._programmes.replace_bundle(programme, task, bundle)
        self._metrics.serves(programme, task, bundle.manifest.model_version)
        self._update_health()

    def _update_health(self) -> None:
        ready = all(
            self._programmes.has_model(name)
            for name, section in self._config.programmes.items()
            if section.models
        )
        status = (
            health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
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


def _open_log(
    path: Path, metrics: Metrics, on_outcomes: Callable[[Sequence[Outcome]], None]
) -> SqliteEventLog:
    if not path.parent.is_dir():
        raise StartError(
            f"The folder of the event log, {path.parent}, does not exist; make it or set [store] path."
        )
    try:
        return SqliteEventLog(path, metrics.committed, on_outcomes)
    except DomainError as error:
        cause = error.metadata.get("cause", error.message)
        raise StartError(
            f"The event log cannot be opened for writing ({cause}); check the disk, the rights and [store] path."
        ) from error


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
