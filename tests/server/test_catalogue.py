"""The catalogue: read as written, checked as a whole, named by its content."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from experiments.errors import DefinitionError
from server.catalogue import Catalogue, Money, Offer, Placement, dump_catalogue, load_catalogue
from tests.server import scene
from training.bundle import Task


def _catalogue(*offers: Offer, **fields: Any) -> Catalogue:
    plain: dict[str, Any] = {"placements": (Placement(placement_id="checkout"),), "offers": offers}
    return Catalogue(**plain | fields)


def test_dump_and_load(tmp_path: Path) -> None:
    """A catalogue that is written and read is equal and has the same revision."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(dump_catalogue(scene.CATALOGUE), encoding="utf-8")

    read = load_catalogue(path)

    assert read == scene.CATALOGUE
    assert read.revision == scene.CATALOGUE.revision


def test_plain_yaml(tmp_path: Path) -> None:
    """A catalogue as a person writes it: days as days, amounts as text, everything else by default."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        "placements: [{placement_id: till}]\n"
        "offers:\n"
        "  - {offer_id: a, valid_from: 2017-12-04, discount: {amount: '0.1', currency_code: EUR}}\n",
        encoding="utf-8",
    )

    (offer,) = load_catalogue(path).offers

    assert offer.valid_from == date(2017, 12, 4)
    assert offer.valid_until == date.max
    assert offer.discount == Money(amount=Decimal("0.1"), currency_code="EUR")


@pytest.mark.parametrize(
    "other",
    [
        _catalogue(Offer(offer_id="b"), Offer(offer_id="a")),
        _catalogue(Offer(offer_id="a"), Offer(offer_id="b", title="B")),
        _catalogue(Offer(offer_id="a"), Offer(offer_id="b", valid_until=date(2030, 1, 1))),
        _catalogue(Offer(offer_id="a"), Offer(offer_id="b"), time_zone="America/New_York"),
        _catalogue(Offer(offer_id="a"), Offer(offer_id="b"), programme="other"),
        _catalogue(Offer(offer_id="a")),
        _catalogue(
            Offer(offer_id="a"),
            Offer(offer_id="b"),
            placements=(Placement(placement_id="checkout", task=Task.DISCOVER),),
        ),
    ],
    ids=["order", "title", "window", "zone", "programme", "offers", "task"],
)
def test_revision_changes_with_the_content(other: Catalogue) -> None:
    """Whatever can change an answer changes the revision; equal content has an equal one."""
    one = _catalogue(Offer(offer_id="a"), Offer(offer_id="b"))

    assert one.revision == _catalogue(Offer(offer_id="a"), Offer(offer_id="b")).revision
    assert one.revision != other.revision
    assert one.revision.startswith("catalogue-")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"placements": ()}, "at least 1"),
        ({"time_zone": "Eastern"}, "'Eastern' is not an IANA time zone"),
    ],
)
def test_what_cannot_be_a_catalogue(fields: dict[str, Any], word: str) -> None:
    """A catalogue with an impossible field is refused when it is made."""
    with pytest.raises(ValidationError, match=word):
        _catalogue(**{"offers": (), **fields})


@pytest.mark.parametrize(
    ("fields", "path", "word"),
    [
        ({"offers": (Offer(offer_id="a"), Offer(offer_id="a"))}, "offers[1].offer_id", "'a' is there twice"),
        ({"offers": (Offer(offer_id="a", placements=("nowhere",)),)}, "offers[0].placements[0]", "nowhere"),
        (
            {"placements": (Placement(placement_id="p"), Placement(placement_id="p"))},
            "placements[1].placement_id",
            "same placement_id",
        ),
    ],
)
def test_contradictions_of_a_file(tmp_path: Path, fields: dict[str, Any], path: str, word: str) -> None:
    """Parts that do not fit together are refused when the file is read, with their paths."""
    file = tmp_path / "catalogue.yaml"
    file.write_text(dump_catalogue(_catalogue(**{"offers": (), **fields})), encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        load_catalogue(file)

    (problem,) = caught.value.problems
    assert problem.path == path
    assert word in problem.message


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"valid_from": date(2018, 1, 2), "valid_until": date(2018, 1, 1)}, "after valid_until"),
        ({"offer_id": ""}, "pattern"),
        ({"offer_id": "x" * 129}, "pattern"),
        ({"offer_id": "a b"}, "pattern"),
        ({"offer_id": "a\n"}, "pattern"),
        ({"kind": "gift"}, "kind"),
        ({"title": "x" * 501}, "500 characters"),
        ({"creative": "x" * 2_001}, "2000 characters"),
        ({"placement": ("checkout",)}, "placement"),
        ({"discount": {"amount": "1.0000000001", "currency_code": "USD"}}, "decimal"),
        ({"discount": {"amount": "1", "currency_code": "dollars"}}, "pattern"),
        ({"discount": {"amount": "NaN", "currency_code": "USD"}}, "finite"),
    ],
)
def test_what_cannot_be_an_offer(fields: dict[str, Any], word: str) -> None:
    """An offer with an impossible field is refused when it is made."""
    with pytest.raises(ValidationError, match=word):
        Offer(**{"offer_id": "a", **fields})


def test_one_day_window() -> None:
    """An offer may be valid on one day only; both ends are included."""
    catalogue = _catalogue(Offer(offer_id="a", valid_from=date(2018, 1, 1), valid_until=date(2018, 1, 1)))

    assert catalogue.eligible("checkout", date(2018, 1, 1)).tolist() == [0]
    assert catalogue.eligible("checkout", date(2017, 12, 31)).tolist() == []
    assert catalogue.eligible("checkout", date(2018, 1, 2)).tolist() == []


def test_ends_of_the_calendar() -> None:
    """An offer without a window is valid on the first and the last day there is."""
    catalogue = _catalogue(Offer(offer_id="a"))

    assert catalogue.eligible("checkout", date.min).tolist() == [0]
    assert catalogue.eligible("checkout", date.max).tolist() == [0]


def test_tasks_of_placements(tmp_path: Path) -> None:
    """A placement is for replenishing unless it says otherwise; a task that does not exist is named with those that do."""
    path = tmp_path / "catalogue.yaml"
    tasks = ["replenish", "win_back", "discover", "redeem"]
    listed = ", ".join(f"{{placement_id: p-{task}, task: {task}}}" for task in tasks)
    path.write_text(f"placements: [{{placement_id: p}}, {listed}]\noffers: []\n", encoding="utf-8")

    read = load_catalogue(path)

    assert [placement.task.value for placement in read.placements] == ["replenish", *tasks]
    path.write_text(dump_catalogue(read), encoding="utf-8")
    assert load_catalogue(path) == read

    path.write_text("placements: [{placement_id: p, task: refill}]\noffers: []\n", encoding="utf-8")
    with pytest.raises(DefinitionError) as caught:
        load_catalogue(path)
    (problem,) = caught.value.problems
    assert problem.path == "placements[0].task"
    assert all(task in problem.message for task in tasks)


def test_placement_counts() -> None:
    """A placement's default may not exceed its maximum, nor its maximum what any answer may hold."""
    with pytest.raises(ValidationError, match="above max_offer_count"):
        Placement(placement_id="p", default_offer_count=4, max_offer_count=3)
    with pytest.raises(ValidationError):
        Placement(placement_id="p", max_offer_count=101)
    with pytest.raises(ValidationError):
        Placement(placement_id="p", default_offer_count=0)


