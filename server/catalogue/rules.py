"""The rules of a catalogue, compiled: what each may ask about, and which segments it asks for."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from experiments.rules import AttributeType, Rule, compile_rule
from experiments.rules.tree import Attribute, InAttribute, Literal, Node, parts_of
from server.catalogue.model import MOMENT_ATTRIBUTES, PROFILE_ATTRIBUTES, Catalogue

SEGMENTS = "segments"
"""The attribute that holds a member's segments."""

_KEPT = 4096
"""Rules that stay compiled, so that a change of one offer compiles one rule."""


def rule_attributes(catalogue: Catalogue) -> Mapping[str, AttributeType]:
    """Return what the rules of offers, actions, groups and context weights may ask about, with types."""
    return {**_declared(catalogue), **PROFILE_ATTRIBUTES, **MOMENT_ATTRIBUTES}


def segment_attributes(catalogue: Catalogue) -> Mapping[str, AttributeType]:
    """Return what the rules of segments may ask about, with types: the member, not the moment and not other segments."""
    profile = {name: kind for name, kind in PROFILE_ATTRIBUTES.items() if name != SEGMENTS}
    return {**_declared(catalogue), **profile}


def compiled(text: str, attributes: Mapping[str, AttributeType]) -> Rule:
    """Return a rule ready for use; the same text over the same attributes is compiled once.

    Raises:
        RuleError: The rule cannot be used; each fault has its line and column.
    """
    return _compiled(text, tuple(sorted(attributes.items())))


def segments_asked(rule: Rule) -> tuple[str, ...]:
    """Return the segments that a rule names, in its order."""
    return tuple(dict.fromkeys(_segments(rule.tree)))


def place_of(text: str, segment_id: str) -> str:
    """Return where a rule names a segment, as ``line 1, column 8``."""
    found = re.search(rf"""(["']){re.escape(segment_id)}\1""", text)
    before = text[: found.start()] if found else ""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - (before.rfind(chr(10)) + 1) + 1}"


@lru_cache(maxsize=_KEPT)
def _compiled(text: str, attributes: tuple[tuple[str, AttributeType], ...]) -> Rule:
    return compile_rule(text, dict(attributes))


def _declared(catalogue: Catalogue) -> dict[str, AttributeType]:
    return {name: AttributeType(kind) for name, kind in catalogue.attributes.items()}


def _segments(node: Node) -> Iterator[str]:
    match node:
        case InAttribute(needle=Literal(value=str(segment_id)), texts=Attribute(name="segments")):
            yield segment_id
        case _:
            for part in parts_of(node):
                yield from _segments(part)
