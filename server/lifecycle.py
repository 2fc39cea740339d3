"""Running the server as a process: start, say so, wait for a signal, drain."""

import logging
import signal
import threading
from collections.abc import Callable

from server.app import build
from server.config import Config
from server.logs import configure_logs

_log = logging.getLogger("troth.server")


def serve(config: Config, on_ready: Callable[[int, int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    Args:
        config: The configuration.
        on_ready: Called with the gRPC port and the metrics port once calls are answered.

    Raises:
        StartError, DefinitionError: The server cannot start.
    """
    configure_logs()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    app = build(config)
    app.start()
    fields = {"port": app.port, "metrics_port": app.metrics_port, "replay": config.server.replay}
    _log.info("serving", extra={"fields": fields})
    if on_ready is not None:
        on_ready(app.port, app.metrics_port)
    stop.wait()
    _log.info("draining")
    app.stop()
    _log.info("stopped")
