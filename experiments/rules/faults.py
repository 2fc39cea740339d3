"""What is wrong in a rule, in words of its author instead of the parser's."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.errors import InvalidInputError, Problem

FUNCTIONS = ("contains", "double", "endsWith", "has", "matches", "size", "startsWith", "timestamp")
ATTRIBUTES = "attributes"
_WORD_OPERATORS = {"and": "&&", "or": "||", "not": "!", "AND": "&&", "OR": "||", "NOT": "!"}
_LISTED = 12

_ERROR = re.compile(r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '(.*?)' ")
_NO_OVERLOAD = re.compile(r"found no matching overload for '(.*?)' applied to '\((.*)\)'")
_UNEXPECTED = re.compile(
    r"(?:mismatched|extraneous) input '(.*?)' expecting|no viable alternative at input '(.*)'"
)
_UNREADABLE = re.compile(r"token recognition error at: '(.*)'", re.DOTALL)
_MISSING = re.compile(r"missing (.*) at ")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where.

    Attributes:
        line: From 1.
        column: From 1, in code points.
        message: What is wrong and what would be right.
    """

    line: int
    column: int
    message: str


class RuleError(InvalidInputError):
    """A rule cannot be used; all that is wrong in it is named at once.

    Attributes:
        line: Of the first fault, from 1.
        column: Of the first fault, from 1, in code points.
    """

    reason = "INVALID_RULE"

    def __init__(self, text: str, faults: Sequence[Fault]) -> None:
        problems = [Problem(f"line {fault.line}, column {fault.column}", fault.message) for fault in faults]
        self.line = faults[0].line
        self.column = faults[0].column
        super().__init__(
            f"The rule cannot be used. {'; '.join(map(str, problems))}",
            problems,
            rule=text,
            line=str(self.line),
            column=str(self.column),
        )


def fault_at(text: str, offset: int, message: str) -> Fault:
    """Return a fault at a place given in code points from the start of the text.

    Args:
        text: The rule.
        offset: Code points from the start.
        message: What is wrong.
    """
    before = text[:offset]
    return Fault(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, message)


def library_faults(text: str, report: str, attributes: Iterable[str]) -> list[Fault]:
    """Return what the library found wrong, in our words; of syntax errors only the first, which causes the others.

    Args:
        text: The rule.
        report: The library's text.
        attributes: Names that are declared.
    """
    names = sorted(attributes)
    faults: list[Fault] = []
    for line, column, message in _ERROR.findall(report):
        faults.append(
            Fault(
                max(int(line), 1), max(int(column), 1), _explain(text, int(line), int(column), message, names)
            )
        )
        if "Syntax error" in message or int(line) < 1:
            break
    if not faults:
        return [Fault(1, 1, _too_deep(report) or f"this is not valid: {report}")]
    return sorted(faults, key=lambda fault: (fault.line, fault.column))


def unknown_attribute(name: str, attributes: Sequence[str]) -> str:
    """Return what to say about a name that no attribute has."""
    words = f'there is no attribute "{name}"'
    if name in _WORD_OPERATORS:
        return f'{words}; "{name}" is written {_WORD_OPERATORS[name]}'
    near = _nearest(name, attributes)
    if near:
        return f'{words}; did you mean "{near}"?'
    if not attributes:
        return f"{words}: none is declared"
    more = f" and {len(attributes) - _LISTED} more" if len(attributes) > _LISTED else ""
    return f"{words}; there are {', '.join(attributes[:_LISTED])}{more} (a text stands in quotes)"


def _explain(text: str, line: int, column: int, message: str, attributes: Sequence[str]) -> str:
    if undeclared := _UNDECLARED.search(message):
        name = undeclared.group(1)
        if _sign_at(text, line, column) == "(":
            near = _nearest(name, FUNCTIONS)
            hint = f"did you mean {near}()?" if near else f"there are {', '.join(FUNCTIONS)}"
            return f"there is no function {name}(); {hint}"
        return unknown_attribute(name, attributes)
    if overload := _NO_OVERLOAD.search(message):
        return _types_differ(overload.group(1), overload.group(2))
    if "has() argument" in message:
        return f"a test for a value is written has({ATTRIBUTES}.NAME), with the name of the attribute"
    if "Syntax error" in message:
        word = _word_before(text, line, column)
        return _unexpected(word) if word in _WORD_OPERATORS else _syntax(message)
    return _too_deep(message) or f"this is not valid: {message.removesuffix(' [INVALID_ARGUMENT]')}"


def _syntax(message: str) -> str:
    if unreadable := _UNREADABLE.search(message):
        return _unreadable(unreadable.group(1).strip())
    if unexpected := _UNEXPECTED.search(message):
        return _unexpected(unexpected.group(1) or unexpected.group(2))
    if missing := _MISSING.search(message):
        return f"{missing.group(1)} is missing"
    return f"this cannot be read: {message.partition('Syntax error: ')[2]}"


def _unreadable(part: str) -> str:
    if part.startswith("="):
        return "a single = compares nothing; write =="
    if part.startswith(('"', "'")):
        return "a text that begins here is never closed by the same quote"
    return f'"{part}" means nothing here'


def _unexpected(part: str) -> str:
    if part == "<EOF>":
        return "the rule ends too early"
    if part in _WORD_OPERATORS:
        return f'"{part}" is written {_WORD_OPERATORS[part]}'
    return f"{part} is not expected here"


def _types_differ(function: str, types: str) -> str:
    operands = types.split(", ")
    listing = " and ".join(operands).replace("google.protobuf.Timestamp", "timestamp")
    hint = ""
    if {"int", "double"} <= set(operands):
        hint = "; write the number with a point (18.0), or double(...) around the int"
    elif "null_type" in operands:
        hint = f"; whether a value is there is tested by has({ATTRIBUTES}.NAME)"
    elif {"google.protobuf.Timestamp", "string"} <= set(operands):
        hint = '; write timestamp("2026-01-31T00:00:00Z")'
    match function:
        case "_?_:_":
            return f"? needs a bool before it and two values of one type after it, not {listing}{hint}"
        case "_&&_" | "_||_":
            return f"{function.strip('_')} needs bools on both sides, not {listing}{hint}"
        case "!_":
            return f"! needs a bool, not {listing}"
        case "@in":
            return f"in needs a list of values of the same type on its right, not {listing}{hint}"
        case _ if "_" in function:
            return f"{function.replace('_', '')} does not go with {listing}{hint}"
    return f"{function}() does not go with {listing}{hint}"


def _too_deep(message: str) -> str:
    return "the rule is nested too deeply; 32 levels are allowed" if "recursion" in message else ""


def _sign_at(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    return lines[line - 1][column - 1 : column] if 1 <= line <= len(lines) else ""


def _word_before(text: str, line: int, column: int) -> str:
    words = text.split("\n")[line - 1][: column - 1].split()
    return words[-1] if words else ""


def _nearest(name: str, names: Sequence[str]) -> str:
    """Return the name that was probably meant, or nothing; case does not matter."""
    by_folded = {candidate.casefold(): candidate for candidate in names}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else ""
