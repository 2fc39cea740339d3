"""The server's clock, which tests and replays replace."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the time now, UTC."""
    return datetime.now(UTC)
