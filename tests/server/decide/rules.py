"""Rules in CEL, each with what it says in plain Python."""

from collections.abc import Callable, Mapping
from typing import Any

Facts = Mapping[str, Any]


def _and(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _or(one: bool | None, other: bool | None) -> bool | None:
    if one is True or other is True:
        return True
    return None if one is None or other is None else False


def _is(name: str, test: Callable[[Any], bool]) -> Callable[[Facts], bool | None]:
    return lambda facts: test(facts[name]) if name in facts else None


RULES: dict[str, Callable[[Facts], bool | None]] = {
    "age >= 18": _is("age", lambda age: age >= 18),
    'city == "Rome"': _is("city", lambda city: city == "Rome"),
    "!vip || age > 30": lambda facts: _or(
        _is("vip", lambda vip: not vip)(facts), _is("age", lambda age: age > 30)(facts)
    ),
    'vip && city != "Oslo"': lambda facts: _and(
        _is("vip", bool)(facts), _is("city", lambda city: city != "Oslo")(facts)
    ),
    "purchase_count == 0": lambda facts: facts["purchase_count"] == 0,
    "redemption_count < 2": lambda facts: facts["redemption_count"] < 2,
    'tier == "gold"': _is("tier", lambda tier: tier == "gold"),
    "points_balance >= 100": _is("points_balance", lambda points: points >= 100),
    '"adults" in segments': lambda facts: "adults" in facts["segments"],
    '!("romans" in segments)': lambda facts: "romans" not in facts["segments"],
    "days_since_purchase > 3": _is("days_since_purchase", lambda days: days > 3),
    "days_to_points_expiry < 10": _is("days_to_points_expiry", lambda days: days < 10),
    "local_hour >= 8 && local_hour < 20": lambda facts: 8 <= facts["local_hour"] < 20,
    "local_weekday <= 5": lambda facts: facts["local_weekday"] <= 5,
    'channel == "email"': _is("channel", lambda channel: channel == "email"),
    'placement == "home"': lambda facts: facts["placement"] == "home",
    '"milk" in basket': lambda facts: "milk" in facts["basket"],
    "has(attributes.age)": lambda facts: "age" in facts,
}
"""Rules in CEL, each with what it says in plain Python: yes, no, or none where it cannot tell."""

SEGMENTS = {"adults": "age >= 18", "romans": 'city == "Rome"'}
