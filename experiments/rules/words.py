"""A checked rule in plain words, for reports."""

import re
from datetime import datetime

from experiments.number_format import MINUS
from experiments.rules.attributes import AttributeType
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

_COMPARED = {
    Comparator.EQUAL: "is {}",
    Comparator.UNEQUAL: "is not {}",
    Comparator.LESS: "is below {}",
    Comparator.AT_MOST: "is at most {}",
    Comparator.GREATER: "is above {}",
    Comparator.AT_LEAST: "is at least {}",
}
_TIMES_COMPARED = {
    Comparator.LESS: "is before {}",
    Comparator.AT_MOST: "is {} or before",
    Comparator.GREATER: "is after {}",
    Comparator.AT_LEAST: "is {} or after",
}
_DENIED = {Comparator.EQUAL: Comparator.UNEQUAL, Comparator.UNEQUAL: Comparator.EQUAL}
_MIRRORED = {
    Comparator.LESS: Comparator.GREATER,
    Comparator.AT_MOST: Comparator.AT_LEAST,
    Comparator.GREATER: Comparator.LESS,
    Comparator.AT_LEAST: Comparator.AT_MOST,
}
_OPERATIONS = {
    Operation.PLUS: "{} plus {}",
    Operation.MINUS: "{} minus {}",
    Operation.TIMES: "{} times {}",
    Operation.DIVIDED: "{} divided by {}",
    Operation.REMAINDER: "the remainder of {} divided by {}",
}
_RELATED = {
    TextRelation.STARTS_WITH: ("starts with", "does not start with"),
    TextRelation.ENDS_WITH: ("ends with", "does not end with"),
    TextRelation.CONTAINS: ("contains", "does not contain"),
}
# Texts that need no quotes inside a sentence, and those among them that would be misread.
_PLAIN_WORD = re.compile(r"[^\W\d_][\w-]*")
_SENTENCE_WORDS = frozenset({"true", "false", "and", "or", "not", "is", "if", "otherwise"})


def in_words(node: Node) -> str:  # noqa: C901, PLR0911, PLR0912 - one case per node
    """Return a rule or a part of it in words: ``tier is gold and age is at least 18``."""
    match node:
        case Literal():
            return _literal(node)
        case Attribute(kind=AttributeType.BOOL, name=name):
            return f"{name} is true"
        case Attribute(name=name):
            return name
        case Presence(name=name):
            return f"{name} is known"
        case Not(operand=operand):
            return _denied(operand)
        case All(terms=terms):
            return " and ".join(_bracketed(term) for term in terms)
        case AnyOf(terms=terms):
            return " or ".join(_bracketed(term) for term in terms)
        case Compare() | InList() | InAttribute() | TextTest() | Matches():
            return _statement(node, holds=True)
        case Arithmetic(operation=operation, left=left, right=right):
            return _OPERATIONS[operation].format(_bracketed(left), _bracketed(right))
        case Opposite(operand=operand):
            return f"{MINUS}{_bracketed(operand)}"
        case ToDouble(operand=operand):
            return in_words(operand)
        case Size(operand=operand):
            return f"the {'number' if operand.kind is AttributeType.STRINGS else 'length'} of {in_words(operand)}"
        case Conditional(condition=condition, chosen=chosen, otherwise=otherwise):
            return f"{_bracketed(chosen)} if {_bracketed(condition)}, otherwise {_bracketed(otherwise)}"


def _denied(node: Node) -> str:
    match node:
        case Attribute(name=name):
            return f"{name} is false"
        case Presence(name=name):
            return f"{name} is not known"
        case Compare() | InList() | InAttribute() | TextTest() | Matches():
            return _statement(node, holds=False)
        case _:
            return f"not {_bracketed(node)}"


def _statement(node: Compare | InList | InAttribute | TextTest | Matches, *, holds: bool) -> str:
    is_or_not = "is" if holds else "is not"
    match node:
        case Compare():
            return _comparison(node, holds=holds)
        case InList(needle=needle, items=items):
            return f"{_subject(needle)} {is_or_not} {_one_of(items)}"
        case InAttribute(needle=needle, texts=texts):
            return f"{_subject(needle)} {is_or_not} among {texts.name}"
        case TextTest(relation=relation, text=text, part=part):
            return f"{_subject(text)} {_RELATED[relation][not holds]} {_subject(part)}"
        case Matches(text=text, pattern=pattern):
            return f"{_subject(text)} {'matches' if holds else 'does not match'} the pattern {pattern.text}"


def _comparison(node: Compare, *, holds: bool) -> str:
    comparator, left, right = node.comparator, node.left, node.right
    if isinstance(left, Literal) and not isinstance(right, Literal):
        comparator, left, right = _MIRRORED.get(comparator, comparator), right, left
    # Only these two: with a NaN, what is not below is not at least either.
    if not holds and comparator in _DENIED:
        comparator, holds = _DENIED[comparator], True
    words = _COMPARED[comparator]
    if left.kind is AttributeType.BOOL and not isinstance(right, Literal):
        words = words.replace("{}", "the same as {}") if comparator in _DENIED else words
    if left.kind is AttributeType.TIMESTAMP:
        words = _TIMES_COMPARED.get(comparator, words)
    if not holds:
        words = words.replace("is ", "is not ", 1)
    return f"{_subject(left)} {words.format(_subject(right))}"


def _one_of(items: tuple[Node, ...]) -> str:
    if not items:
        return "one of none"
    words = [_subject(item) for item in items]
    if len(words) == 1:
        return words[0]
    return f"one of {', '.join(words[:-1])} or {words[-1]}"


def _subject(node: Node) -> str:
    """Return a part of a statement: a bool attribute by its name alone, another statement in brackets."""
    if isinstance(node, Attribute):
        return node.name
    statement = node.kind is AttributeType.BOOL and not isinstance(node, Literal)
    return f"({in_words(node)})" if statement else _bracketed(node)


def _bracketed(node: Node) -> str:
    words = in_words(node)
    return f"({words})" if isinstance(node, All | AnyOf | Arithmetic | Conditional) else words


def _literal(literal: Literal) -> str:
    value = literal.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _PLAIN_WORD.fullmatch(value) and value not in _SENTENCE_WORDS else f"“{value}”"
    if isinstance(value, datetime):
        return _moment(value)
    return str(value).removesuffix(".0").replace("-", MINUS)


def _moment(moment: datetime) -> str:
    seconds = moment.second or moment.microsecond
    fraction = f".{moment.microsecond:06}" if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M}{f':{moment:%S}' if seconds else ''}{fraction} UTC"
