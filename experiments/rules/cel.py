"""The library's checked expression, read from its bytes.

``cel-expr-python`` gives what it parsed and checked only as the serialised message ``cel.expr.CheckedExpr``
(https://github.com/google/cel-spec, ``proto/cel/expr/checked.proto`` and ``syntax.proto``). The few fields that rules
need are read here from the wire format itself (https://protobuf.dev/programming-guides/encoding): no package
brings these messages to Python, and this domain knows no protobuf.

From text to a checked tree: parsing and type checking by the CEL library, everything after by us.

The library (``cel-expr-python``, Google's) is imported where it is used: its first environment costs 0.2 s, which
nobody pays who has no rule.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Any, TypeAlias

from experiments.rules.attributes import AttributeType
from experiments.rules.faults import ATTRIBUTES, Fault, RuleError, library_faults


class Form(Enum):
    """What a piece of syntax is."""

    LITERAL = auto()
    NAME = auto()
    FIELD = auto()
    PRESENCE = auto()
    CALL = auto()
    LIST = auto()
    STRUCT = auto()
    COMPREHENSION = auto()


@dataclass(frozen=True, slots=True)
class Syntax:
    """A piece of a checked expression.

    Attributes:
        form: What it is.
        offset: Where it stands, in code points from the start of the text; of an operation, where its sign stands.
        name: Of a name, a field or a called function; of a literal, its type.
        value: Of a literal.
        operands: In order; the object of a method call is the first.
    """

    form: Form
    offset: int
    name: str = ""
    value: str | int | float | bool | None = None
    operands: tuple["Syntax", ...] = ()


_Wire: TypeAlias = int | bytes
_Fields: TypeAlias = dict[int, list[_Wire]]


def read_checked(serialised: bytes) -> Syntax:
    """Return the expression of a serialised ``google.protobuf.Any`` that holds a ``CheckedExpr``."""
    checked = _fields(_message(_fields(serialised), 2))
    positions = dict(_entry(entry) for entry in _all(_fields(_message(checked, 5)), 4))
    references = {
        _number(fields, 1): _text(_fields(_message(fields, 2)), 1)
        for fields in map(_fields, _all(checked, 2))
    }
    return _expression(_message(checked, 4), positions, references)


_FORMS = {
    3: Form.LITERAL,
    4: Form.NAME,
    5: Form.FIELD,
    6: Form.CALL,
    7: Form.LIST,
    8: Form.STRUCT,
    9: Form.COMPREHENSION,
}
_OPERANDS = {Form.FIELD: (1,), Form.PRESENCE: (1,), Form.CALL: (1, 3), Form.LIST: (1,)}


def _expression(message: bytes, positions: Mapping[int, int], references: Mapping[int, str]) -> Syntax:
    fields = _fields(message)
    identity = _number(fields, 2)
    number, form = next((number, form) for number, form in _FORMS.items() if number in fields)
    inner = _fields(_message(fields, number))
    name, value = "", None
    match form:
        case Form.LITERAL:
            name, value = _constant(inner)
        case Form.NAME:
            name = references.get(identity, _text(inner, 1))
        case Form.FIELD if identity in references:
            # A variable whose own name holds points.
            form, name = Form.NAME, references[identity]
        case Form.FIELD:
            form, name = Form.PRESENCE if _number(inner, 3) else form, _text(inner, 2)
        case Form.CALL:
            name = _text(inner, 2)
        case _:
            pass
    operands = tuple(
        _expression(part, positions, references)
        for place in _OPERANDS.get(form, ())
        for part in _all(inner, place)
    )
    return Syntax(form, positions.get(identity, 0), name, value, operands)


def _constant(fields: _Fields) -> tuple[str, str | int | float | bool | None]:
    if 2 in fields:
        return "bool", bool(_number(fields, 2))
    if 3 in fields:
        return "int", _number(fields, 3)
    if 5 in fields:
        return "double", float(struct.unpack("<d", _message(fields, 5))[0])
    if 6 in fields:
        return "string", _text(fields, 6)
    names = {1: "null", 4: "uint", 7: "bytes", 8: "duration", 9: "timestamp"}
    return next((name for number, name in names.items() if number in fields), "null"), None


def _entry(entry: bytes) -> tuple[int, int]:
    fields = _fields(entry)
    return _number(fields, 1), _number(fields, 2)


def _all(fields: _Fields, number: int) -> Iterator[bytes]:
    return (part for part in fields.get(number, ()) if isinstance(part, bytes))


def _message(fields: _Fields, number: int) -> bytes:
    return next(_all(fields, number), b"")


def _text(fields: _Fields, number: int) -> str:
    return _message(fields, number).decode()


def _number(fields: _Fields, number: int) -> int:
    """Return a field as a signed 64-bit number, 0 if it is absent."""
    value = next((part for part in fields.get(number, ()) if isinstance(part, int)), 0)
    return value - (1 << 64) if value >> 63 else value


def _fields(message: bytes) -> _Fields:
    """Return the values of a message by field number, undecoded."""
    fields: _Fields = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value: _Wire
        match tag & 7:
            case 0:
                value, position = _varint(message, position)
            case 2:
                length, position = _varint(message, position)
                value, position = message[position : position + length], position + length
            case 1:
                value, position = message[position : position + 8], position + 8
            case _:
                value, position = message[position : position + 4], position + 4
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position


LONGEST_RULE = 20_000

# The library cannot declare variables of these names; one of them would spoil every rule of its programme.
_KEPT_NAMES = frozenset(
    {"bool", "bytes", "double", "dyn", "int", "list", "map", "null_type", "string", "type", "uint"}
)


def check(text: str, attributes: Mapping[str, AttributeType]) -> Syntax:
    """Return the syntax of a rule that the library found well-typed.

    Raises:
        RuleError: The library refuses the rule, or it is longer than ``LONGEST_RULE`` code points.
    """
    if not text.strip():
        raise RuleError(text, [Fault(1, 1, "the rule is empty")])
    if len(text) > LONGEST_RULE:
        raise RuleError(text, [Fault(1, 1, f"the rule is longer than {LONGEST_RULE:,} characters")])
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RuleError(
            text, [Fault(1, error.start + 1, "half a surrogate pair is not a character")]
        ) from None
    try:
        expression = _environment(frozenset(attributes.items())).compile(text)
    except RuntimeError as error:
        faults = library_faults(text, str(error), attributes)
        kept = sorted(name for name in _KEPT_NAMES & attributes.keys() if re.search(rf"\b{name}\b", text))
        faults += [
            Fault(1, 1, f'the attribute "{name}" cannot be used in rules: CEL keeps this word for itself')
            for name in kept
        ]
        raise RuleError(text, faults) from None
    return read_checked(expression.serialize())


def timestamp(text: str) -> datetime | None:
    """Return an RFC 3339 time as the library reads it, in UTC, or None if it is none."""
    moment = _constants().compile("timestamp(text)").eval(data={"text": text}).value()
    return moment.astimezone(UTC) if isinstance(moment, datetime) else None


def pattern_fault(pattern: str) -> str:
    """Return what the library finds wrong in a regular expression, or nothing."""
    outcome = _constants().compile("''.matches(text)").eval(data={"text": pattern}).value()
    return (
        "" if isinstance(outcome, bool) else str(outcome).partition("regular expression: ")[2] or str(outcome)
    )


@lru_cache(maxsize=64)
def _environment(attributes: frozenset[tuple[str, AttributeType]]) -> Any:
    from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs stand without a marker

    types = {
        AttributeType.STRING: cel.Type.STRING,
        AttributeType.INT: cel.Type.INT,
        AttributeType.DOUBLE: cel.Type.DOUBLE,
        AttributeType.BOOL: cel.Type.BOOL,
        AttributeType.TIMESTAMP: cel.Type.TIMESTAMP,
        AttributeType.STRINGS: cel.Type.List(cel.Type.STRING),
    }
    # CEL tests only fields for presence, so all attributes together are the fields of one more variable.
    variables = {ATTRIBUTES: cel.Type.Map(cel.Type.STRING, cel.Type.DYN)}
    variables |= {name: types[kind] for name, kind in attributes if name not in _KEPT_NAMES}
    return cel.NewEnv(variables=variables)


@lru_cache(maxsize=1)
def _constants() -> Any:
    from cel_expr_python import cel

    return cel.NewEnv(variables={"text": cel.Type.STRING})