def test_all_problems_of_a_file(tmp_path: Path) -> None:
    """Problems in several places of a file are named together, with their paths."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        "placements: [{placement_id: till, max_offer_count: 1000}]\n"
        "offers: [{offer_id: a b}, {offer_id: c, titel: C}, {title: D}]\n",
        encoding="utf-8",
    )

    with pytest.raises(DefinitionError) as caught:
        load_catalogue(path)

    assert [problem.path for problem in caught.value.problems] == [
        "placements[0].max_offer_count",
        "offers[0].offer_id",
        "offers[1].titel",
        "offers[2].offer_id",
    ]


def test_one_spelling_of_amounts() -> None:
    """Amounts that are equal are written alike, so that catalogues with either have one revision."""
    spelt = [Money(amount=Decimal(text), currency_code="USD") for text in ("1.5", "1.50", "1.500000000")]
    whole = [Money(amount=Decimal(text), currency_code="USD") for text in ("100", "100.00", "1E+2")]

    assert {str(money.amount) for money in spelt} == {"1.50"}
    assert {str(money.amount) for money in whole} == {"100.00"}
    assert str(Money(amount=Decimal("0.125"), currency_code="USD").amount) == "0.125"
    assert str(Money(amount=Decimal("-0"), currency_code="USD").amount) == "0.00"
    assert len({_catalogue(Offer(offer_id="a", cost=money)).revision for money in spelt}) == 1


def test_names_of_attributes_in_a_file(tmp_path: Path) -> None:
    """A declared attribute with an impossible name or type is named with its path."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(
        "placements: [{placement_id: p}]\nattributes: {Tier: string, age: number}\n", encoding="utf-8"
    )

    with pytest.raises(DefinitionError) as caught:
        load_catalogue(path)

    told = {problem.path: problem.message for problem in caught.value.problems}
    assert told.keys() == {"attributes.Tier", "attributes.age"}
    assert "lower-case letters" in told["attributes.Tier"]
    assert "'double'" in told["attributes.age"]


_TILL = "placements: [{placement_id: till}]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            _TILL + "offers: [{offer_id: a, valid_from: 2026-02-31}]\n",
            "line 2, column 36: day is out of range",
        ),
        (_TILL + f"note: {'9' * 5000}\n", "line 2, column 7: Exceeds the limit"),
        (_TILL + f"note: {'[' * 3000}{']' * 3000}\n", "is nested too deeply"),
        (_TILL + "offers: [{offer_id: a, valid_from: 20260203}]\n", "offers[0].valid_from: must be a day"),
        (
            _TILL + "offers: [{offer_id: a, cost: {amount: 1e400, currency_code: EUR}}]\n",
            "offers[0].cost.amount: must have at most 18 digits, not '1e400'",
        ),
        (
            _TILL + "offers: [{offer_id: a, cost: {amount: '1.0000000001', currency_code: EUR}}]\n",
            "offers[0].cost.amount: must have at most 9 digits after the point",
        ),
        (
            _TILL + f"segments: [{{segment_id: s, rule: {'x' * 15_001}}}]\n",
            "segments[0].rule: must have at most 15,000 characters",
        ),
    ],
    ids=["no such day", "long number", "deep", "day as number", "huge", "fine", "long rule"],
)
def test_values_that_cannot_be_read(tmp_path: Path, text: str, words: str) -> None:
    """A value that YAML or a field cannot take is named with its place and with what would do."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        load_catalogue(path)

    assert words in caught.value.message


def test_times_of_day_need_no_quotes(tmp_path: Path) -> None:
    """A time of day is one with quotes and without, though YAML 1.1 takes 22:00 for the number 1320."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(_TILL + 'quiet_hours: [{start: 22:00, end: "07:00"}]\n', encoding="utf-8")

    (quiet,) = load_catalogue(path).quiet_hours

    assert (quiet.start, quiet.end) == ("22:00", "07:00")
