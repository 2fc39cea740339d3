"""Targeting rules: who is eligible, said in CEL over declared attributes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from experiments.rules.attributes import AttributeType
from experiments.rules.cel import check
from experiments.rules.closures import Closure, closure
from experiments.rules.frames import frame_expression
from experiments.rules.lower import Lowering
from experiments.rules.tree import Node, names_of
from experiments.rules.words import in_words


class RuleOutcome(StrEnum):
    """What a rule says about one unit. Only ``MATCH`` makes it eligible."""

    MATCH = "match"
    NO_MATCH = "no_match"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule, ready for single decisions and for whole tables.

    Both give the same outcomes as the CEL library does, with one choice of ours: a null and a value that does not fit
    its declared type are as good as missing.

    Attributes:
        text: As its author wrote it.
        tree: What it says, checked.
        attributes: The names it asks about.
    """

    text: str
    tree: Node
    attributes: frozenset[str]
    _closure: Closure = field(repr=False, compare=False)

    def evaluate(self, attributes: Mapping[str, object]) -> RuleOutcome:
        """Return the outcome for one unit; ``ERROR`` where an attribute that decides is missing or a number overflows.

        Args:
            attributes: Values by name; others than the rule's are not looked at.
        """
        truth = self._closure(attributes)
        if truth is None:
            return RuleOutcome.ERROR
        return RuleOutcome.MATCH if truth else RuleOutcome.NO_MATCH

    def truth(self, attributes: Mapping[str, object]) -> bool | None:
        """Return what the rule says about one unit; ``None`` where it errs. The fastest of the three."""
        truth: bool | None = self._closure(attributes)
        return truth

    def matches(self, attributes: Mapping[str, object]) -> bool:
        """Return whether a unit is eligible; an error means it is not."""
        return self._closure(attributes) is True

    def expression(self, columns: Mapping[str, pl.DataType] | None = None) -> pl.Expr:
        """Return whether each row is eligible, never null; an error means it is not.

        A rule that names no attribute gives a single value, which polars spreads over a table beside its columns.

        Args:
            columns: The table's schema. A column that it lacks is a missing attribute in every row. Without it, all
                columns of the rule are taken to be there with types that fit.

        Raises:
            AnalysisError: A column's type does not fit its attribute's declared type.
        """
        return frame_expression(self.tree, columns).fill_null(value=False)

    def outcome_expression(self, columns: Mapping[str, pl.DataType] | None = None) -> pl.Expr:
        """Return the outcome of each row as a text: a value of ``RuleOutcome``. Arguments as in ``expression``."""
        truth = frame_expression(self.tree, columns)
        return (
            pl.when(truth.is_null())
            .then(pl.lit(RuleOutcome.ERROR.value))
            .when(truth)
            .then(pl.lit(RuleOutcome.MATCH.value))
            .otherwise(pl.lit(RuleOutcome.NO_MATCH.value))
        )


def compile_rule(text: str, attributes: Mapping[str, AttributeType]) -> Rule:
    """Check a rule and make it ready.

    Args:
        text: In CEL; what is supported stands in the package's docstring.
        attributes: The attributes that rules may ask about, with their types.

    Raises:
        RuleError: The rule cannot be used; each fault has its line and column.
    """
    tree = Lowering(text, attributes).rule(check(text, attributes))
    return Rule(text, tree, names_of(tree), closure(tree))


def describe(rule: Rule) -> str:
    """Return a rule in plain words: ``tier is gold and age is at least 18``."""
    return in_words(rule.tree)
