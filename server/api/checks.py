"""Checks of request fields; they gather all problems instead of stopping at the first."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast
from unicodedata import category

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from experiments.errors import Problem
from server.errors import InvalidRequestError

DEFAULT_PROGRAMME = "default"
_LONGEST_MEMBER_ID = 256
_LONGEST_ID = 128
_LONGEST_PRODUCT_ID = 256
_MAX_PRODUCTS = 500
_OUTCOME_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ATTRIBUTE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CATALOGUE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_SECONDS = -62_135_596_800
_LATEST_SECONDS = 253_402_300_799

_REQUIRED: dict[str, tuple[FieldDescriptor, ...]] = {}


def required_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Return the fields that the proto marks as REQUIRED."""
    known = _REQUIRED.get(descriptor.full_name)
    if known is None:
        known = tuple(
            field
            for field in descriptor.fields
            if field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        )
        _REQUIRED[descriptor.full_name] = known
    return known


class Checker:
    """Gathers the problems of one request."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, path: str, message: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(path, message))

    def require(self, message: Message, prefix: str = "") -> None:
        """Note each required field that is empty."""
        for field in required_fields(cast(Descriptor, message.DESCRIPTOR)):
            value = getattr(message, field.name)
            if isinstance(value, Message):
                if not message.HasField(field.name):
                    self.add(prefix + field.name, "is required")
            elif not value:
                self.add(prefix + field.name, "is required")

    def member_id(self, path: str, value: str) -> None:
        """Check a member id, if there is one."""
        self._text(path, value, _LONGEST_MEMBER_ID)

    def identifier(self, path: str, value: str) -> None:
        """Check another id, if there is one."""
        self._text(path, value, _LONGEST_ID)

    def products(self, path: str, values: Sequence[str]) -> tuple[str, ...]:
        """Check a list of product ids and return it."""
        if len(values) > _MAX_PRODUCTS:
            self.add(path, f"has {len(values)} entries; at most {_MAX_PRODUCTS} are taken")
        for index, value in enumerate(values[:_MAX_PRODUCTS]):
            if not value:
                self.add(f"{path}[{index}]", "is empty")
            self._text(f"{path}[{index}]", value, _LONGEST_PRODUCT_ID)
        return tuple(values)

    def outcome_type(self, path: str, value: str) -> None:
        """Check the name of an outcome type, if there is one."""
        if value and _OUTCOME_TYPE.fullmatch(value) is None:
            self.add(
                path, "must be 1 to 64 lower-case letters, digits and underscores, starting with a letter"
            )

    def attribute_name(self, path: str, value: str) -> None:
        """Check the name of an attribute of a member."""
        if _ATTRIBUTE.fullmatch(value) is None:
            self.add(
                path,
                "must be named by 1 to 64 lower-case letters, digits and underscores, starting with a letter",
            )

    def catalogue_id(self, path: str, value: str) -> None:
        """Check an id that the catalogue gives, such as a channel's or a purpose's, if there is one."""
        if value and _CATALOGUE_ID.fullmatch(value) is None:
            self.add(
                path,
                "must be 1 to 128 letters, digits, dots, colons, underscores and hyphens, starting with a letter or digit",
            )

    def count(self, path: str, value: int) -> None:
        """Check that a count is not negative."""
        if value < 0:
            self.add(path, f"is {value}; must be 0 (the default) or more")

    def size(self, path: str, count: int, largest: int) -> None:
        """Check the length of a list.

        Args:
            path: The field's path, for problems.
            count: How many.
            largest: How long it may be.
        """
        if count > largest:
            self.add(
                path, f"has {count} entries; at most {largest} are taken at once, so send several requests"
            )

    def time(self, path: str, message: Message, field: str) -> datetime | None:
        """Return the time in a field, or ``None`` if it is unset or wrong.

        Args:
            path: The field's path, for problems.
            message: The message.
            field: The field's name.
        """
        if not message.HasField(field):
            return None
        stamp: Timestamp = getattr(message, field)
        in_range = _EARLIEST_SECONDS <= stamp.seconds <= _LATEST_SECONDS and 0 <= stamp.nanos < _NANOS
        if not in_range:
            self.add(path, "is not a valid timestamp: years 1 to 9999, nanos 0 to 999,999,999")
            return None
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)

    def money(self, path: str, value: Money) -> None:
        """Check an amount: known currency form, nanos within a unit, one sign."""
        if _CURRENCY.fullmatch(value.currency_code) is None:
            self.add(f"{path}.currency_code", "must be an ISO 4217 code such as USD")
        if abs(value.nanos) >= _NANOS:
            self.add(f"{path}.nanos", "must lie between -999,999,999 and 999,999,999")
        elif value.units * value.nanos < 0:
            self.add(f"{path}.nanos", "must have the sign of units")

    def done(self) -> None:
        """Finish.

        Raises:
            InvalidRequestError: There were problems.
        """
        if self.problems:
            raise InvalidRequestError(self.problems)

    def _text(self, path: str, value: str, longest: int) -> None:
        if len(value) > longest:
            self.add(path, f"has {len(value)} characters; at most {longest} are allowed")
        elif not value.isprintable() and any(category(character) == "Cc" for character in value):
            self.add(path, "contains control characters")
