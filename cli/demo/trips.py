"""The held-out shopping trips, and what a trip bought from the offers it was shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from training.data import OfferDataset

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Trip:
    """One real shopping trip.

    Attributes:
        trip_id: The basket.
        member_id: The household.
        time: When it was paid, UTC.
        bought: Dollars paid for each product of the basket.
    """

    trip_id: str
    member_id: str
    time: datetime
    bought: Mapping[str, Decimal]


def trips_of_weeks(dataset: OfferDataset, first_week: int, last_week: int) -> list[Trip]:
    """Return the trips of some weeks in the order of time."""
    lines = dataset.purchases.filter(pl.col("week").is_between(first_week, last_week))
    baskets = (
        lines.group_by("trip_id", "product_id")
        .agg(pl.col("member_id").first(), pl.col("purchase_time").first(), pl.col("value").sum())
        .group_by("trip_id")
        .agg(pl.col("member_id", "purchase_time").first(), pl.col("product_id", "value"))
        .sort("purchase_time", "trip_id")
    )
    return [
        Trip(
            row["trip_id"],
            row["member_id"],
            row["purchase_time"],
            {
                product: Decimal(repr(value)).quantize(CENT)
                for product, value in zip(row["product_id"], row["value"], strict=True)
            },
        )
        for row in baskets.iter_rows(named=True)
    ]


def covered_products(dataset: OfferDataset) -> dict[str, frozenset[str]]:
    """Return the products that each offer covers."""
    grouped = dataset.covers.group_by("offer_id").agg("product_id")
    return {offer_id: frozenset(products) for offer_id, products in grouped.iter_rows()}


def hits(trip: Trip, shown: Sequence[str], covers: Mapping[str, frozenset[str]]) -> list[tuple[str, Decimal]]:
    """Return the shown offers from whose products the trip bought, each with its dollars.

    A product that several shown offers cover gives its dollars to the first of them, so that no dollar counts twice; the
    later ones are hit all the same.
    """
    found: list[tuple[str, Decimal]] = []
    counted: set[str] = set()
    for offer_id in shown:
        bought = covers[offer_id] & trip.bought.keys()
        if bought:
            found.append((offer_id, sum((trip.bought[product] for product in bought - counted), Decimal(0))))
            counted |= bought
    return found
