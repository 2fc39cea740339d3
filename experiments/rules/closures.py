"""A checked rule as a Python closure: for one decision at a time.

Every closure takes the attributes and gives a value, or None where the rule errs. No value is ever None, so errors need
neither exceptions nor wrappers, and CEL's logical operators become three-valued logic: ``false && error`` is false,
``true || error`` is true, in either order.

What most rules consist of (an attribute compared with a literal) has closures of its own, without inner calls.

CEL's arithmetic on single Python numbers (https://github.com/google/cel-spec, langdef, "Numeric values").

Ints are signed 64-bit numbers that err (None) instead of wrapping round; division cuts towards zero, and the remainder has
the dividend's sign. Doubles follow IEEE 754: division by zero gives an infinity or NaN.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from experiments.rules.attributes import HIGHEST_INT, LOWEST_INT, AttributeType, reader
from experiments.rules.tree import (
    All,
    AnyOf,
    Arithmetic,
    Attribute,
    Comparator,
    Compare,
    Conditional,
    InAttribute,
    InList,
    Literal,
    Matches,
    Node,
    Not,
    Operation,
    Opposite,
    Presence,
    Size,
    TextRelation,
    TextTest,
    ToDouble,
)


def _within(value: int) -> int | None:
    return value if LOWEST_INT <= value <= HIGHEST_INT else None


def _quotient(dividend: int, divisor: int) -> int | None:
    if divisor == 0:
        return None
    size = abs(dividend) // abs(divisor)
    return _within(size if (dividend < 0) == (divisor < 0) else -size)


def _remainder(dividend: int, divisor: int) -> int | None:
    """Return the remainder; where the quotient is beyond 64 bits, the library errs on the remainder too."""
    if _quotient(dividend, divisor) is None:
        return None
    size = abs(dividend) % abs(divisor)
    return -size if dividend < 0 else size


def _ratio(dividend: float, divisor: float) -> float:
    if divisor != 0:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1, divisor)


INT_OPERATIONS: dict[Operation, Callable[[int, int], int | None]] = {
    Operation.PLUS: lambda left, right: _within(left + right),
    Operation.MINUS: lambda left, right: _within(left - right),
    Operation.TIMES: lambda left, right: _within(left * right),
    Operation.DIVIDED: _quotient,
    Operation.REMAINDER: _remainder,
}
DOUBLE_OPERATIONS: dict[Operation, Callable[[float, float], float]] = {
    Operation.PLUS: operator.add,
    Operation.MINUS: operator.sub,
    Operation.TIMES: operator.mul,
    Operation.DIVIDED: _ratio,
}


Closure: TypeAlias = Callable[[Mapping[str, object]], Any]
Comparing: TypeAlias = Callable[[Any, Any], bool]

_PYTHON_TYPES: dict[AttributeType, type] = {
    AttributeType.STRING: str,
    AttributeType.DOUBLE: float,
    AttributeType.BOOL: bool,
}
_COMPARE: dict[Comparator, Comparing] = {
    Comparator.EQUAL: operator.eq,
    Comparator.UNEQUAL: operator.ne,
    Comparator.LESS: operator.lt,
    Comparator.AT_MOST: operator.le,
    Comparator.GREATER: operator.gt,
    Comparator.AT_LEAST: operator.ge,
}
_MIRRORED = {
    Comparator.EQUAL: Comparator.EQUAL,
    Comparator.UNEQUAL: Comparator.UNEQUAL,
    Comparator.LESS: Comparator.GREATER,
    Comparator.AT_MOST: Comparator.AT_LEAST,
    Comparator.GREATER: Comparator.LESS,
    Comparator.AT_LEAST: Comparator.AT_MOST,
}
_RELATE: dict[TextRelation, Callable[[str, str], bool]] = {
    TextRelation.STARTS_WITH: str.startswith,
    TextRelation.ENDS_WITH: str.endswith,
    TextRelation.CONTAINS: operator.contains,
}


def closure(node: Node) -> Closure:  # noqa: C901, PLR0911, PLR0912 - one case per node
    """Return the closure of a node: attributes to its value, or to None where it errs."""
    match node:
        case Literal(value=value):
            return lambda _: value
        case Attribute(kind=kind, name=name):
            return _reader(kind, name)
        case Presence(name=name):
            return lambda attributes: attributes.get(name) is not None
        case Compare(comparator=comparator, left=left, right=right):
            return _comparison(comparator, left, right)
        case Not(operand=operand):
            return _not(closure(operand))
        case All(terms=terms):
            return _chain([closure(term) for term in terms], deciding=False)
        case AnyOf(terms=terms):
            return _chain([closure(term) for term in terms], deciding=True)
        case InList(needle=needle, items=items):
            return _in_list(closure(needle), items)
        case TextTest(relation=relation, text=text, part=part):
            return _applied(_RELATE[relation], closure(text), closure(part))
        case Matches(text=text, pattern=pattern):
            search = re.compile(pattern.python, re.ASCII).search
            return _mapped(lambda value: search(value) is not None, closure(text))
        case InAttribute(needle=needle, texts=texts):
            return _applied(operator.contains, closure(texts), closure(needle))
        case Size(operand=operand):
            return _mapped(len, closure(operand))
        case ToDouble(operand=operand):
            return _mapped(float, closure(operand))
        case Opposite(operand=operand):
            return _mapped(
                lambda value: None if value == LOWEST_INT and type(value) is int else -value, closure(operand)
            )
        case Arithmetic(kind=kind, operation=operation, left=left, right=right):
            operations = INT_OPERATIONS if kind is AttributeType.INT else DOUBLE_OPERATIONS
            return _applied(operations[operation], closure(left), closure(right))
        case Conditional(condition=condition, chosen=chosen, otherwise=otherwise):
            return _choice(closure(condition), closure(chosen), closure(otherwise))


def _reader(kind: AttributeType, name: str) -> Closure:
    python_type, read = _PYTHON_TYPES.get(kind), reader(kind)

    def value(attributes: Mapping[str, object]) -> object:
        found = attributes.get(name)
        return found if type(found) is python_type else read(found)

    return value


def _comparison(comparator: Comparator, left: Node, right: Node) -> Closure:
    if isinstance(left, Literal) and isinstance(right, Attribute):
        return _comparison(_MIRRORED[comparator], right, left)
    compare = _COMPARE[comparator]
    if not (isinstance(left, Attribute) and isinstance(right, Literal)):
        return _applied(compare, closure(left), closure(right))
    if left.kind is AttributeType.INT:
        return _int_comparison(compare, left.name, right.value)
    return _attribute_comparison(compare, left, right.value)


def _int_comparison(compare: Comparing, name: str, bound: Any) -> Closure:
    read = reader(AttributeType.INT)

    def test(attributes: Mapping[str, object]) -> bool | None:
        value = attributes.get(name)
        if type(value) is int and LOWEST_INT <= value <= HIGHEST_INT:
            return compare(value, bound)
        value = read(value)
        return None if value is None else compare(value, bound)

    return test


def _attribute_comparison(compare: Comparing, attribute: Attribute, bound: str | float | datetime) -> Closure:
    name, kind = attribute.name, attribute.kind
    python_type, read = _PYTHON_TYPES.get(kind), reader(kind)

    def test(attributes: Mapping[str, object]) -> bool | None:
        value = attributes.get(name)
        if type(value) is python_type:
            return compare(value, bound)
        value = read(value)
        return None if value is None else compare(value, bound)

    return test


def _not(operand: Closure) -> Closure:
    def test(attributes: Mapping[str, object]) -> bool | None:
        value = operand(attributes)
        return None if value is None else not value

    return test


def _chain(terms: list[Callable[[Mapping[str, object]], bool | None]], *, deciding: bool) -> Closure:
    """Return && (decided by false) or || (decided by true): one deciding term outweighs every error."""
    undecided = not deciding
    first, second = terms[0], terms[1]

    def of_two(attributes: Mapping[str, object]) -> bool | None:
        left = first(attributes)
        if left is deciding:
            return deciding
        right = second(attributes)
        if right is deciding:
            return deciding
        return None if left is None or right is None else undecided

    def of_many(attributes: Mapping[str, object]) -> bool | None:
        outcome: bool | None = undecided
        for term in terms:
            value = term(attributes)
            if value is deciding:
                return deciding
            if value is None:
                outcome = None
        return outcome

    return of_two if len(terms) == 2 else of_many


def _in_list(needle: Closure, items: tuple[Node, ...]) -> Closure:
    if all(isinstance(item, Literal) for item in items):
        values = frozenset(item.value for item in items if isinstance(item, Literal))
        return _mapped(values.__contains__, needle)
    members = [closure(item) for item in items]

    def test(attributes: Mapping[str, object]) -> bool | None:
        value = needle(attributes)
        found = [member(attributes) for member in members]
        if value is None or any(item is None for item in found):
            return None
        # Not `in`, which takes an object for equal to itself: a NaN equals nothing.
        return any(value == item for item in found)

    return test


def _mapped(function: Callable[[Any], Any], operand: Closure) -> Closure:
    def value(attributes: Mapping[str, object]) -> Any:
        found = operand(attributes)
        return None if found is None else function(found)

    return value


def _applied(function: Callable[[Any, Any], Any], left: Closure, right: Closure) -> Closure:
    def value(attributes: Mapping[str, object]) -> Any:
        first = left(attributes)
        if first is None:
            return None
        second = right(attributes)
        return None if second is None else function(first, second)

    return value


def _choice(condition: Closure, chosen: Closure, otherwise: Closure) -> Closure:
    def value(attributes: Mapping[str, object]) -> Any:
        truth = condition(attributes)
        if truth is None:
            return None
        return chosen(attributes) if truth else otherwise(attributes)

    return value
