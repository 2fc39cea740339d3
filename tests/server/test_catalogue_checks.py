"""What is wrong with a catalogue as a whole: every kind of fault, at its path, all at once."""

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from experiments.errors import DefinitionError, Problem
from server.catalogue import (
    Arbitration,
    Budget,
    Catalogue,
    Group,
    Money,
    Offer,
    Placement,
    Segment,
    catalogue_problems,
)
from server.catalogue.checks import without_value
from server.catalogue.load import parse_catalogue
from tests.server import catalogue_scene as scene

Change = Callable[[Any], Any]


def _problems(document: Any) -> list[Problem]:
    try:
        parse_catalogue(document, "test")
    except DefinitionError as error:
        return list(error.problems)
    return []


def _set(path: str, value: Any) -> Change:
    """Return what sets one place of a document, given as ``offers.1.value``."""

    def change(document: Any) -> None:
        *steps, last = path.split(".")
        for step in steps:
            document = document[int(step)] if step.isdigit() else document[step]
        document[int(last) if last.isdigit() else last] = value

    return change


def _add(listing: str, **fields: Any) -> Change:
    """Return what adds an item at the end of a list of a document."""
    return lambda document: document[listing].append(fields)


def test_nothing_is_wrong() -> None:
    """A catalogue that uses every field is sound."""
    assert _problems(scene.document()) == []


