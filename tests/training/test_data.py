"""The shape of data sets, and the facts about the Complete Journey that everything else rests on."""

import dataclasses
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tests.training.synthetic import checkerboard, dataset, noon
from training.data import OfferDataset, complete_journey
from training.data.complete_journey import readable_category
from training.data.dataset import SCHEMAS
from training.errors import DatasetError


@pytest.fixture(scope="module")
def journey() -> OfferDataset:
    return complete_journey.load()


def fields_of(data: OfferDataset) -> dict[str, object]:
    return {field.name: getattr(data, field.name) for field in dataclasses.fields(data) if field.init}


def test_sizes(journey: OfferDataset) -> None:
    """The data set is the one that is documented: all purchases, households, offers; 15 offers left out by the rule."""
    assert len(journey.purchases) == 1_469_307
    assert journey.purchases["member_id"].n_unique() == 2_469
    assert (len(journey.offers), len(journey.excluded_offers)) == (1_182, 15)
    assert journey.offers["product_count"].max() <= 1_000 < journey.excluded_offers["product_count"].min()  # type: ignore[operator]  # both are numbers
    assert "1,000 products" in journey.catalogue_rule


def test_trips_and_weeks(journey: OfferDataset) -> None:
    """A trip is one household at one time; weeks turn over at midnight in the shop, in winter and in summer."""
    trips = journey.purchases.group_by("trip_id").agg(
        pl.col("member_id").n_unique().alias("members"),
        pl.col("purchase_time").n_unique().alias("times"),
        pl.col("week").first(),
    )
    assert trips.select("members", "times").max().row(0) == (1, 1)
    assert len(trips.filter(pl.col("week") >= 50)) == 11_756
    days = journey.purchases.group_by("week").agg(
        journey.local_day().min().alias("first"), journey.local_day().max().alias("last")
    )
    assert days.filter(pl.col("week") > 1)["first"].dt.weekday().unique().sort().to_list() == [
        1,
        2,
    ]  # closed 25 Dec.
    assert days.filter(pl.col("last").dt.weekday() != 7).is_empty()
    assert journey.end_of_week(49) == datetime(2017, 12, 4, 5, tzinfo=UTC)
    assert journey.end_of_week(27) == datetime(2017, 7, 3, 4, tzinfo=UTC)
    assert journey.week_days(46, 49) == (date(2017, 11, 6), date(2017, 12, 3))


def test_offers_and_covers(journey: OfferDataset) -> None:
    """Every offer has a window and products; duplicate coupon rows are gone; counts equal the covers."""
    counts = journey.covers.group_by("offer_id").agg(found=pl.len())
    joined = journey.offers.join(counts, on="offer_id", how="left")
    assert (joined["product_count"] == joined["found"]).all()
    assert journey.covers.is_unique().all()
    assert (journey.offers["valid_from"] <= journey.offers["valid_until"]).all()
    first = journey.offers.filter(pl.col("offer_id") == "c18-53120026033").row(0, named=True)
    assert (first["campaign_id"], first["coupon_id"]) == ("18", "53120026033")
    assert (first["valid_from"], first["valid_until"]) == (date(2017, 10, 30), date(2017, 12, 24))


def test_titles_are_readable(journey: OfferDataset) -> None:
    """Titles are in plain words, not the till's, and nearly all differ."""
    titles = journey.offers["title"]
    assert titles.n_unique() > 0.9 * len(titles)
    assert not titles.str.contains("FRZN|REFRGRATD|null").any()
    assert titles.str.contains(r"^[A-Z].*\(\d[\d,]* products?\)").all()
    assert readable_category("FRZN MEAT/MEAT DINNERS") == "Frozen Meat/Meat Dinners"
    assert readable_category("MISC. DAIRY") == "Miscellaneous Dairy"
    assert readable_category("CHIPS&SNACKS") == "Chips & Snacks"
    assert readable_category("COLD AND FLU") == "Cold and Flu"


