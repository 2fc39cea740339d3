"""Experiment definitions as messages and back.

The messages have the fields of the definition model under the same names (a test holds them to it), so both ways walk over the
fields instead of naming each one; the checks are the model's own.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from experiments.definition import ExperimentDefinition
from experiments.definition.fields import DefinitionPart
from server.api.assignments import parameter_message, parameter_value
from server.api.checks import Checker
from troth.v1 import assignment_pb2, experiment_pb2

OUTPUT_FIELDS = frozenset({"state", "create_time", "update_time", "etag", "read_only"})
"""What only the server sets."""

_HYPHENATED = {"two_sided", "always_valid", "group_sequential", "obrien_fleming", "benjamini_hochberg"}
_SPELT_OTHERWISE = {"string_list": "list<string>"}


def experiment_message(definition: ExperimentDefinition) -> experiment_pb2.Experiment:
    """Return the message of a definition, every default written out."""
    message = experiment_pb2.Experiment()
    _fill(message, definition)
    return message


def definition_fields(check: Checker, path: str, message: experiment_pb2.Experiment) -> dict[str, Any]:
    """Return the fields that are set as a document in the words of a YAML definition, for ``parse_experiment``.

    What only the server sets is left out. Values that no document could hold are noted as problems.

    Args:
        check: Gathers what is wrong.
        path: The field's path, for problems.
        message: The message.
    """
    return {name: value for name, value in _fields(check, path, message).items() if name not in OUTPUT_FIELDS}


def enum_word(enum: EnumDescriptor, number: int) -> str | None:
    """Return the word that definitions have for a value of an enum; none for one that is not known."""
    value = enum.values_by_number.get(number)
    if value is None:
        return None
    word = value.name.removeprefix(_prefix(enum)).lower()
    return word.replace("_", "-") if word in _HYPHENATED else _SPELT_OTHERWISE.get(word, word)


def enum_number(enum: EnumDescriptor, word: str) -> Any:
    """Return the enum's value for a word of definitions."""
    numbers = _NUMBERS.setdefault(enum.full_name, {})
    if not numbers:
        numbers.update({enum_word(enum, number) or "": number for number in enum.values_by_number})
    return numbers[word]


_NUMBERS: dict[str, dict[str, int]] = {}


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")


def _fill(message: Message, part: DefinitionPart) -> None:
    descriptor = cast(Descriptor, message.DESCRIPTOR)
    for name in type(part).model_fields:
        value = getattr(part, name)
        if value is not None:
            _set(message, descriptor.fields_by_name[name], value)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    target = getattr(message, field.name)
    if isinstance(value, Mapping):
        _set_map(target, field, value)
    elif isinstance(value, tuple):
        if value and isinstance(value[0], DefinitionPart):
            for entry in value:
                _fill(target.add(), entry)
        else:
            target.extend(value)
    elif isinstance(value, DefinitionPart):
        target.SetInParent()
        _fill(target, value)
    elif isinstance(value, date):
        target.CopyFrom(Date(year=value.year, month=value.month, day=value.day))
    elif field.enum_type is not None:
        setattr(message, field.name, enum_number(field.enum_type, str(value)))
    else:
        setattr(message, field.name, float(value) if field.type == FieldDescriptor.TYPE_DOUBLE else value)


def _set_map(target: Any, field: FieldDescriptor, values: Mapping[str, Any]) -> None:
    kind = _value_field(field)
    for name, value in values.items():
        if kind.enum_type is not None:
            target[name] = enum_number(kind.enum_type, value)
        elif kind.message_type is not None:
            target[name].CopyFrom(parameter_message(value))
        else:
            target[name] = value


def _fields(check: Checker, path: str, message: Message) -> dict[str, Any]:
    return {
        field.name: _value(check, f"{path}.{field.name}", field, value)
        for field, value in message.ListFields()
    }


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
    if isinstance(value, assignment_pb2.ParameterValue):
        if value.WhichOneof("value") is None:
            check.add(path, "must hold a value")
            return ""
        return parameter_value(value)
    if isinstance(value, Message):
        return _fields(check, path, value)
    if field.enum_type is not None:
        word = enum_word(field.enum_type, value)
        if word is None or value == 0:
            check.add(path, f"{value} is not a value of {field.enum_type.name}")
        return word or ""
    return value


def _day(check: Checker, path: str, message: Date) -> date | None:
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        check.add(
            path,
            f"year {message.year}, month {message.month}, day {message.day} is not a day of the calendar",
        )
        return None


def _value_field(field: FieldDescriptor) -> FieldDescriptor:
    entry = field.message_type
    assert entry is not None
    return entry.fields_by_name["value"]
