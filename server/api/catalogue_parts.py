"""Catalogues and their parts as messages and back.

The messages have the fields of the catalogue model, under the same names but for a few that the rules of protos forbid, so both
ways walk over the fields instead of naming each one; the checks are the model's own.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as MoneyMessage

from experiments.errors import Problem
from server.api.assignments import parameter_message, parameter_value
from server.api.checks import Checker
from server.api.definition import enum_number, enum_word
from server.catalogue import Money
from server.catalogue.base import CataloguePart
from server.errors import InvalidRequestError
from troth.v1 import assignment_pb2

RENAMED = {
    "valid_from": "start_date",
    "valid_until": "end_date",
    "first_day": "first_date",
    "last_day": "last_date",
    "max_offer_count": "largest_offer_count",
    "decides": "subject",
    "count": "counted_event",
}
"""Fields of the model with the names that they have in messages."""

_MODEL_NAMES = {message_name: name for name, message_name in RENAMED.items()}
_STEP = re.compile(r"(?<!attributes\.)\b[a-z_]+\b")
_WORDS = re.compile(r"\b(valid_from|valid_until|first_day|last_day|max_offer_count)\b")
_NANOS = 1_000_000_000
_NO_DAYS = (date.min, date.max)

Filled = TypeVar("Filled", bound=Message)


def part_message(message: Filled, part: CataloguePart) -> Filled:
    """Fill a message with a catalogue or a part of one, every default written out, and return it."""
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    for name in type(part).model_fields:
        value = getattr(part, name)
        if value is not None and value not in _NO_DAYS:
            _set(message, descriptor.fields_by_name[RENAMED.get(name, name)], value)
    return message


def part_fields(check: Checker, path: str, message: Message) -> dict[str, Any]:
    """Return the fields that are set, as a document in the words of a catalogue file.

    Values that no document could hold are noted as problems.

    Args:
        check: Gathers what is wrong.
        path: The field's path, for problems.
        message: The message.
    """
    return {
        _MODEL_NAMES.get(field.name, field.name): _value(check, f"{path}.{field.name}", field, value)
        for field, value in message.ListFields()
    }


@contextmanager
def in_message_words() -> Iterator[None]:
    """Tell problems that a handler finds with the names that the fields have in messages."""
    try:
        yield
    except InvalidRequestError as error:
        raise InvalidRequestError([_in_message_words(problem) for problem in error.problems]) from None


def _in_message_words(problem: Problem) -> Problem:
    path, comma, place = problem.path.partition(",")
    named = _STEP.sub(lambda step: RENAMED.get(step.group(), step.group()), path.removesuffix(".amount"))
    return Problem(named + comma + place, _WORDS.sub(lambda word: RENAMED[word.group()], problem.message))


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    target = getattr(message, field.name)
    if isinstance(value, Mapping):
        _set_map(target, field, value)
    elif isinstance(value, tuple):
        for entry in value:
            if isinstance(entry, CataloguePart):
                part_message(target.add(), entry)
            else:
                target.append(_plain(field, entry))
    elif isinstance(value, Money):
        target.CopyFrom(_money_message(value))
    elif isinstance(value, CataloguePart):
        target.SetInParent()
        part_message(target, value)
    elif isinstance(value, date):
        target.CopyFrom(Date(year=value.year, month=value.month, day=value.day))
    else:
        setattr(message, field.name, _plain(field, value))


def _plain(field: FieldDescriptor, value: Any) -> Any:
    return value if field.enum_type is None else enum_number(field.enum_type, str(value))


def _set_map(target: Any, field: FieldDescriptor, values: Mapping[str, Any]) -> None:
    kind = _value_field(field)
    for name, value in values.items():
        if kind.message_type is not None:
            target[name].CopyFrom(parameter_message(value))
        else:
            target[name] = _plain(kind, value)


def _money_message(money: Money) -> MoneyMessage:
    units = int(money.amount)
    return MoneyMessage(
        units=units, nanos=int((money.amount - units) * _NANOS), currency_code=money.currency_code
    )


def _value(check: Checker, path: str, field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        kind = _value_field(field)
        return {name: _entry(check, f"{path}.{name}", kind, entry) for name, entry in value.items()}
    if field.is_repeated:
        return [_entry(check, f"{path}[{index}]", field, entry) for index, entry in enumerate(value)]
    return _entry(check, path, field, value)


def _entry(check: Checker, path: str, field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Date):
        return _day(check, path, value)
    if isinstance(value, MoneyMessage):
        check.money(path, value)
        amount = Decimal(value.units) + Decimal(value.nanos) / _NANOS
        return {"amount": amount, "currency_code": value.currency_code}
    if isinstance(value, assignment_pb2.ParameterValue):
        if value.WhichOneof("value") is None:
            check.add(path, "must hold a value")
            return ""
        return parameter_value(value)
    if isinstance(value, Message):
        return part_fields(check, path, value)
    return value if field.enum_type is None else _word(check, path, field.enum_type, value)


def _word(check: Checker, path: str, enum: EnumDescriptor, value: int) -> str:
    word = enum_word(enum, value)
    if word is None or value == 0:
        check.add(path, f"{value} is not a value of {enum.name}")
    return word or ""


def _day(check: Checker, path: str, message: Date) -> date | None:
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        told = f"year {message.year}, month {message.month}, day {message.day}"
        check.add(path, f"{told} is not a day of the calendar")
        return None


def _value_field(field: FieldDescriptor) -> FieldDescriptor:
    entry = field.message_type
    assert entry is not None
    return entry.fields_by_name["value"]
