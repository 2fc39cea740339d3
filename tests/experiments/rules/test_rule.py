"""What a rule offers its callers, and how values are read."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum

import polars as pl
import pytest

from experiments.errors import AnalysisError
from experiments.rules import AttributeType, RuleOutcome, compile_rule
from tests.experiments.rules.library import ATTRIBUTES


class Tier(StrEnum):
    GOLD = "gold"


def test_a_rule_knows_what_it_asks_about() -> None:
    """All attributes are named, those asked for by has() too; the rest of the catalogue is not."""
    rule = compile_rule('has(attributes.tier) && (age in [orders, 1] || "a" in tags)', ATTRIBUTES)

    assert rule.attributes == {"tier", "age", "orders", "tags"}
    assert compile_rule("true", ATTRIBUTES).attributes == frozenset()


def test_equal_rules_are_equal() -> None:
    """Rules are values: the same text over the same attributes is the same rule."""
    assert compile_rule("age > 1", ATTRIBUTES) == compile_rule("age > 1", ATTRIBUTES)
    assert compile_rule("age > 1", ATTRIBUTES) != compile_rule("age > 2", ATTRIBUTES)


def test_an_attribute_name_may_hold_points() -> None:
    """Context such as a channel is declared as context.channel."""
    attributes = {"context.channel": AttributeType.STRING}
    rule = compile_rule('has(attributes.context.channel) && context.channel == "app"', attributes)

    assert rule.matches({"context.channel": "app"})
    assert not rule.matches({})
    assert pl.DataFrame({"context.channel": ["app", None]}).select(
        rule.expression()
    ).to_series().to_list() == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "values", "outcome"),
    [
        ('tier == "gold"', {"tier": Tier.GOLD}, RuleOutcome.MATCH),
        ('tier == "1"', {"tier": 1}, RuleOutcome.ERROR),
        ("age == 1", {"age": True}, RuleOutcome.ERROR),
        ("age == 1", {"age": 1.0}, RuleOutcome.ERROR),
        ("age > 1", {"age": 1 << 63}, RuleOutcome.ERROR),
        ("age + 0 > 1", {"age": "2"}, RuleOutcome.ERROR),
        ("score > 1.5", {"score": 2}, RuleOutcome.MATCH),
        ("score > 1.5", {"score": "2"}, RuleOutcome.ERROR),
        ("subscribed", {"subscribed": 1}, RuleOutcome.ERROR),
        ('joined == timestamp("2024-01-01T00:00:00Z")', {"joined": datetime(2024, 1, 1)}, RuleOutcome.MATCH),  # noqa: DTZ001 - the rule
        (
            'joined == timestamp("2024-01-01T00:00:00Z")',
            {"joined": datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))},
            RuleOutcome.MATCH,
        ),
        ('joined > timestamp("2024-01-01T00:00:00Z")', {"joined": "2025-01-01"}, RuleOutcome.ERROR),
        ('"a" in tags', {"tags": ("a", "b")}, RuleOutcome.MATCH),
        ('"a" in tags', {"tags": ["a", None]}, RuleOutcome.ERROR),
        ('"a" in tags', {"tags": "abc"}, RuleOutcome.ERROR),
        ("has(attributes.age)", {"age": "x"}, RuleOutcome.MATCH),
    ],
)
def test_values_are_read_as_their_declared_types(
    text: str, values: dict[str, object], outcome: RuleOutcome
) -> None:
    """What fits is converted without loss; what does not fit is as good as missing."""
    rule = compile_rule(text, ATTRIBUTES)

    assert outcome is rule.evaluate(values)
    assert rule.matches(values) is (outcome is RuleOutcome.MATCH)


def test_a_missing_column_is_a_missing_attribute() -> None:
    """With the schema at hand, tables need not have every attribute."""
    table = pl.DataFrame({"age": [20, 10]})
    rule = compile_rule('age >= 18 && !(tier in ["a", "b"]) || has(attributes.country)', ATTRIBUTES)

    outcomes = table.select(rule.outcome_expression(table.schema)).to_series().to_list()

    assert outcomes == ["error", "no_match"]
    assert table.with_columns(eligible=rule.expression(table.schema))["eligible"].to_list() == [False, False]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('tier == "a"', pl.Series("tier", ["a"], dtype=pl.Categorical)),
        ('tier == "a"', pl.Series("tier", ["a"], dtype=pl.Enum(["a"]))),
        ("age + 100 == 300", pl.Series("age", [200], dtype=pl.UInt8)),
        ("score == 0.5", pl.Series("score", [0.5], dtype=pl.Float32)),
        ("score == 2.0", pl.Series("score", [2], dtype=pl.Int16)),
        ('joined == timestamp("2024-01-01T00:00:00Z")', pl.Series("joined", [datetime(2024, 1, 1)])),  # noqa: DTZ001 - the rule
        (
            'joined == timestamp("2024-01-01T00:00:00Z")',
            pl.Series("joined", [datetime(2024, 1, 1, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
        ),
        (
            'joined == timestamp("2024-01-01T00:00:00Z")',
            pl.Series("joined", [datetime(2024, 1, 1)], dtype=pl.Datetime("ns")),  # noqa: DTZ001 - the rule
        ),
        ('"a" in tags', pl.Series("tags", [["b", "a"]], dtype=pl.List(pl.Categorical))),
        ("!has(attributes.tier)", pl.Series("tier", [None])),
    ],
)
def test_columns_of_kindred_types_fit(text: str, column: pl.Series) -> None:
    """Small numbers, categories and other time units mean what they say."""
    table = column.to_frame()

    assert table.select(compile_rule(text, ATTRIBUTES).expression(table.schema)).item() is True


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('tier == "1"', pl.Series("tier", [1])),
        ("age == 1", pl.Series("age", ["1"])),
        ("age == 1", pl.Series("age", [1.5])),
        ("age == 1", pl.Series("age", [True])),
        ("subscribed", pl.Series("subscribed", [1])),
        ('joined > timestamp("2024-01-01T00:00:00Z")', pl.Series("joined", ["2024-01-01"])),
        ('"a" in tags', pl.Series("tags", ["a"])),
        ('"1" in tags', pl.Series("tags", [[1]])),
    ],
)
def test_columns_of_other_types_are_refused(text: str, column: pl.Series) -> None:
    """A text that looks like a number is not a number: the column is named."""
    rule = compile_rule(text, ATTRIBUTES)

    with pytest.raises(AnalysisError, match=f'The column "{column.name}" holds'):
        rule.expression(column.to_frame().schema)


def test_numbers_beyond_64_bits_and_lists_with_gaps_err_in_tables_too() -> None:
    """What one decision refuses, a table refuses."""
    table = pl.DataFrame({"age": pl.Series([1 << 63], dtype=pl.UInt64), "tags": [["a", None]]})

    for text in ("age > 1", '"a" in tags', "size(tags) == 2"):
        rule = compile_rule(text, ATTRIBUTES)
        assert table.select(rule.outcome_expression(table.schema)).item() == "error"
        assert table.select(rule.expression(table.schema)).item() is False


def test_rules_work_on_lazy_tables() -> None:
    """A filter by a rule is pushed down like any other."""
    rule = compile_rule('tier == "gold" && age >= 18', ATTRIBUTES)
    table = pl.LazyFrame({"tier": ["gold", "gold", None], "age": [20, None, 30]})

    assert table.filter(rule.expression(table.collect_schema())).collect().rows() == [("gold", 20)]


def test_the_library_is_loaded_with_the_first_rule_only() -> None:
    """Programs without rules do not pay for the library."""
    script = (
        "import sys, experiments.rules as rules; assert 'cel_expr_python' not in sys.modules;"
        "rules.compile_rule('true', {}); assert 'cel_expr_python.cel' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
