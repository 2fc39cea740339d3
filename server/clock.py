"""The server's clock, which tests and replays replace, and how far the times of clients may be from it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from experiments.errors import Problem

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the time now, UTC."""
    return datetime.now(UTC)


TOLERANCE = timedelta(minutes=5)
"""How far a client's clock may be from the server's."""


def request_time_problem(request_time: datetime | None, now: datetime) -> Problem | None:
    """Return what is wrong with the clock of a live request."""
    if request_time is None or abs(request_time - now) <= TOLERANCE:
        return None
    return Problem(
        "request_time",
        f"{request_time.isoformat()} is more than 5 minutes from the server's clock ({now.isoformat()}); set the clock, "
        "leave the field out, or use a server started with --replay",
    )


def event_time_problem(path: str, event_time: datetime | None, now: datetime) -> Problem | None:
    """Return what is wrong with the time of an event: it may be long ago, but not ahead.

    Args:
        path: The field's path.
        event_time: When it happened; ``None`` if unset.
        now: The server's clock.
    """
    if event_time is None or event_time - now <= TOLERANCE:
        return None
    return Problem(path, f"{event_time.isoformat()} is more than 5 minutes ahead of the server's clock")