EUROS = {"amount": "1", "currency_code": "EUR"}
DEBT = {"amount": "-1", "currency_code": "USD"}
FAULTS: list[tuple[Change, str, str]] = [
    # Rules
    (
        _set("offers.1.eligible", "tier == gold"),
        "offers[1].eligible, line 1, column 9",
        'there is no attribute "gold"',
    ),
    (_set("offers.0.applicable", "age > 1.5"), "offers[0].applicable, line 1, column 5", "int and double"),
    (_set("actions.0.suitable", "true &&\n ag > 3"), "actions[0].suitable, line 2, column 2", 'mean "age"'),
    (_set("groups.0.eligible", "age +"), "groups[0].eligible, line 1, column 6", "ends too early"),
    (_set("groups.1.applicable", "age"), "groups[1].applicable, line 1, column 1", "must be true or false"),
    (
        _set("arbitrations.0.context_weights.0.rule", "hour > 3"),
        "arbitrations[0].context_weights[0].rule, line 1, column 1",
        '"hour"',
    ),
    (
        _set("arbitrations.0.context_weights.0.rule", ""),
        "arbitrations[0].context_weights[0].rule, line 1, column 1",
        "the rule is empty",
    ),
    (_set("segments.0.rule", ""), "segments[0].rule, line 1, column 1", "the rule is empty"),
    (_set("segments.0.rule", "local_hour > 3"), "segments[0].rule, line 1, column 1", '"local_hour"'),
    (_set("segments.0.rule", '"young" in segments'), "segments[0].rule, line 1, column 12", '"segments"'),
    (
        _set("offers.0.eligible", 'tier == "gold" ||\n"yung" in segments'),
        "offers[0].eligible, line 2, column 1",
        "there is no segment 'yung'; did you mean 'young'?",
    ),
    # Names
    (_set("attributes.tier", "string"), "attributes.tier", "is built in"),
    (_set("attributes.local_hour", "int"), "attributes.local_hour", "is built in"),
    (_set("attributes.type", "string"), "attributes.type", "CEL keeps this word"),
    (_add("channels", channel_id="app"), "channels[2].channel_id", "the same channel_id, 'app'"),
    (_add("groups", group_id="adults"), "groups[2].group_id", "the same group_id"),
    (_add("segments", segment_id="young", rule="true"), "segments[1].segment_id", "the same segment_id"),
    (_add("contact_policies", policy_id="weekly", most=1, days=1), "contact_policies[1].policy_id", "same"),
    (
        _add("arbitrations", arbitration_id="worth", factors=["lever"]),
        "arbitrations[1].arbitration_id",
        "same",
    ),
    (
        _set("actions.0.action_id", "tea"),
        "actions[0].action_id",
        "'tea' is there twice; offers[1] has it too",
    ),
    (_set("actions.1.kind", "survey"), "actions[1].action_id", "belong together"),
    (_set("actions.1.action_id", "nothing"), "actions[1].action_id", "belong together"),
    (_set("actions.1.cost", {"amount": "1", "currency_code": "USD"}), "actions[1].cost", "leave this out"),
    # References
    (_set("offers.1.group_id", "sprig"), "offers[1].group_id", "no group 'sprig'; did you mean 'spring'?"),
    (_set("groups.1.parent_id", "x"), "groups[1].parent_id", "no group 'x'; there are adults, spring"),
    (_set("offers.1.channels", ["app", "fax"]), "offers[1].channels[1]", "no channel 'fax'"),
    (_set("placements.0.channels", ["fax"]), "placements[0].channels[0]", "no channel 'fax'"),
    (_set("contact_policies.0.channels", ["fax"]), "contact_policies[0].channels[0]", "no channel 'fax'"),
    (_set("quiet_hours.0.channels", ["fax"]), "quiet_hours[0].channels[0]", "no channel 'fax'"),
    (_set("actions.0.placements", ["x"]), "actions[0].placements[0]", "no placement 'x'"),
    (
        _set("arbitrations.0.context_weights.0.group_ids", ["x"]),
        "arbitrations[0].context_weights[0].group_ids[0]",
        "no group 'x'",
    ),
    (_set("placements.1.arbitration", "x"), "placements[1].arbitration", "no arbitration 'x'"),
    (_set("placements.0.fallback_offer_ids", ["hello"]), "placements[0].fallback_offer_ids[0]", "no offer"),
    (
        _set("placements.0.fallback_offer_ids", ["coffee", "coffee"]),
        "placements[0].fallback_offer_ids[1]",
        "twice",
    ),
    (_set("offers.0.placements", ["next"]), "placements[0].fallback_offer_ids[0]", "may not be shown"),
    (_set("placements.1.fallback_offer_ids", ["tea"]), "placements[1].fallback_offer_ids", "needs none"),
    (_set("groups.0.parent_id", "adults"), "groups[0].parent_id", "adults → adults"),
    # Money
    (_set("offers.0.cost", EUROS), "offers[0].cost.currency_code", "is EUR, but the catalogue counts in USD"),
    (_set("offers.1.discount", EUROS), "offers[1].discount.currency_code", "is EUR"),
    (_set("offers.1.budgets.0.money", EUROS), "offers[1].budgets[0].money.currency_code", "is EUR"),
    (
        _set("arbitrations.0.default_value", EUROS),
        "arbitrations[0].default_value.currency_code",
        "is EUR",
    ),
    (_set("actions.0.value", DEBT), "actions[0].value.amount", "must be at least 0"),
    (_set("offers.1.discount", DEBT), "offers[1].discount.amount", "must be at least 0"),
    (_set("currency_code", ""), "currency_code", "arbitrations[0].default_value is money that counts"),
    # Budgets
    (
        _set("groups.1.budgets", [{"units": 1, "pacing": "even", "first_day": "2026-05-01"}]),
        "groups[1].budgets[0].last_day",
        "needs its first and last day",
    ),
    (
        _set("offers.0.budgets", [{"units": 1, "pacing": "even", "last_day": "2026-05-01"}]),
        "offers[0].budgets[0].first_day",
        "or valid_from beside the budget",
    ),
    (
        _set("offers.0.budgets", [{"units": 1, "pacing": "even", "first_day": "2026-05-01"}]),
        "offers[0].budgets[0].last_day",
        "or valid_until beside the budget",
    ),
    (
        _set("offers.1.budgets", [{"units": 1, "pacing": "even", "first_day": "2026-06-01"}]),
        "offers[1].budgets[0].pacing",
        "from 2026-06-01 to 2026-05-31",
    ),
    (
        _set("offers.1.budgets", [{"units": 1, "period": "week", "first_day": "2026-06-01"}]),
        "offers[1].budgets[0].first_day",
        "for a total with even pacing only",
    ),
]


@pytest.mark.parametrize(("change", "path", "words"), FAULTS, ids=[path for _, path, _ in FAULTS])
def test_each_fault(change: Change, path: str, words: str) -> None:
    """One fault is one problem, at its path, in plain words."""
    document = scene.document()
    change(document)

    (problem,) = _problems(document)

    assert problem.path == path
    assert words in problem.message


