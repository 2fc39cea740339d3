"""A checked rule as a tree of values. Every lowering (closure, polars, words) reads this and nothing else.

Each node has a ``kind``, the type of what it gives. Evaluation is three-valued: a node gives a value or errs.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, Union

from experiments.rules.attributes import AttributeType
from experiments.rules.patterns import Pattern


class Comparator(StrEnum):
    """How two values of one type are compared."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


class Operation(StrEnum):
    """What is done with two numbers of one type."""

    PLUS = "+"
    MINUS = "-"
    TIMES = "*"
    DIVIDED = "/"
    REMAINDER = "%"


class TextRelation(StrEnum):
    """How one text is looked for in another."""

    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    CONTAINS = "contains"


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the rule; a timestamp is in UTC."""

    kind: AttributeType
    value: str | int | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Attribute:
    """The value of an attribute; errs if it is missing or does not fit its type."""

    kind: AttributeType
    name: str


@dataclass(frozen=True, slots=True)
class Presence:
    """Whether an attribute has a value that is not null; never errs."""

    name: str
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of one type, compared."""

    comparator: Comparator
    left: "Node"
    right: "Node"
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two ints or two doubles; ints err beyond 64 bits and on division by zero."""

    kind: AttributeType
    operation: Operation
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Opposite:
    """A number with its sign turned."""

    kind: AttributeType
    operand: "Node"


@dataclass(frozen=True, slots=True)
class ToDouble:
    """An int as a double."""

    operand: "Node"
    kind: AttributeType = AttributeType.DOUBLE


@dataclass(frozen=True, slots=True)
class Not:
    """The other truth; errs as its operand does."""

    operand: "Node"
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class All:
    """True if all terms are; false if any term is false, even where others err."""

    terms: tuple["Node", ...]
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True if any term is true, even where others err; false if all are."""

    terms: tuple["Node", ...]
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class Conditional:
    """One of two values; errs only if the condition or the chosen value does."""

    kind: AttributeType
    condition: "Node"
    chosen: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True)
class InList:
    """Whether a value equals one of some values of its type; errs if any of them does."""

    needle: "Node"
    items: tuple["Node", ...]
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class InAttribute:
    """Whether a text is among those of a list attribute."""

    needle: "Node"
    texts: Attribute
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class TextTest:
    """Whether a text starts with, ends with or contains another."""

    relation: TextRelation
    text: "Node"
    part: "Node"
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class Matches:
    """Whether a regular expression is found anywhere in a text."""

    text: "Node"
    pattern: Pattern
    kind: AttributeType = AttributeType.BOOL


@dataclass(frozen=True, slots=True)
class Size:
    """The code points of a text, or the items of a list attribute."""

    operand: "Node"
    kind: AttributeType = AttributeType.INT


Node: TypeAlias = Union[  # noqa: UP007 - the nodes name their union before it exists
    Literal,
    Attribute,
    Presence,
    Compare,
    Arithmetic,
    Opposite,
    ToDouble,
    Not,
    All,
    AnyOf,
    Conditional,
    InList,
    InAttribute,
    TextTest,
    Matches,
    Size,
]


def names_of(node: Node) -> frozenset[str]:
    """Return the names of all attributes that a node asks about."""
    if isinstance(node, Attribute | Presence):
        return frozenset({node.name})
    return frozenset().union(*(names_of(part) for part in parts_of(node)))


def parts_of(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911 - one case per node
    """Return the nodes that a node consists of, in the order of the rule; none for literals and attributes."""
    match node:
        case Literal() | Attribute() | Presence():
            return ()
        case All(terms=terms) | AnyOf(terms=terms):
            return terms
        case InList(needle=needle, items=items):
            return (needle, *items)
        case InAttribute(needle=needle, texts=texts):
            return (needle, texts)
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            return (left, right)
        case Conditional(condition=condition, chosen=chosen, otherwise=otherwise):
            return (condition, chosen, otherwise)
        case TextTest(text=text, part=part):
            return (text, part)
        case Matches(text=operand) | Opposite(operand=operand) | ToDouble(operand=operand):
            return (operand,)
        case Not(operand=operand) | Size(operand=operand):
            return (operand,)
