"""Running the server as a process: start, say so, wait for a signal, drain."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from server.app import build
from server.config import Config
from server.logs import configure_logs

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
