"""The CEL library's own answers, with which ours are compared."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from experiments.rules import AttributeType, RuleOutcome

ATTRIBUTES = {
    "tier": AttributeType.STRING,
    "country": AttributeType.STRING,
    "age": AttributeType.INT,
    "orders": AttributeType.INT,
    "score": AttributeType.DOUBLE,
    "spend": AttributeType.DOUBLE,
    "subscribed": AttributeType.BOOL,
    "joined": AttributeType.TIMESTAMP,
    "seen": AttributeType.TIMESTAMP,
    "tags": AttributeType.STRINGS,
}


@cache
def environment() -> Any:
    """Return the library's environment with these attributes as variables, and all of them as fields of one more."""
    from cel_expr_python import cel  # type: ignore[import-untyped]  # its stubs stand without a marker

    types = {
        AttributeType.STRING: cel.Type.STRING,
        AttributeType.INT: cel.Type.INT,
        AttributeType.DOUBLE: cel.Type.DOUBLE,
        AttributeType.BOOL: cel.Type.BOOL,
        AttributeType.TIMESTAMP: cel.Type.TIMESTAMP,
        AttributeType.STRINGS: cel.Type.List(cel.Type.STRING),
    }
    variables = {name: types[kind] for name, kind in ATTRIBUTES.items()}
    return cel.NewEnv(variables={"attributes": cel.Type.Map(cel.Type.STRING, cel.Type.DYN), **variables})


def library_outcomes(text: str, rows: Sequence[Mapping[str, object]]) -> list[RuleOutcome]:
    """Return what the library says of each row; a null is left out, which is what it means to rules."""
    expression = environment().compile(text)
    outcomes: list[RuleOutcome] = []
    for row in rows:
        present = {name: value for name, value in row.items() if value is not None}
        # The library takes no times inside maps; has() asks only for the key.
        result = expression.eval(data={**present, "attributes": dict.fromkeys(present, True)})
        if result.type().name() != "BOOL":
            outcomes.append(RuleOutcome.ERROR)
        else:
            outcomes.append(RuleOutcome.MATCH if result.value() else RuleOutcome.NO_MATCH)
    return outcomes
