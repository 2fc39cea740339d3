"""Structured logs: one JSON object a line, on stderr."""

import atexit
import json
import logging
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import TextIO

_FLUSH_S = 0.1
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; ``extra={"fields": {...}}`` becomes keys of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line.update({key: value for key, value in fields.items() if value not in ("", None)})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class BufferedHandler(logging.Handler):
    """Formats and writes lines a few times a second instead of one by one.

    A write lets another thread run, and so costs a request more than all of its own line; and many lines in a row are formatted faster than each between other work. Warnings and worse are written at once; the rest within ``_FLUSH_S``, and at the end of the process.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._records: deque[logging.LogRecord] = deque()
        self._stopped = threading.Event()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._write_now_and_then, name="log-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record; write at once what an operator must not miss."""
        self._records.append(record)
        if record.levelno >= logging.WARNING or self._stopped.is_set():
            self.flush()

    def flush(self) -> None:
        """Write all lines that wait."""
        with self._writing:
            lines = []
            while self._records:
                lines.append(self.format(self._records.popleft()))
            if lines:
                try:
                    self._stream.write("\n".join(lines) + "\n")
                    self._stream.flush()
                except (OSError, ValueError):
                    # Nobody reads any more (a closed pipe); serving goes on.
                    return

    def close(self) -> None:
        """Write all lines and stop the writing thread. Later lines are written at once."""
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self.flush()
        atexit.unregister(self.close)
        super().close()

    def _write_now_and_then(self) -> None:
        while not self._stopped.wait(_FLUSH_S):
            self.flush()


def configure_logs(stream: TextIO | None = None) -> None:
    """Send the logs of Troth to the stream, stderr by default."""
    logger = logging.getLogger("troth")
    for before in logger.handlers:
        if isinstance(before, BufferedHandler):
            before.close()
    handler = BufferedHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
