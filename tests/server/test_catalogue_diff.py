"""What differs between two catalogues, and a catalogue in plain words."""

from collections.abc import Callable
from typing import Any

import pytest

from server.catalogue import catalogue_changes
from server.catalogue.diff import Change, ChangeKind
from server.catalogue.explain import explain_candidate, explain_catalogue
from server.catalogue.load import parse_catalogue
from tests.server import catalogue_scene as scene


def _told(change: Callable[[Any], object]) -> list[str]:
    document = scene.document()
    change(document)
    return [str(one) for one in catalogue_changes(scene.full(), parse_catalogue(document, "test"))]


def test_no_difference() -> None:
    """Equal catalogues differ in nothing."""
    assert catalogue_changes(scene.full(), scene.full()) == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda one: one["offers"][0]["cost"].update(amount="0.90"),
            ["~ offers/coffee  cost.amount: 0.80 → 0.90"],
        ),
        (
            lambda one: one["offers"][0].pop("cost"),
            ["~ offers/coffee  cost.amount: 0.80 → none", "~ offers/coffee  cost.currency_code: USD → none"],
        ),
        (lambda one: one["offers"][1].pop("valid_until"), ["~ offers/tea  valid_until: 2026-05-31 → 9999-12-31"]),
        (
            lambda one: one["offers"][1]["caps"].append({"most": 5}),
            ["~ offers/tea  caps[1].most: none → 5", "~ offers/tea  caps[1].count: none → decision"],
        ),
        (lambda one: one["offers"][1].update(channels=["app", "email"]), ["~ offers/tea  channels: app → app, email"]),
        (lambda one: one["offers"][0]["attributes"].update(hot=False), ["~ offers/coffee  attributes.hot: true → false"]),
        (lambda one: one["offers"].reverse(), ["~ offers  order: coffee, tea → tea, coffee"]),
        (
            lambda one: one["actions"].pop(0),
            ["- actions/hello  applicable: purchase_count == 0; channels: email; kind: welcome"],
        ),
        (
            lambda one: one["segments"].append({"segment_id": "old", "rule": "age > 60"}),
            ["+ segments/old  rule: age > 60"],
        ),
        (lambda one: one.update(time_zone="UTC"), ["~ catalogue  time_zone: America/New_York → UTC"]),
        (lambda one: one["attributes"].update(age="double"), ["~ catalogue  attributes.age: int → double"]),
        (lambda one: one["quiet_hours"][0].update(end="07:00"), ["~ catalogue  quiet_hours[0].end: 08:00 → 07:00"]),
        (
            lambda one: one["standing_arms"]["traffic_ppm"].pop("holdout"),
            ["~ catalogue  standing_arms.traffic_ppm.holdout: 10000 → none"],
        ),
    ],
)  # fmt: skip
def test_each_difference(change: Callable[[Any], object], told: list[str]) -> None:
    """Each kind of difference is told by item, field, before and after."""
    if "double" in str(told):
        inner = change

        def change(one: Any) -> None:
            inner(one)
            one["groups"][0]["eligible"] = "age >= 18.0"
            one["segments"][0]["rule"] = "age < 30.0"

        told = [
            *told,
            "~ groups/adults  eligible: age >= 18 → age >= 18.0",
            "~ segments/young  rule: age < 30 → age < 30.0",
        ]

    assert _told(change) == told


def test_the_first_catalogue() -> None:
    """Where there was none, every item is new."""
    changes = catalogue_changes(None, scene.full())

    assert (
        Change(ChangeKind.ADDED, "segments/young", "", "", "description: The young; rule: age < 30")
        in changes
    )
    added = {one.what for one in changes if one.kind is ChangeKind.ADDED}
    assert added == {
        "channels/app",
        "channels/email",
        "placements/home",
        "placements/next",
        "groups/adults",
        "groups/spring",
        "segments/young",
        "contact_policies/weekly",
        "arbitrations/worth",
        "offers/coffee",
        "offers/tea",
        "actions/hello",
        "actions/no_action",
    }
    assert all(one.before == "" for one in changes)


def test_moving_among_many() -> None:
    """Of a changed order only the part between the ends that stayed is told."""
    document = scene.document()
    document["offers"] += [{"offer_id": f"o{number}"} for number in range(5)]
    before = parse_catalogue(document, "test")
    document["offers"].insert(3, document["offers"].pop(5))

    assert [str(one) for one in catalogue_changes(before, parse_catalogue(document, "test"))] == [
        "~ offers  order: o1, o2, o3 → o3, o1, o2"
    ]


def test_an_offer_in_plain_words() -> None:
    """Own and inherited rules, limits and money, each with the group it comes from."""
    assert explain_candidate(scene.full(), "tea").splitlines() == [
        "offer tea: Tee für zwei (coupon)",
        "  valid from 2026-05-01 until 2026-05-31",
        "  travels by app",
        "  shown at home",
        "  eligible (may have it): if age is at least 18 [group adults]",
        "  applicable (makes sense): if days_since_purchase is above 3 [group spring]",
        "  suitable (good for the member): if young is among segments or tier is gold",
        "  needs consent to marketing [group adults]",
        "  at most 1 redemption ever for each member",
        "  at most 250.00 USD a week, reserved for 3 days",
        "  at most 2 decisions in 7 days for each member, all of group spring together",
        "  at most 1,000 units in total, let out evenly, reserved for 7 days, all of group spring together",
        "  a response earns 3.25 USD",
        "  takes off 1.00 USD",
        "  a response has a probability of 0 until there is evidence, for 100 decisions",
        "  lever 2 [group adults]",
    ]


def test_levers_are_multiplied() -> None:
    """A lever of the offer and one of its group are told with their product."""
    document = scene.document()
    document["offers"][1]["lever"] = 1.5

    told = explain_candidate(parse_catalogue(document, "test"), "tea")

    assert "lever 1.5 × 2 [group adults] = 3" in told


def test_everything_in_plain_words() -> None:
    """Segments, offers and actions have a paragraph each, in the catalogue's order."""
    paragraphs = explain_catalogue(scene.full()).split("\n\n")

    assert paragraphs[0] == "segment young: The young\n  members of whom age is below 30"
    assert [paragraph.split()[1].rstrip(":") for paragraph in paragraphs] == [
        "young",
        "coffee",
        "tea",
        "hello",
        "no_action",
    ]
    assert "500 in stock" in paragraphs[1]
