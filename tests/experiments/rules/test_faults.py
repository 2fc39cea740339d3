"""A rule that cannot be used says what is wrong, where, and what would be right."""

import pytest

from experiments.errors import DomainError
from experiments.rules import AttributeType, RuleError, compile_rule
from tests.experiments.rules.library import ATTRIBUTES

FAULTS = [
    ("", 1, 1, "the rule is empty"),
    (" \n ", 1, 1, "the rule is empty"),
    ("x" * 20_001, 1, 1, "longer than 20,000 characters"),
    ('tier == "\ud800"', 1, 10, "half a surrogate pair"),
    # Names
    ('teir == "gold"', 1, 1, 'there is no attribute "teir"; did you mean "tier"?'),
    ('Tier == "gold"', 1, 1, 'did you mean "tier"?'),
    ('age > 1 &&\n  conutry == "DE"', 2, 3, 'did you mean "country"?'),
    ('"日本" == tier && agee', 1, 17, 'did you mean "age"?'),
    ("tier == platinum", 1, 9, "there are age, country, joined"),
    ("tier == platinum", 1, 9, "a text stands in quotes"),
    ("has(attributes.teir)", 1, 4, 'did you mean "tier"?'),
    ('tier.startWith("g")', 1, 15, "there is no function startWith(); did you mean startsWith()?"),
    ("frobnicate(age)", 1, 11, "there is no function frobnicate(); there are contains, double"),
    # Types
    ('age == "18"', 1, 5, "== does not go with int and string"),
    ("age >= 17.5", 1, 5, "write the number with a point (18.0), or double(...)"),
    ("score > 1", 1, 7, "> does not go with double and int; write the number with a point"),
    ("tier == null", 1, 6, "tested by has(attributes.NAME)"),
    ('joined > "2024-01-01"', 1, 8, 'write timestamp("2026-01-31T00:00:00Z")'),
    ("subscribed && 1", 1, 12, "&& needs bools on both sides, not bool and int"),
    ("!age", 1, 1, "! needs a bool, not int"),
    ("age ? true : false", 1, 5, "? needs a bool before it"),
    ('tier in "gold"', 1, 6, "in needs a list of values of the same type on its right"),
    ("size(age) == 1", 1, 5, "size() does not go with int"),
    ("age in [1, 2.5]", 1, 12, "the list holds a double, but int is looked for"),
    ("age", 1, 1, "the rule gives a value of type int, but must be true or false"),
    ("tier.length == 1", 1, 5, "cannot be the operand of a select operation"),
    # Syntax
    ("age >", 1, 6, "the rule ends too early"),
    ('tier = "gold"', 1, 6, "a single = compares nothing; write =="),
    ("subscribed and age > 1", 1, 12, '"and" is written &&'),
    ("not subscribed", 1, 5, '"not" is written !'),
    ('tier == "gold', 1, 9, "never closed by the same quote"),
    ("(age > 1", 1, 9, "')' is missing"),
    ("age > 1)", 1, 8, ") is not expected here"),
    ("age > 1;", 1, 8, '";" means nothing here'),
    ("age == 99999999999999999999", 1, 8, "invalid int literal"),
    ("(" * 40 + "subscribed" + ")" * 40, 1, 1, "nested too deeply; 32 levels"),
    ("age" + " + 1" * 40 + " > 0", 1, 1, "nested too deeply; 32 levels"),
    # What CEL has and rules have not
    (
        'tags.exists(tag, tag == "a")',
        1,
        12,
        "exists(), exists_one(), all(), map() and filter() are not supported",
    ),
    ("has(tier)", 1, 5, "a test for a value is written has(attributes.NAME)"),
    ('attributes.tier == "gold"', 1, 11, "write the name of the attribute alone"),
    ("attributes == {}", 1, 1, 'there is no attribute "attributes"'),
    ('has({"a": 1}.a)', 1, 4, "has() is written has(attributes.NAME)"),
    ('{"a": true}["a"]', 1, 1, "maps and messages {...} are not supported"),
    ('tags[0] == "a"', 1, 5, "taking items by [] is not supported; use in"),
    ('tags == ["a"]', 1, 9, "a list may stand only on the right of in"),
    ("tags == tags", 1, 6, "== is not supported for list<string> and list<string>"),
    ('tier + "x" == "goldx"', 1, 6, "+ is not supported for string and string"),
    ("1u == 1u", 1, 1, "values of type uint are not supported"),
    ('b"a" == b"a"', 1, 1, "values of type bytes are not supported"),
    ("dyn(age) == 1", 1, 4, "dyn() is not supported for int"),
    ('string(age) == "1"', 1, 7, "string() is not supported for int"),
    ("joined.getFullYear() == 2024", 1, 19, "getFullYear() is not supported for timestamp"),
    ('joined - seen > duration("24h")', 1, 8, "- is not supported for timestamp and timestamp"),
    ("joined > timestamp(5)", 1, 19, "timestamp() needs a time in quotes"),
    ('joined > timestamp("yesterday")', 1, 20, "write date, time and zone"),
    ('joined > timestamp("2024-01-01T00:00:00.1234567Z")', 1, 20, "finer than microseconds"),
    ("tier.matches(country)", 1, 14, "the pattern of matches() must be written out in quotes"),
    ('"a" in (subscribed ? tags : tags)', 1, 20, "?: is not supported"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), FAULTS)
def test_each_fault_has_its_place_and_its_words(text: str, line: int, column: int, words: str) -> None:
    """The author finds the spot and reads a sentence, not the parser's state."""
    with pytest.raises(RuleError) as refused:
        compile_rule(text, ATTRIBUTES)

    problem = refused.value.problems[0]
    assert words in problem.message
    assert (line, column) == (refused.value.line, refused.value.column)
    assert problem.path == f"line {line}, column {column}"


def test_all_unknown_names_are_listed_at_once() -> None:
    """Who has made two mistakes reads both."""
    with pytest.raises(RuleError) as refused:
        compile_rule('agee == 1 || teir == "x"', ATTRIBUTES)

    assert [problem.path for problem in refused.value.problems] == ["line 1, column 1", "line 1, column 14"]


def test_a_rule_error_is_a_domain_error_with_a_stable_reason() -> None:
    """Programs read the reason and the metadata, people the message."""
    with pytest.raises(DomainError) as refused:
        compile_rule("age ==", ATTRIBUTES)

    assert refused.value.reason == "INVALID_RULE"
    assert refused.value.metadata == {"rule": "age ==", "line": "1", "column": "7"}
    assert refused.value.message == "The rule cannot be used. line 1, column 7: the rule ends too early"


def test_an_attribute_named_like_a_word_of_cel_spoils_no_other_rule() -> None:
    """A table may have a column called "type": only a rule that asks for it is refused."""
    attributes = {"type": AttributeType.STRING, "map": AttributeType.INT, **ATTRIBUTES}

    compile_rule("age == 1", attributes)
    with pytest.raises(RuleError, match='the attribute "type" cannot be used in rules'):
        compile_rule('type == "a"', attributes)


def test_without_attributes_the_error_says_so() -> None:
    """Nothing declared is a likely cause, and is named."""
    with pytest.raises(RuleError, match="none is declared"):
        compile_rule('tier == "gold"', {})
