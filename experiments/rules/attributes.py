"""The attributes that a rule may ask about: their types, and how a value is read as its declared type.

A value that does not fit its declared type reads as None, exactly like a missing one: the rule errs on it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

LOWEST_INT = -(1 << 63)
HIGHEST_INT = (1 << 63) - 1

AttributeValue: TypeAlias = str | int | float | bool | datetime | Sequence[str] | None


class AttributeType(StrEnum):
    """What kind of value an attribute holds; also the kind of every part of a rule."""

    STRING = "string"
    INT = "int"
    DOUBLE = "double"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    STRINGS = "list<string>"


def read(kind: AttributeType, value: object) -> AttributeValue:
    """Return a value as its declared type, or None if it does not fit.

    A whole number fits a double. A bool fits only a bool, although Python counts it among the ints. A time without
    a zone is taken as UTC. A list fits if it holds texts only.
    """
    match kind:
        case AttributeType.STRING:
            return str(value) if isinstance(value, str) else None
        case AttributeType.INT:
            return _whole(value)
        case AttributeType.DOUBLE:
            return _real(value)
        case AttributeType.BOOL:
            return value if isinstance(value, bool) else None
        case AttributeType.TIMESTAMP:
            return _time(value)
        case AttributeType.STRINGS:
            return _texts(value)


def _whole(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool) or not LOWEST_INT <= value <= HIGHEST_INT:
        return None
    return value


def _real(value: object) -> float | None:
    if isinstance(value, float):
        return value
    whole = _whole(value)
    return None if whole is None else float(whole)


def _time(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _texts(value: object) -> Sequence[str] | None:
    if not isinstance(value, list | tuple):
        return None
    for item in value:
        if not isinstance(item, str):
            return None
    return value
