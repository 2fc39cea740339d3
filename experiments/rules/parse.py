"""From text to a checked tree: parsing and type checking by the CEL library, everything after by us.

The library (``cel-expr-python``, Google's) is imported where it is used: its first environment costs 0.2 s, which
nobody pays who has no rule.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from experiments.rules.attributes import AttributeType
from experiments.rules.cel import Syntax, read_checked
from experiments.rules.faults import ATTRIBUTES, Fault, RuleError, library_faults

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
        raise RuleError(text, [Fault(1, error.start + 1, "half a surrogate pair is no character")]) from None
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
