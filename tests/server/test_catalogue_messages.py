"""Catalogues as messages: the same model, nothing lost either way, and what no catalogue could mean is a problem."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money as MoneyMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import Problem
from server.api.catalogue_parts import RENAMED, in_message_words, part_fields, part_message
from server.api.checks import Checker
from server.api.definition import enum_number, enum_word
from server.catalogue import Catalogue, candidates, limits, model, policy
from server.catalogue.base import CataloguePart
from server.errors import InvalidRequestError
from tests.server import catalogue_scene as scene
from troth.v1 import catalog_pb2, catalog_policy_pb2

MODULES: list[Any] = [catalog_pb2, catalog_policy_pb2]
MESSAGES: dict[str, Any] = {
    name: getattr(module, name) for module in MODULES for name in module.DESCRIPTOR.message_types_by_name
}
ENUMS: list[Any] = [enum for module in MODULES for enum in module.DESCRIPTOR.enum_types_by_name.values()]
PARTS: list[type[CataloguePart]] = [
    value
    for module in (candidates, limits, model, policy)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, CataloguePart) and value.__module__ == module.__name__
]
ABSTRACT = {candidates.Limited, candidates.Candidate}

NAMES = st.text("abcxyz", min_size=1, max_size=6)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=12)
POSITIVE = st.floats(0.001, 1000)
SHARES = st.floats(0, 1)
DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1))
EARLY, LATE = st.dates(dt.date(2000, 1, 1), dt.date(2010, 1, 1)), st.dates(dt.date(2011, 1, 1))
RULES = WORDS.filter(bool)
NAME_LISTS = st.lists(NAMES, max_size=3)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings that have all required fields and some of the optional ones."""
    return st.fixed_dictionaries(required, optional=optional)


