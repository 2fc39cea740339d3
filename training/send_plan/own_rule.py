"""The marketer's own rule: expressions over columns, each with the arm that it gives; the first that matches counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.rules import AttributeType, compile_rule
from experiments.uplift.trial import Ints, Trial
from training.data.tables import open_frame
from training.send_plan.costs import check_names


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One line of a rule.

    Attributes:
        expression: In CEL, over the table's columns.
        arm: What it gives.
    """

    expression: str
    arm: str


def rule_arms(lines: Sequence[RuleLine], trial: Trial, path: TableSource) -> Ints | None:
    """Apply the marketer's own rule to a table.

    Args:
        lines: In their order.
        trial: Names the arms.
        path: The table.

    Returns:
        int64[n], the arm of each row, the control (0) where no line matches; ``None`` without lines.

    Raises:
        RuleError: An expression cannot be used.
        TrainingError: A line gives an arm that cannot be sent.
    """
    if not lines:
        return None
    check_names(trial, [line.arm for line in lines], "rule")
    frame = open_frame(path)
    kinds = {name: kind for name, dtype in frame.collect_schema().items() if (kind := _kind(dtype))}
    rules = [(compile_rule(line.expression, kinds), trial.arms.index(line.arm)) for line in lines]
    used = sorted(set().union(*(rule.attributes for rule, _ in rules)))
    table = frame.select(pl.col(name).cast(_DTYPES[kinds[name]]) for name in used).collect()
    rows = frame.select(pl.len()).collect().item()
    arm = np.zeros(rows, dtype=np.int64)
    for rule, given in reversed(rules):
        if not rule.attributes:
            arm[:] = given if rule.matches({}) else arm
            continue
        matched = table.select(rule.expression(table.schema).alias("matched"))["matched"].to_numpy()
        arm[matched] = given
    return arm


_DTYPES: dict[AttributeType, pl.DataType] = {
    AttributeType.BOOL: pl.Boolean(),
    AttributeType.INT: pl.Int64(),
    AttributeType.DOUBLE: pl.Float64(),
    AttributeType.STRING: pl.String(),
    AttributeType.TIMESTAMP: pl.Datetime("us", "UTC"),
}


def _kind(dtype: pl.DataType) -> AttributeType | None:
    if dtype == pl.Boolean:
        return AttributeType.BOOL
    if dtype.is_integer():
        return AttributeType.INT
    if dtype.is_float() or dtype.is_decimal():
        return AttributeType.DOUBLE
    if dtype in {pl.String, pl.Categorical} or dtype == pl.Enum:
        return AttributeType.STRING
    if dtype == pl.Date or dtype == pl.Datetime:  # noqa: PLR1714 - a set would compare their hashes
        return AttributeType.TIMESTAMP
    return None
