"""The closure and the polars expression say what the CEL library says."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from experiments.rules import AttributeType, RuleOutcome, compile_rule, describe
from tests.experiments.rules.library import ATTRIBUTES, library_outcomes
from tests.experiments.rules.strategies import row, statement

DTYPES: dict[AttributeType, pl.DataType] = {
    AttributeType.STRING: pl.String(),
    AttributeType.INT: pl.Int64(),
    AttributeType.DOUBLE: pl.Float64(),
    AttributeType.BOOL: pl.Boolean(),
    AttributeType.TIMESTAMP: pl.Datetime("us", "UTC"),
    AttributeType.STRINGS: pl.List(pl.String),
}
SCHEMA = pl.Schema({name: DTYPES[kind] for name, kind in ATTRIBUTES.items()})


def outcomes(text: str, rows: list[dict[str, object]]) -> tuple[list[RuleOutcome], list[str], list[bool]]:
    rule = compile_rule(text, ATTRIBUTES)
    assert describe(rule)
    table = pl.DataFrame([{name: each.get(name) for name in ATTRIBUTES} for each in rows], schema=SCHEMA)
    lowered = table.with_columns(outcome=rule.outcome_expression(table.schema), eligible=rule.expression())
    assert table.clear().filter(rule.expression()).height == 0
    assert [rule.matches(each) for each in rows] == lowered["eligible"].to_list()
    return (
        [rule.evaluate(each) for each in rows],
        lowered["outcome"].to_list(),
        lowered["eligible"].to_list(),
    )


def check(text: str, rows: list[dict[str, object]]) -> None:
    expected = library_outcomes(text, rows)

    single, batch, eligible = outcomes(text, rows)

    assert expected == single
    assert [outcome.value for outcome in expected] == batch
    assert [outcome is RuleOutcome.MATCH for outcome in expected] == eligible


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(text=statement(4), rows=st.lists(row(), min_size=4, max_size=4))
def test_random_rules_agree_with_the_library(text: str, rows: list[dict[str, object]]) -> None:
    """Whatever the rule and the row, all three give the same of match, no match and error."""
    check(text, rows)


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@seed(20260131)
@given(text=statement(5), rows=st.lists(row(), min_size=8, max_size=8))
def test_many_random_rules_agree_with_the_library(text: str, rows: list[dict[str, object]]) -> None:
    """The same with other, deeper rules and more rows."""
    check(text, rows)


M, N, E = RuleOutcome.MATCH, RuleOutcome.NO_MATCH, RuleOutcome.ERROR
LOWEST, HIGHEST = -(1 << 63), (1 << 63) - 1
NAN = float("nan")
CASES: list[tuple[str, dict[str, object], RuleOutcome]] = [
    # One error does not decide where another term does, in either order.
    ("true || age == 1", {}, M),
    ("age == 1 || true", {}, M),
    ("false && age == 1", {}, N),
    ("age == 1 && false", {}, N),
    ("true && age == 1", {}, E),
    ("age == 1 || false", {}, E),
    ("false || age == 1 || orders == 2 || subscribed", {"subscribed": True}, M),
    ("!(age == 1)", {}, E),
    ("subscribed ? true : age == 1", {"subscribed": True}, M),
    ("subscribed ? true : age == 1", {"subscribed": False}, E),
    ("subscribed ? true : false", {}, E),
    # Whole numbers err instead of wrapping round, and division cuts towards zero.
    ("age + 1 > 0", {"age": HIGHEST}, E),
    ("age - 1 < 0", {"age": LOWEST}, E),
    ("age * 2 > 0", {"age": 1 << 62}, E),
    ("-age > 0", {"age": LOWEST}, E),
    ("age / -1 > 0", {"age": LOWEST}, E),
    ("age % -1 == 0", {"age": LOWEST}, E),
    ("age / 0 == 0", {"age": 1}, E),
    ("age % 0 == 0", {"age": 1}, E),
    ("age / 2 == -3", {"age": -7}, M),
    ("age % 2 == -1", {"age": -7}, M),
    ("age % -2 == 1", {"age": 7}, M),
    ("age == -9223372036854775808", {"age": LOWEST}, M),
    ("double(age) == 9223372036854775807.0", {"age": HIGHEST}, M),
    # Doubles follow IEEE 754.
    ("score / 0.0 > 1e308", {"score": 1.0}, M),
    ("1.0 / -score < 0.0", {"score": 0.0}, M),
    ("score / 0.0 == score / 0.0", {"score": 0.0}, N),
    ("score == score", {"score": NAN}, N),
    ("score != score", {"score": NAN}, M),
    ("score < 1.0 || score >= 1.0", {"score": NAN}, N),
    ("spend < score", {"score": NAN}, E),
    ("score in [score]", {"score": NAN}, N),
    ("score in [0.0]", {"score": -0.0}, M),
    # Texts compare and count by code points.
    ('tier > "\uffff"', {"tier": "\U00010000"}, M),
    ("size(tier) == 2", {"tier": "é😀"}, M),
    ('tier == "e\u0301"', {"tier": "é"}, N),
    ('tier.startsWith("")', {"tier": ""}, M),
    ('tier.contains(".")', {"tier": "a"}, N),
    # Lists.
    ("tier in []", {"tier": "a"}, N),
    ("tier in []", {}, E),
    ("tier in [tier, country]", {"tier": "a"}, E),
    ('"a" in tags', {"tags": ["b", "a"]}, M),
    ('"a" in tags', {"tags": []}, N),
    ("tier in tags", {"tags": ["a"]}, E),
    ("size(tags) == 0", {"tags": []}, M),
    # An expression's end is the text's end, not the line's.
    ('tier.matches("a$")', {"tier": "a\n"}, N),
    (r'tier.matches("^\\s$")', {"tier": "\v"}, N),
    (r'tier.matches("^\\w$")', {"tier": "é"}, N),
    ('tier.matches("^.$")', {"tier": "\n"}, N),
    # Where all rows take a branch that is a literal, a table keeps its height.
    ("(0 == (0 + (subscribed ? age : 0)))", {"subscribed": False}, M),
    # Presence never errs.
    ("has(attributes.tier)", {}, N),
    ("has(attributes.tier)", {"tier": None}, N),
    ("has(attributes.tier)", {"tier": ""}, M),
    ("!has(attributes.age) || age >= 18", {}, M),
    ('joined < timestamp("2024-01-01T00:00:00.000001Z")', {}, E),
    ("false < true", {}, M),
]


@pytest.mark.parametrize(("text", "values", "expected"), CASES)
def test_hand_written_rules_agree_with_the_library(
    text: str, values: dict[str, object], expected: RuleOutcome
) -> None:
    """Each corner of the language that engines read differently has a case of its own."""
    single, batch, _ = outcomes(text, [values, values])

    assert [expected] == library_outcomes(text, [values])
    assert [expected] * 2 == single
    assert [expected.value] * 2 == batch


def test_every_attribute_type_is_generated() -> None:
    """The random rules reach all types."""
    assert set(AttributeType) == set(ATTRIBUTES.values())