def test_all_at_once() -> None:
    """Faults of every kind are told together."""
    document = scene.document()
    for path, value in [
        ("offers.1.eligible", "tier == gold && nothing"),
        ("attributes.tier", "string"),
        ("offers.0.cost", EUROS),
        ("groups.0.parent_id", "spring"),
    ]:
        _set(path, value)(document)

    assert [problem.path for problem in _problems(document)] == [
        "attributes.tier",
        "groups[0].parent_id",
        "groups[1].parent_id",
        "offers[1].eligible, line 1, column 9",
        "offers[1].eligible, line 1, column 17",
        "offers[0].cost.currency_code",
    ]


def test_groups_above_a_cycle() -> None:
    """Of a cycle only its own groups are named, not those that lead to it."""
    chain = {"leaf": "a", "a": "b", "b": "c", "c": "a"}
    groups = tuple(Group(group_id=name, parent_id=parent) for name, parent in chain.items())
    catalogue = Catalogue(placements=(Placement(placement_id="p"),), groups=groups)

    told = {problem.path: problem.message for problem in catalogue_problems(catalogue)}

    assert list(told) == ["groups[1].parent_id", "groups[2].parent_id", "groups[3].parent_id"]
    assert "a → b → c → a" in told["groups[1].parent_id"]


def _worth(*placements: Placement, **fields: Any) -> Catalogue:
    return Catalogue(
        currency_code="USD",
        placements=placements,
        arbitrations=(Arbitration(arbitration_id="worth", **fields),),
        offers=(
            Offer(offer_id="a", value=Money(amount=Decimal(1), currency_code="USD")),
            Offer(offer_id="b", placements=("home",)),
            Offer(offer_id="c", placements=("home",)),
        ),
    )


def test_where_value_counts() -> None:
    """An arbitration that counts value needs one of every candidate where it may be used, or a default."""
    home, till = Placement(placement_id="home"), Placement(placement_id="till", arbitration="worth")
    named = Placement(placement_id="home", arbitration="worth")
    default = Money(amount=Decimal(0), currency_code="USD")

    assert catalogue_problems(_worth(home, till)) == []
    (problem,) = catalogue_problems(_worth(named, till))
    assert problem.path == "arbitrations[0].default_value"
    assert "'b', 'c' at placement 'home' have none" in problem.message
    assert catalogue_problems(_worth(named, till, default_value=default)) == []
    assert catalogue_problems(_worth(named, till, factors=("probability", "lever"))) == []
    # An experiment may bring it to any placement.
    unused = _worth(home, Placement(placement_id="till"))
    assert len(catalogue_problems(unused)) == 1
    assert without_value(unused, unused.arbitrations[0], home) == ["b", "c"]


def test_discounts_without_arbitration() -> None:
    """A discount that is only shown needs no currency of the catalogue."""
    offer = Offer(offer_id="a", discount=Money(amount=Decimal(1), currency_code="EUR"))

    assert catalogue_problems(Catalogue(placements=(Placement(placement_id="p"),), offers=(offer,))) == []


def test_discounts_beside_costs() -> None:
    """A discount in other money is sound where the cost of a response is told in the catalogue's."""
    document = scene.document()
    document["offers"][1] |= {"discount": EUROS, "response_cost": {"amount": "1", "currency_code": "USD"}}

    assert _problems(document) == []


def test_no_action_needs_no_value() -> None:
    """No action earns nothing, so it is weighed without a value."""
    document = scene.document()
    del document["arbitrations"][0]["default_value"]
    worth = {"amount": "1", "currency_code": "USD"}
    for candidate in (*document["offers"], document["actions"][0]):
        candidate["value"] = worth

    assert _problems(document) == []
    del document["actions"][0]["value"]
    assert [problem.path for problem in _problems(document)] == ["arbitrations[0].default_value"]


def test_large_catalogue_is_checked_quickly() -> None:
    """10,000 offers with 200 distinct rules: each rule is read once, so that the check takes a second, not a minute."""
    rules = [f'tier == "gold" && age > {number} && "young" in segments' for number in range(200)]
    catalogue = Catalogue(
        attributes={"age": "int"},
        placements=(Placement(placement_id="p"),),
        segments=(Segment(segment_id="young", rule="age < 30"),),
        offers=tuple(
            Offer(offer_id=f"o{number}", eligible=rules[number % 200], budgets=(Budget(units=5),))
            for number in range(10_000)
        ),
    )

    began = time.process_time()
    problems = catalogue_problems(catalogue)

    assert problems == []
    assert time.process_time() - began < 5
