"""Regular expressions mean the same in RE2, in Python and in polars, or are refused."""

import json
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.rules import RuleError, RuleOutcome, compile_rule
from experiments.rules.patterns import read_pattern
from tests.experiments.rules.library import ATTRIBUTES, library_outcomes

SUBJECTS = [
    "",
    "a",
    "A",
    "ab",
    "aab",
    "ba",
    "a\n",
    "\n",
    "é",
    "aé",
    "_",
    "1",
    "a1",
    "-",
    "]",
    "a-b",
    "\v",
    "\t",
    "x{2}",
    "\u017f",
    "²",
    "ａ",
]
PIECES = ["a", "b", "é", ".", "^", "$", "|", "(", "(?:", ")", "[", "[^", "]", "-", "{", "}", "*", "+", "?", "{1,2}", "{2}", "{,2}", ",", "\\", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\b", r"\A", r"\z", r"\.", r"\n", "&&", "~~", "1", " ", "#", ":", "<"]  # fmt: skip


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join))
def test_what_is_accepted_means_the_same_everywhere(pattern: str) -> None:
    """A pattern is refused, or all three engines find it in the same texts."""
    text = f"tier.matches({json.dumps(pattern, ensure_ascii=False)})"
    try:
        rule = compile_rule(text, ATTRIBUTES)
    except RuleError:
        return
    rows = [{"tier": subject} for subject in SUBJECTS]

    expected = [outcome is RuleOutcome.MATCH for outcome in library_outcomes(text, rows)]

    assert expected == [rule.matches(row) for row in rows]
    assert expected == pl.DataFrame(rows).select(rule.expression()).to_series().to_list()


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-c]+@[a-z0-9.-]+$",
        r"^\+?\d{2,4}(?: \d+)?$",
        r"\bnew\b|\bold\b",
        "[]a]",
        "[^]a]",
        "[a-]",
        "a{",
        "x{,2}",
        "a]}",
        r"[\w.]+",
        r"[\-\]]",
        r"\$\^\.",
        "(a)(b)?",
        "a*?b+?c??",
        r"\D\W\S",
        "é|ü",
        "a|",
        "()",
        "#&-~ ",
    ],
)
def test_the_common_part_is_accepted(pattern: str) -> None:
    """What people write in rules can be used."""
    assert re.compile(read_pattern(pattern).python, re.ASCII)
    compile_rule(f"tier.matches({json.dumps(pattern)})", ATTRIBUTES)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?i)gold", "flags"),
        ("(?P<name>a)", "names"),
        ("(a+)+", "repeats or branches"),
        ("(a|b)*", "repeats or branches"),
        ("(a?){20}", "repeats or branches"),
        (r"\pL", r"the escape \p"),
        (r"\x41", r"the escape \x"),
        (r"\Qa.b\E", r"the escape \Q"),
        (r"[\W]", r"\W inside square brackets"),
        ("[[:alpha:]]", "named classes"),
        (r"^*", "no width"),
        ("(", "missing )"),
        ("a**", "bad repetition operator"),
        ("(?=a)", "invalid perl operator"),
        ("a{1001}", "invalid repetition size"),
        ("[b-a]", "invalid character class range"),
    ],
)
def test_the_rest_is_refused_by_name(pattern: str, words: str) -> None:
    """The author reads which part is not supported, or what RE2 has against it."""
    with pytest.raises(RuleError, match=re.escape(words)) as refused:
        compile_rule(f"age == 1 &&\n tier.matches({json.dumps(pattern)})", ATTRIBUTES)

    assert (refused.value.line, refused.value.column) == (2, 15)


def test_no_text_makes_a_pattern_slow() -> None:
    """Patterns whose search time would explode in Python's engine cannot be written."""
    for pattern in ("(a*)*b", "(a|aa)+b", "((a+)b?)+c", "(?:a{1,9}){9}b"):
        with pytest.raises(RuleError, match="repeats or branches"):
            compile_rule(f"tier.matches({json.dumps(pattern)})", ATTRIBUTES)
