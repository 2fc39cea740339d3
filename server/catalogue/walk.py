"""Walking over a catalogue: everything that has rules and limits, with its path."""

from collections.abc import Iterator

from server.catalogue.candidates import Candidate, Limited
from server.catalogue.model import Catalogue

GATES = ("eligible", "applicable", "suitable")
"""The fields that hold the rules of a group or candidate, in the order in which they are asked."""


def limited_parts(catalogue: Catalogue) -> Iterator[tuple[str, Limited]]:
    """Yield the groups, offers and actions with their paths."""
    for index, group in enumerate(catalogue.groups):
        yield f"groups[{index}]", group
    yield from candidates(catalogue)


def candidates(catalogue: Catalogue) -> Iterator[tuple[str, Candidate]]:
    """Yield the offers and actions with their paths."""
    for index, offer in enumerate(catalogue.offers):
        yield f"offers[{index}]", offer
    for index, action in enumerate(catalogue.actions):
        yield f"actions[{index}]", action
