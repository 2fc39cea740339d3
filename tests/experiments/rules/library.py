"""The CEL library's own answers, with which ours are compared."""

from collections.abc import Mapping, Sequence

from experiments.rules import AttributeType, RuleOutcome
from experiments.rules.cel import _environment

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


def library_outcomes(text: str, rows: Sequence[Mapping[str, object]]) -> list[RuleOutcome]:
    """Return what the library says of each row; a null is left out, which is what it means to rules."""
    expression = _environment(frozenset(ATTRIBUTES.items())).compile(text)
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