def test_discounts_equal_raw_rows(journey: OfferDataset) -> None:
    """A discount is the median of what that day's rows show, recomputed from the raw file for the most redeemed offer."""
    matched = journey.redemptions.drop_nulls("discount")
    offer_id = matched["offer_id"].value_counts(sort=True)["offer_id"][0]
    raw = complete_journey.read_table("transactions").with_columns(
        day=pl.col("transaction_timestamp")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("America/New_York")
        .dt.date()
    )
    products = [int(p) for p in journey.covers.filter(pl.col("offer_id") == offer_id)["product_id"]]
    totals = []
    for member, _, day, discount in journey.redemptions.filter(pl.col("offer_id") == offer_id).iter_rows():
        rows = raw.filter(
            (pl.col("household_id") == int(member))
            & (pl.col("day") == day)
            & pl.col("product_id").is_in(products)
            & (pl.col("coupon_disc") > 0)
        )
        assert discount == (pytest.approx(rows["coupon_disc"].sum()) if len(rows) else None)
        totals += [rows["coupon_disc"].sum()] if len(rows) else []
    found = journey.discounts(53).filter(pl.col("offer_id") == offer_id)["discount_usd"][0]
    assert found == pytest.approx(pl.Series(totals).median())


def test_discounts_look_back_only(journey: OfferDataset) -> None:
    """Discounts known at the end of a week come from redemptions up to its last day; offers without any are absent."""
    early, late = journey.discounts(10), journey.discounts(49)
    assert 0 < len(early) < len(late) < len(journey.offers)
    until = journey.week_days(10, 10)[1]
    seen = journey.redemptions.filter((pl.col("redeem_date") <= until) & pl.col("discount").is_not_null())
    assert set(early["offer_id"]) == set(seen["offer_id"])
    assert late["discount_usd"].min() > 0  # type: ignore[operator]  # a number


def test_fingerprint_is_stable(journey: OfferDataset) -> None:
    """The same content has the same fingerprint in every process and on every machine."""
    assert journey.fingerprint == complete_journey.load().fingerprint
    assert len(journey.fingerprint) == 64
    assert checkerboard().fingerprint == checkerboard().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"time_zone": "UTC"},
        {"catalogue_rule": "another"},
        {"purchases": ("value", 9.99)},
        {"purchases": ("member_id", "someone")},
        {"offers": ("valid_until", date(2020, 1, 1))},
        {"products": ("category", None)},
    ],
    ids=str,
)
def test_any_change_changes_the_fingerprint(change: dict[str, object]) -> None:
    """One value of one row, a null, the zone or the rule: each gives another fingerprint."""
    data = checkerboard()
    fields = fields_of(data)
    for name, value in change.items():
        if isinstance(value, tuple):
            column, cell = value
            table = getattr(data, name)
            first = pl.int_range(pl.len()) == 0
            fields[name] = table.with_columns(
                pl.when(first).then(pl.lit(cell, dtype=table.schema[column])).otherwise(column).alias(column)
            )
        else:
            fields[name] = value
    assert OfferDataset(**fields).fingerprint != data.fingerprint  # type: ignore[arg-type]  # the fields vary


def test_wrong_tables_are_named() -> None:
    """A missing column or a wrong type is one sentence that names table, column and type."""
    data = checkerboard()
    fields = fields_of(data)
    with pytest.raises(
        DatasetError, match="table covers needs a column product_id of type String, found none"
    ):
        OfferDataset(**(fields | {"covers": data.covers.drop("product_id")}))  # type: ignore[arg-type]  # wrong on purpose
    naive = data.purchases.with_columns(pl.col("purchase_time").dt.replace_time_zone(None))
    with pytest.raises(DatasetError, match="purchase_time"):
        OfferDataset(**(fields | {"purchases": naive}))  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(DatasetError, match="ascending"):
        OfferDataset(**(fields | {"offers": data.offers.reverse()}))  # type: ignore[arg-type]  # wrong on purpose


def test_end_of_week_is_local_midnight() -> None:
    """The features of a week reach to midnight in the shop after its last day, whatever the last trip's hour."""
    late = datetime(2017, 1, 8, 23, 59, tzinfo=ZoneInfo("America/New_York")).astimezone(UTC)
    data = dataset([("a", "p", "t", noon(1), 1, 1, 1.0), ("a", "p", "u", late, 1, 1, 1.0)], {"o": ["p"]})
    assert data.end_of_week(1) == datetime(2017, 1, 9, 5, tzinfo=UTC)
    with pytest.raises(DatasetError, match="weeks 2 to 2"):
        data.end_of_week(2)


def test_schema_lists_every_table() -> None:
    """Every table of a data set has a schema, so every table is checked and fingerprinted."""
    tables = {
        field.name
        for field in dataclasses.fields(OfferDataset)
        if field.type == "pl.DataFrame" or field.type is pl.DataFrame
    }
    assert tables == set(SCHEMAS)
