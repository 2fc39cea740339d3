"""Checks that several handlers share: whether a client's clock is right, and whether a channel exists."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from experiments.errors import Problem
from server.catalogue import Catalogue

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


def channel_problems(catalogue: Catalogue, named: Iterable[tuple[str, str]]) -> list[Problem]:
    """Return what is wrong with the channels of a request; a catalogue without channels knows none and takes any.

    Args:
        catalogue: The catalogue in force.
        named: Field paths and the channels in them; an empty one is none.
    """
    known = catalogue.channels_by_id
    if not known:
        return []
    return [
        Problem(path, f"the catalogue has no channel {channel_id!r}; it has {', '.join(known)}")
        for path, channel_id in named
        if channel_id and channel_id not in known
    ]
