"""The structured log of a server in this process, as text."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server.logs import configure_logs


class CapturedLog:
    """What has been logged so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def raw_lines(self) -> list[str]:
        """The lines as they were written."""
        for handler in logging.getLogger("troth").handlers:
            handler.flush()
        return self.stream.getvalue().split("\n")[:-1]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The parsed lines; each must be one JSON object."""
        return [json.loads(line) for line in self.raw_lines]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The lines of requests."""
        return [line for line in self.lines if line["event"] == "request"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The lines of level error."""
        return [line for line in self.lines if line["level"] == "error"]


@contextmanager
def captured_log() -> Iterator[CapturedLog]:
    """Send the log to memory for a while, formatted as in production."""
    logger = logging.getLogger("troth")
    before = logger.handlers, logger.level, logger.propagate
    captured = CapturedLog()
    configure_logs(captured.stream)
    try:
        yield captured
    finally:
        for handler in logger.handlers:
            handler.close()
        logger.handlers, logger.level, logger.propagate = before
