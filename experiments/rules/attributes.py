"""The attributes that a rule may ask about: their types, and how a value is read as its declared type.

A value that does not fit its declared type reads as None, exactly like a missing one: the rule errs on it.
"""

from collections.abc import Callable, Sequence
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


def reader(kind: AttributeType) -> Callable[[object], AttributeValue]:
    """Return what reads a value as a declared type; it gives None for what does not fit.

    A whole number fits a double. A bool fits only a bool, although Python counts it among the ints. A time without
    a zone is taken as UTC. A list fits if it holds texts only.
    """
    return _READERS[kind]


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


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


_READERS: dict[AttributeType, Callable[[object], AttributeValue]] = {
    AttributeType.STRING: _text,
    AttributeType.INT: _whole,
    AttributeType.DOUBLE: _real,
    AttributeType.BOOL: _truth,
    AttributeType.TIMESTAMP: _time,
    AttributeType.STRINGS: _texts,
}
