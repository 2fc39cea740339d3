"""Persons and what is known of them, from the wire."""

import math
from collections.abc import Mapping
from typing import Protocol

from server.api.checks import Checker
from server.handlers.people import Person
from troth.v1 import assignment_pb2

MOST_ATTRIBUTES = 100
_MOST_TEXTS = 100


class _NamesPerson(Protocol):
    """A message that says who is asked about."""

    member_id: str
    anonymous_id: str

    @property
    def attributes(self) -> Mapping[str, assignment_pb2.AttributeValue]: ...


def person(check: Checker, prefix: str, message: _NamesPerson) -> Person:
    """Return the person that a message names, by her member id, her anonymous id or both."""
    member_id, anonymous_id = message.member_id, message.anonymous_id
    if not member_id and not anonymous_id:
        check.add(f"{prefix}member_id", "is required, unless anonymous_id is given")
    check.member_id(f"{prefix}member_id", member_id)
    check.member_id(f"{prefix}anonymous_id", anonymous_id)
    return Person(member_id, anonymous_id, attributes(check, f"{prefix}attributes", message.attributes))


def attributes(
    check: Checker, path: str, messages: Mapping[str, assignment_pb2.AttributeValue]
) -> Mapping[str, object]:
    """Return attributes as values of Python, by name."""
    if len(messages) > MOST_ATTRIBUTES:
        check.add(path, f"has {len(messages)} entries; at most {MOST_ATTRIBUTES} are taken")
        return {}
    return {name: _value(check, f"{path}.{name}", message) for name, message in messages.items()}


def _value(check: Checker, path: str, message: assignment_pb2.AttributeValue) -> object:
    kind = message.WhichOneof("value")
    if kind is None:
        check.add(path, "must hold a value; leave out what is not known")
        return None
    if kind == "moment_time":
        return check.time(path, message, "moment_time")
    if kind == "string_list":
        check.size(path, len(message.string_list.texts), _MOST_TEXTS)
        return tuple(message.string_list.texts)
    if kind == "double_value" and not math.isfinite(message.double_value):
        check.add(path, "must be a finite number")
    value: object = getattr(message, kind)
    return value
