"""A rule reads as a sentence."""

import pytest

from experiments.rules import compile_rule, describe
from tests.experiments.rules.library import ATTRIBUTES

SENTENCES = [
    ('tier == "gold" && age >= 18', "tier is gold and age is at least 18"),
    ("18 <= age", "age is at least 18"),
    ('tier != "gold" || age < -5', "tier is not gold or age is below −5"),
    ('!(tier == "gold")', "tier is not gold"),
    ("!(score > 2.0)", "score is not above 2"),
    ('age > 1 && (tier == "a" || tier == "b")', "age is above 1 and (tier is a or tier is b)"),
    ('!(tier == "a" || age == 1)', "not (tier is a or age is 1)"),
    ("subscribed && !subscribed", "subscribed is true and subscribed is false"),
    ("subscribed == false", "subscribed is false"),
    ("(age > 1) == subscribed", "(age is above 1) is the same as subscribed"),
    ('country in ["DE", "AT", "new zealand"]', "country is one of DE, AT or “new zealand”"),
    ('!(country in ["DE"])', "country is not DE"),
    ("country in []", "country is one of none"),
    ('"vip" in tags', "vip is among tags"),
    ('!("vip" in tags)', "vip is not among tags"),
    ('tier.startsWith("g") && !tier.contains("x y")', "tier starts with g and tier does not contain “x y”"),
    ('!tier.matches("^g+$")', "tier does not match the pattern ^g+$"),
    (
        "size(tags) > 2 && size(tier) <= 3",
        "the number of tags is above 2 and the length of tier is at most 3",
    ),
    ("has(attributes.tier) || !has(attributes.age)", "tier is known or age is not known"),
    ("double(age) / score > 1.5", "(age divided by score) is above 1.5"),
    ("(age + orders) * 2 == -orders", "((age plus orders) times 2) is −orders"),
    ("(subscribed ? age : 1) > 2", "(age if subscribed is true, otherwise 1) is above 2"),
    ('joined >= timestamp("2024-01-31T00:00:00Z")', "joined is 2024-01-31 00:00 UTC or after"),
    ('joined < timestamp("2024-01-31T02:00:05.5+02:00")', "joined is before 2024-01-31 00:00:05.500000 UTC"),
    ('tier == "" || tier == "true" || tier == "18"', "tier is “” or tier is “true” or tier is “18”"),
    ("true", "true"),
]


@pytest.mark.parametrize(("text", "sentence"), SENTENCES)
def test_a_rule_reads_as_a_sentence(text: str, sentence: str) -> None:
    """Reports show what a rule says, without its syntax."""
    assert sentence == describe(compile_rule(text, ATTRIBUTES))
