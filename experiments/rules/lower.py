"""From the library's syntax to our tree, refusing by name what rules do not support."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from experiments.rules import cel
from experiments.rules.attributes import AttributeType
from experiments.rules.cel import Form, Syntax
from experiments.rules.faults import ATTRIBUTES, RuleError, fault_at, unknown_attribute
from experiments.rules.patterns import PatternError, read_pattern
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

_COMPARATORS = {f"_{comparator}_": comparator for comparator in Comparator}
_OPERATIONS = {f"_{operation}_": operation for operation in Operation}
_RELATIONS = {relation.value: relation for relation in TextRelation}
_NUMBERS = frozenset({AttributeType.INT, AttributeType.DOUBLE})
_BEYOND_MICROSECONDS = re.compile(r"\.\d{6}\d*[1-9]")


class Lowering:
    """Turns one rule's syntax into a tree.

    Args:
        text: The rule, for the places of faults.
        attributes: What the rule may ask about.
    """

    def __init__(self, text: str, attributes: Mapping[str, AttributeType]) -> None:
        self._text = text
        self._attributes = attributes

    def rule(self, syntax: Syntax) -> Node:
        """Return the tree of a whole rule.

        Raises:
            RuleError: It gives no bool, or uses something that is not supported.
        """
        node = self._node(syntax)
        if node.kind is not AttributeType.BOOL:
            raise self._refusal(
                syntax, f"the rule gives a value of type {node.kind}, but must be true or false"
            )
        return node

    def _refusal(self, syntax: Syntax, message: str) -> RuleError:
        return RuleError(self._text, [fault_at(self._text, syntax.offset, message)])

    def _node(self, syntax: Syntax) -> Node:
        match syntax.form:
            case Form.LITERAL:
                return self._literal(syntax)
            case Form.NAME:
                return self._attribute(syntax, syntax.name)
            case Form.PRESENCE:
                return Presence(self._attribute(syntax, self._field(syntax)).name)
            case Form.FIELD:
                raise self._refusal(syntax, f"write the name of the attribute alone, without {ATTRIBUTES}.")
            case Form.CALL:
                return self._call(syntax)
            case Form.LIST:
                raise self._refusal(syntax, "a list may stand only on the right of in")
            case Form.STRUCT:
                raise self._refusal(syntax, "maps and messages {...} are not supported")
            case Form.COMPREHENSION:
                raise self._refusal(
                    syntax,
                    "exists(), exists_one(), all(), map() and filter() are not supported; use in for lists",
                )

    def _literal(self, syntax: Syntax) -> Literal:
        if syntax.value is None:
            raise self._refusal(syntax, f"values of type {syntax.name} are not supported")
        return Literal(AttributeType(syntax.name), syntax.value)

    def _attribute(self, syntax: Syntax, name: str) -> Attribute:
        name = name.removeprefix(".")
        if name not in self._attributes:
            raise self._refusal(syntax, unknown_attribute(name, sorted(self._attributes)))
        return Attribute(self._attributes[name], name)

    def _field(self, syntax: Syntax) -> str:
        """Return the attribute that has() asks for; its name may hold points."""
        (owner,) = syntax.operands
        if owner.form is Form.NAME and owner.name == ATTRIBUTES:
            return syntax.name
        if owner.form is Form.FIELD:
            return f"{self._field(owner)}.{syntax.name}"
        raise self._refusal(
            syntax, f"has() is written has({ATTRIBUTES}.NAME), with the name of the attribute"
        )

    def _call(self, syntax: Syntax) -> Node:
        name = syntax.name
        match name:
            case "_&&_":
                return All(self._chain(syntax))
            case "_||_":
                return AnyOf(self._chain(syntax))
            case "@in":
                return self._membership(syntax)
            case "matches":
                return self._matches(syntax)
            case "timestamp":
                return self._timestamp(syntax)
        operands = [self._node(operand) for operand in syntax.operands]
        match operands:
            case [operand]:
                node = self._unary(name, operand)
            case [left, right]:
                node = self._binary(name, left, right)
            case [condition, chosen, otherwise] if (
                name == "_?_:_" and chosen.kind is not AttributeType.STRINGS
            ):
                node = Conditional(chosen.kind, condition, chosen, otherwise)
            case _:
                node = None
        if node is None:
            raise self._refusal(syntax, _unsupported(name, operands))
        return node

    def _unary(self, name: str, operand: Node) -> Node | None:
        if name == "!_":
            return Not(operand)
        if name == "-_" and operand.kind in _NUMBERS:
            return Opposite(operand.kind, operand)
        if name == "double" and operand.kind in _NUMBERS:
            return operand if operand.kind is AttributeType.DOUBLE else ToDouble(operand)
        if name == "size":
            return Size(operand)
        return None

    def _binary(self, name: str, left: Node, right: Node) -> Node | None:
        if left.kind is not right.kind:
            return None
        if name in _COMPARATORS and left.kind is not AttributeType.STRINGS:
            return Compare(_COMPARATORS[name], left, right)
        if name in _OPERATIONS and left.kind in _NUMBERS:
            return Arithmetic(left.kind, _OPERATIONS[name], left, right)
        if name in _RELATIONS:
            return TextTest(_RELATIONS[name], left, right)
        return None

    def _chain(self, syntax: Syntax) -> tuple[Node, ...]:
        """Return all terms of a && or || chain, which the library nests in pairs."""
        terms: list[Node] = []
        for operand in syntax.operands:
            if operand.form is Form.CALL and operand.name == syntax.name:
                terms += self._chain(operand)
            else:
                terms.append(self._node(operand))
        return tuple(terms)

    def _membership(self, syntax: Syntax) -> Node:
        needle, container = self._node(syntax.operands[0]), syntax.operands[1]
        if container.form is Form.LIST:
            items = tuple(self._node(item) for item in container.operands)
            for item, place in zip(items, container.operands, strict=True):
                if item.kind is not needle.kind or item.kind is AttributeType.STRINGS:
                    raise self._refusal(
                        place, f"the list holds a {item.kind}, but {needle.kind} is looked for"
                    )
            return InList(needle, items)
        texts = self._node(container)
        if (
            isinstance(texts, Attribute)
            and texts.kind is AttributeType.STRINGS
            and needle.kind is AttributeType.STRING
        ):
            return InAttribute(needle, texts)
        raise self._refusal(container, "in needs a list in brackets or a list attribute on its right")

    def _matches(self, syntax: Syntax) -> Node:
        text, pattern = (self._node(operand) for operand in syntax.operands)
        place = syntax.operands[1]
        if not isinstance(pattern, Literal):
            raise self._refusal(place, "the pattern of matches() must be written out in quotes")
        fault = cel.pattern_fault(str(pattern.value))
        if fault:
            raise self._refusal(place, f"this is not a regular expression: {fault}")
        try:
            return Matches(text, read_pattern(str(pattern.value)))
        except PatternError as error:
            raise self._refusal(place, f"not supported in a regular expression: {error}") from None

    def _timestamp(self, syntax: Syntax) -> Node:
        (operand,) = (self._node(operand) for operand in syntax.operands)
        if operand.kind is AttributeType.TIMESTAMP:
            return operand
        if not isinstance(operand, Literal) or not isinstance(operand.value, str):
            raise self._refusal(syntax, 'timestamp() needs a time in quotes, such as "2026-01-31T00:00:00Z"')
        moment: datetime | None = cel.timestamp(operand.value)
        if moment is None:
            raise self._refusal(
                syntax.operands[0], "this is not a time; write date, time and zone: 2026-01-31T00:00:00Z"
            )
        if _BEYOND_MICROSECONDS.search(operand.value):
            raise self._refusal(syntax.operands[0], "times finer than microseconds are not supported")
        return Literal(AttributeType.TIMESTAMP, moment)


def _unsupported(name: str, operands: Sequence[Node]) -> str:
    kinds = " and ".join(operand.kind for operand in operands)
    if name == "_[_]":
        return "taking items by [] is not supported; use in"
    if "_" in name:
        return f"{name.replace('_', '')} is not supported for {kinds}"
    return f"{name}() is not supported" + (f" for {kinds}" if operands else "")
