"""What a trip bought from the offers it was shown."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from cli.demo.replay import HeldOutTrip, covered_products, hits, trips_of_weeks
from cli.demo.workspace import catalogue_of
from server.catalogue import Catalogue, dump_catalogue, load_catalogue
from tests.training.synthetic import dataset, noon
from training.data import OfferDataset

COVERS = {"a": frozenset({"milk", "bread"}), "b": frozenset({"bread", "jam"}), "c": frozenset({"tea"})}


def two_trips() -> OfferDataset:
    """Two trips in week 2, logged out of order, and one in week 1."""
    rows = [
        ("m2", "tea", "t3", noon(2, 3), 2, 1, 4.0),
        ("m1", "milk", "t2", noon(2), 2, 1, 2.5),
        ("m1", "bread", "t2", noon(2), 2, 1, 1.1),
        ("m1", "milk", "t1", noon(1), 1, 1, 2.5),
    ]
    return dataset(rows, {offer: sorted(products) for offer, products in COVERS.items()})


def trip(**bought: str) -> HeldOutTrip:
    values = {product: Decimal(value) for product, value in bought.items()}
    return HeldOutTrip("t1", "m1", datetime(2017, 12, 5, tzinfo=UTC), values)


def test_an_offer_is_hit_by_any_of_its_products() -> None:
    """One covered product in the basket is enough; the value is what was paid for all covered products."""
    assert hits(trip(milk="2.50", bread="1.25", soap="9.99"), ["a", "c"], COVERS) == [("a", Decimal("3.75"))]


def test_no_dollar_counts_twice() -> None:
    """A product that two shown offers cover is hit by both and paid to the first."""
    found = hits(trip(bread="1.25", jam="3.00"), ["a", "b"], COVERS)

    assert found == [("a", Decimal("1.25")), ("b", Decimal("3.00"))]
    assert sum(value for _, value in found) == Decimal("4.25")


def test_an_offer_whose_products_are_all_paid_elsewhere_is_still_hit() -> None:
    """The later offer is hit with nothing left to pay."""
    assert hits(trip(bread="1.25"), ["a", "b"], COVERS) == [("a", Decimal("1.25")), ("b", Decimal(0))]


def test_nothing_bought_is_no_outcome() -> None:
    """A basket without covered products gives no outcome."""
    assert hits(trip(soap="1.00"), ["a", "b", "c"], COVERS) == []


def test_trips_come_in_order_of_time_with_whole_baskets() -> None:
    """Trips hold what the purchases hold, product by product, and are sorted by time."""
    first, second = trips_of_weeks(two_trips(), 2, 2)

    assert (first.trip_id, first.member_id, first.time) == ("t2", "m1", noon(2))
    assert first.bought == {"milk": Decimal("2.50"), "bread": Decimal("1.10")}
    assert (second.trip_id, second.bought) == ("t3", {"tea": Decimal("4.00")})


def test_every_offer_has_its_products() -> None:
    """The products of each offer are those of the covers table."""
    assert covered_products(two_trips()) == COVERS


def test_the_catalogue_survives_its_file(tmp_path: Path) -> None:
    """The catalogue of a data set, written as YAML and read back, is equal and has the same revision."""
    catalogue = catalogue_of(two_trips(), until_week=1)
    path = tmp_path / "catalogue.yaml"
    path.write_text(dump_catalogue(catalogue), encoding="utf-8")
    again: Catalogue = load_catalogue(path)

    assert again == catalogue
    assert again.revision == catalogue.revision
