"""Channels that clients name: a misspelt one would be kept and never looked at."""

from collections.abc import Iterable

from experiments.errors import Problem
from server.catalogue import Catalogue


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