AMOUNTS = st.decimals(0, 10**8, places=9, allow_nan=False, allow_infinity=False)
MONEY = some({"amount": AMOUNTS, "currency_code": st.sampled_from(["USD", "EUR"])}, {})
COUNTS = st.integers(1, 100)
EVENTS = st.sampled_from(["decision", "impression", "redemption"])
CAPS = st.lists(some({"most": COUNTS}, {"days": POSITIVE, "count": EVENTS}), max_size=2)
BUDGETS = st.lists(
    some(
        {"units": st.integers(1, 10**12)},
        {
            "money": MONEY.filter(lambda money: money["amount"] > 0),
            "period": st.sampled_from(["total", "day", "week", "month"]),
            "pacing": st.sampled_from(["none", "even"]),
            "first_day": EARLY,
            "last_day": LATE,
            "hold_days": POSITIVE,
        },
    ),
    max_size=2,
)
LIMITED = {
    "eligible": WORDS,
    "applicable": WORDS,
    "suitable": WORDS,
    "purposes": NAME_LISTS,
    "caps": CAPS,
    "budgets": BUDGETS,
    "lever": POSITIVE,
}
CANDIDATE = LIMITED | {
    "title": WORDS,
    "description": WORDS,
    "group_id": NAMES,
    "category": WORDS,
    "valid_from": EARLY,
    "valid_until": LATE,
    "channels": NAME_LISTS,
    "placements": NAME_LISTS,
    "value": MONEY,
    "cost": MONEY,
    "response_cost": MONEY,
    "points_liability": MONEY,
    "inventory": st.integers(0, 10**12),
    "prior_probability": SHARES,
    "prior_evidence": POSITIVE,
    "creative": WORDS,
    "attributes": st.dictionaries(
        WORDS,
        st.one_of(WORDS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(-1e9, 1e9)),
        max_size=3,
    ),
}
PLACEMENTS = some(
    {"placement_id": NAMES},
    {
        "description": WORDS,
        "decides": st.sampled_from(["offers", "actions"]),
        "channels": NAME_LISTS,
        "default_offer_count": st.integers(1, 10),
        "max_offer_count": st.integers(10, 100),
        "ranking": st.sampled_from(["champion", "popular"]),
        "task": st.sampled_from(["replenish", "win_back", "discover", "redeem"]),
        "arbitration": NAMES,
        "exploration": some(
            {},
            {
                "method": st.sampled_from(["none", "epsilon", "softmax", "thompson"]),
                "share": SHARES,
                "shortlist": st.integers(5, 200),
                "temperature": POSITIVE,
                "cold_places": st.integers(0, 5),
                "mature_after": st.integers(1, 10**9),
                "cold_share": st.floats(0.01, 1),
            },
        ),
        "most_per_category": COUNTS,
        "fallback_offer_ids": NAME_LISTS,
        "attribution_window_days": st.floats(0.1, 366),
    },
)
WEIGHTS = st.lists(some({"rule": RULES, "weight": POSITIVE}, {"group_ids": NAME_LISTS}), max_size=2)
FACTORS = ["probability", "value", "context", "lever", "cost"]
ARBITRATIONS = some(
    {"arbitration_id": NAMES},
    {
        "factors": st.lists(st.sampled_from(FACTORS), min_size=1, max_size=5),
        "context_weights": WEIGHTS,
        "default_probability": SHARES,
        "default_value": MONEY,
        "least_score": st.floats(-1e9, 1e9),
    },
)
OFFER_KINDS = ["coupon", "discount", "points_multiplier", "perk", "product"]
CATALOGUES = some(
    {"placements": st.lists(PLACEMENTS, min_size=1, max_size=2)},
    {
        "programme": NAMES,
        "time_zone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "note": WORDS,
        "currency_code": st.sampled_from(["USD", ""]),
        "attributes": st.dictionaries(
            NAMES, st.sampled_from(["string", "int", "double", "bool", "timestamp", "list<string>"]), max_size=4
        ),
        "channels": st.lists(
            some({"channel_id": NAMES}, {"description": WORDS, "outbound": st.booleans(), "purposes": NAME_LISTS}),
            max_size=2,
        ),
        "groups": st.lists(
            some({"group_id": NAMES}, LIMITED | {"parent_id": NAMES, "description": WORDS}), max_size=2
        ),
        "segments": st.lists(some({"segment_id": NAMES, "rule": RULES}, {"description": WORDS}), max_size=2),
        "contact_policies": st.lists(
            some({"policy_id": NAMES, "most": COUNTS, "days": POSITIVE}, {"channels": NAME_LISTS}), max_size=2
        ),
        "quiet_hours": st.lists(
            some({"start": st.just("21:00"), "end": st.just("08:30")}, {"channels": NAME_LISTS}), max_size=2
        ),
        "cool_downs": st.lists(
            some(
                {"days": POSITIVE},
                {
                    "outcome_types": st.lists(EVENTS, min_size=1, max_size=2),
                    "scope": st.sampled_from(["candidate", "group", "channel", "everything"]),
                },
            ),
            max_size=2,
        ),
        "arbitrations": st.lists(ARBITRATIONS, max_size=2),
        "standing_arms": some(
            {},
            {
                "period": st.sampled_from(["month", "quarter", "year"]),
                "traffic_ppm": st.dictionaries(
                    st.sampled_from(["random_eligible", "no_model", "no_levers", "no_personalisation", "holdout"]),
                    st.integers(1, 100_000),
                ),
            },
        ),
        "offers": st.lists(
            some({"offer_id": NAMES}, CANDIDATE | {"kind": st.sampled_from(OFFER_KINDS), "discount": MONEY}),
            max_size=2,
        ),
        "actions": st.lists(
            some({"action_id": NAMES, "kind": st.sampled_from(["welcome", "no_action", "survey"])}, CANDIDATE),
            max_size=2,
        ),
    },
)  # fmt: skip


def there_and_back(catalogue: Catalogue) -> Catalogue:
    """Return what is left of a catalogue after it was a message on the wire."""
    sent = part_message(catalog_pb2.Catalogue(), catalogue).SerializeToString()
    check = Checker()
    fields = part_fields(check, "catalogue", catalog_pb2.Catalogue.FromString(sent))
    assert not check.problems
    return Catalogue.model_validate(fields)


