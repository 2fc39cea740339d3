"""Prometheus metrics, on a port of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from experiments.log.events import Decision
from server.storage import AppendResult

_DURATIONS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
_GROUPS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counts what the server does. Labels hold programmes and codes, never members."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "troth_request_duration_seconds",
            "Duration of requests, from the parsed request to the answer",
            ("method", "code"),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self._decisions = Counter(
            "troth_decisions",
            "Answered decisions",
            ("programme", "placement", "ranking"),
            registry=self.registry,
        )
        self._events = Counter(
            "troth_events",
            "Events taken in, by what became of them",
            ("programme", "kind", "result"),
            registry=self.registry,
        )
        self._groups = Histogram(
            "troth_log_group_size",
            "Requests that shared one commit of the event log",
            buckets=_GROUPS,
            registry=self.registry,
        )
        self._model = Gauge(
            "troth_model_loaded",
            "1 for the model version that a programme serves for a task",
            ("programme", "task", "model_version"),
            registry=self.registry,
        )

    def called(self, method: str, code: str, seconds: float) -> None:
        """Count a request.

        Args:
            method: Full name of the method.
            code: The status code.
            seconds: How long it took.
        """
        self._requests.labels(method, code).observe(seconds)

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        self._decisions.labels(decision.programme, decision.placement_id, decision.ranking).inc()

    def took_events(self, programme: str, kind: str, result: AppendResult) -> None:
        """Count a batch of events.

        Args:
            programme: The loyalty programme.
            kind: ``exposure`` or ``outcome``.
            result: What was kept.
        """
        self._events.labels(programme, kind, "accepted").inc(result.accepted_count)
        self._events.labels(programme, kind, "duplicate").inc(result.duplicate_count)
        self._events.labels(programme, kind, "unattributed").inc(result.unattributed_count)

    def committed(self, request_count: int) -> None:
        """Count a commit of the event log."""
        self._groups.observe(request_count)

    def serves(self, programme: str, task: str, model_version: str) -> None:
        """Note which model a programme serves for a task now.

        Args:
            programme: The loyalty programme.
            task: The task.
            model_version: The version.
        """
        for labels in list(self._model._metrics):  # noqa: SLF001 the library has no other way to list labels
            if labels[:2] == (programme, task):
                self._model.remove(*labels)
        self._model.labels(programme, task, model_version).set(1)


class MetricsEndpoint:
    """The HTTP endpoint that Prometheus scrapes.

    Args:
        metrics: What to show.
        host: Address to bind.
        port: Port; 0 lets the system choose.

    Raises:
        OSError: The port cannot be bound.
    """

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._server, self._thread = start_http_server(port, addr=host, registry=metrics.registry)
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