@settings(max_examples=60)
@given(CATALOGUES)
def test_nothing_is_lost(document: dict[str, Any]) -> None:
    """A catalogue, sent as a message and read again, is the same in every field, and has the same revision."""
    catalogue = Catalogue.model_validate(document)
    returned = there_and_back(catalogue)

    assert returned == catalogue
    assert returned.revision == catalogue.revision


def test_the_scene_is_not_lost() -> None:
    """A catalogue that uses every field comes back with its revision."""
    assert there_and_back(scene.full()).revision == scene.full().revision


def test_model_and_messages_have_the_same_fields() -> None:
    """Each part of the model has its message with the same fields, but for those renamed on purpose."""
    named = {
        "CandidateGroup" if part is candidates.Group else part.__name__: part
        for part in PARTS
        if part not in ABSTRACT
    }

    assert named.keys() == MESSAGES.keys()
    for name, part in named.items():
        wanted = {RENAMED.get(field, field) for field in part.model_fields}
        assert set(MESSAGES[name].DESCRIPTOR.fields_by_name) == wanted, name


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.name)
def test_words_of_enums(enum: Any) -> None:
    """Each value of an enum has a word of its own, which leads back to it."""
    words = [enum_word(enum, number) for number in enum.values_by_number]

    assert len(set(words)) == len(words)
    assert [enum_number(enum, word or "") for word in words] == list(enum.values_by_number)


@pytest.mark.parametrize(
    ("units", "nanos", "amount"),
    [(1, 550_000_000, "1.55"), (0, 1, "0.000000001"), (-1, -500_000_000, "-1.5"), (0, 0, "0")],
)
def test_money_is_exact(units: int, nanos: int, amount: str) -> None:
    """Amounts are the same to the last of nine digits, on either side of zero."""
    sent = catalog_pb2.Offer(offer_id="a", cost=MoneyMessage(units=units, nanos=nanos, currency_code="USD"))
    fields = part_fields(Checker(), "offer", sent)

    assert fields["cost"]["amount"] == Decimal(amount)
    assert part_message(catalog_pb2.Offer(), candidates.Offer.model_validate(fields)).cost == sent.cost


def test_what_no_catalogue_could_mean() -> None:
    """Unknown values of enums, days that are none, broken money and facts without a value are named with their paths."""
    message = catalog_pb2.Catalogue(
        offers=[
            catalog_pb2.Offer(
                kind=99,  # type: ignore[arg-type]  # what a newer client may send
                start_date=Date(year=2026, month=2, day=30),
                cost=MoneyMessage(units=1, nanos=-1, currency_code="usd"),
            )
        ],
    )
    message.offers[0].attributes["size"].Clear()
    message.attributes["age"] = 0  # type: ignore[assignment]
    check = Checker()

    part_fields(check, "catalogue", message)

    assert sorted(problem.path for problem in check.problems) == [
        "catalogue.attributes.age",
        "catalogue.offers[0].attributes.size",
        "catalogue.offers[0].cost.currency_code",
        "catalogue.offers[0].cost.nanos",
        "catalogue.offers[0].kind",
        "catalogue.offers[0].start_date",
    ]


def test_problems_in_the_words_of_messages() -> None:
    """A problem of the model is told with the names that its fields have in messages."""
    with pytest.raises(InvalidRequestError) as caught, in_message_words():
        raise InvalidRequestError(
            [
                Problem("offers[0].caps[1].count", "is wrong"),
                Problem("offers[0].budgets[0].first_day", "valid_from is after valid_until"),
                Problem("offers[0].cost.amount", "must be at least 0"),
                Problem("offers[0].eligible, line 1, column 8", "count"),
                Problem("catalogue.attributes.count", "is wrong"),
            ]
        )

    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("offers[0].caps[1].counted_event", "is wrong"),
        ("offers[0].budgets[0].first_date", "start_date is after end_date"),
        ("offers[0].cost", "must be at least 0"),
        ("offers[0].eligible, line 1, column 8", "count"),
        ("catalogue.attributes.count", "is wrong"),
    ]
