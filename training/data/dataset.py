"""One shape for purchases, products, offers and what the offers cover."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from training.errors import DatasetError

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "purchases": {
        "member_id": pl.String(),
        "product_id": pl.String(),
        "trip_id": pl.String(),
        "purchase_time": pl.Datetime("us", "UTC"),
        "week": pl.Int64(),
        "quantity": pl.Int64(),
        "value": pl.Float64(),
    },
    "products": {"product_id": pl.String(), "category": pl.String(), "department": pl.String()},
    "offers": {
        "offer_id": pl.String(),
        "title": pl.String(),
        "campaign_id": pl.String(),
        "coupon_id": pl.String(),
        "valid_from": pl.Date(),
        "valid_until": pl.Date(),
        "product_count": pl.Int64(),
    },
    "covers": {"offer_id": pl.String(), "product_id": pl.String()},
    "redemptions": {
        "member_id": pl.String(),
        "offer_id": pl.String(),
        "redeem_date": pl.Date(),
        "discount": pl.Float64(),
    },
    "excluded_offers": {"offer_id": pl.String(), "product_count": pl.Int64()},
}


@dataclass(frozen=True, eq=False)
class OfferDataset:
    """Purchases of a loyalty programme and the offers that could have been shown.

    Attributes:
        name: Name of the data set.
        time_zone: IANA name of the shop's time zone; validity windows are local days.
        purchases: One row per product of a trip: member_id, product_id, trip_id, purchase_time (UTC), week,
            quantity, value (USD paid).
        products: product_id, category, department; the latter two may be null.
        offers: One row per offer, ascending by offer_id: offer_id, title, campaign_id, coupon_id, valid_from and
            valid_until (local days, both inclusive), product_count.
        covers: offer_id, product_id: what each offer can be used on, unique.
        redemptions: member_id, offer_id, redeem_date (local day), discount (USD, null where no row of that day
            shows it).
        excluded_offers: Offers the catalogue rule leaves out: offer_id, product_count.
        catalogue_rule: The rule, in words.
        fingerprint: SHA-256 over the content of all tables and the fields above.

    Raises:
        DatasetError: A table lacks a column or has one of another type, or offers are not unique and ascending.
    """

    name: str
    time_zone: str
    purchases: pl.DataFrame
    products: pl.DataFrame
    offers: pl.DataFrame
    covers: pl.DataFrame
    redemptions: pl.DataFrame
    excluded_offers: pl.DataFrame
    catalogue_rule: str
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        tables = {name: getattr(self, name) for name in SCHEMAS}
        for name, table in tables.items():
            _check_schema(self.name, name, table)
        offer_ids = self.offers["offer_id"]
        if offer_ids.n_unique() != len(offer_ids) or not offer_ids.is_sorted():
            raise DatasetError(
                f"{self.name}: offers must be unique and ascending by offer_id.", dataset=self.name
            )
        header = f"{self.name}\n{self.time_zone}\n{self.catalogue_rule}\n"
        object.__setattr__(self, "fingerprint", fingerprint_tables(header, tables))

    def local_day(self, column: str = "purchase_time") -> pl.Expr:
        """Return the expression of a UTC column's day on the shop's calendar."""
        return pl.col(column).dt.convert_time_zone(self.time_zone).dt.date()

    def week_days(self, first_week: int, last_week: int) -> tuple[date, date]:
        """Return the first and the last local day with a purchase in the given weeks, both inclusive.

        Raises:
            DatasetError: There is no purchase in these weeks.
        """
        days = self.purchases.filter(pl.col("week").is_between(first_week, last_week)).select(
            first=self.local_day().min(), last=self.local_day().max()
        )
        first, last = days.row(0)
        if first is None:
            raise DatasetError(
                f"{self.name}: no purchases in weeks {first_week} to {last_week}.", dataset=self.name
            )
        return first, last

    def end_of_week(self, week: int) -> datetime:
        """Return the instant (UTC) at which a week ends: midnight in the shop after its last day with a purchase.

        Raises:
            DatasetError: There is no purchase in this week.
        """
        _, last_day = self.week_days(week, week)
        midnight = datetime.combine(last_day + timedelta(days=1), time(), tzinfo=ZoneInfo(self.time_zone))
        return midnight.astimezone(UTC)

    def discounts(self, until_week: int) -> pl.DataFrame:
        """Return what a redemption of an offer was worth, learned from redemptions up to the end of a week.

        Args:
            until_week: Last week whose redemptions may be used.

        Returns:
            offer_id, discount_usd: the median over the offer's redemptions for which a discounted row was found.
            Offers without any are absent: their discount is not known.
        """
        last_day = self.week_days(until_week, until_week)[1]
        return (
            self.redemptions.filter((pl.col("redeem_date") <= last_day) & pl.col("discount").is_not_null())
            .group_by("offer_id")
            .agg(discount_usd=pl.col("discount").median())
            .sort("offer_id")
        )


def fingerprint_tables(header: str, tables: Mapping[str, pl.DataFrame]) -> str:
    """Return the SHA-256 over names, types, lengths and values of tables, in the order of their rows.

    The digest reads plain little-endian values and UTF-8, so it does not change with the version of a file format.
    """
    digest = hashlib.sha256(header.encode())
    for name in sorted(tables):
        table = tables[name]
        for column in sorted(table.columns):
            values = table[column]
            digest.update(f"{name}.{column}:{values.dtype}:{len(values)}\n".encode())
            digest.update(np.packbits(values.is_null().to_numpy()).tobytes())
            if values.dtype == pl.String:
                filled = values.fill_null("")
                digest.update(filled.str.len_bytes().to_numpy().astype("<i8").tobytes())
                digest.update((filled.str.join("").item() or "").encode())
            elif values.dtype == pl.Float64:
                digest.update(values.fill_null(0.0).to_numpy().astype("<f8").tobytes())
            else:
                digest.update(
                    values.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes()
                )
    return digest.hexdigest()


def _check_schema(dataset: str, name: str, table: pl.DataFrame) -> None:
    for column, dtype in SCHEMAS[name].items():
        found = table.schema.get(column)
        if found != dtype:
            raise DatasetError(
                f"{dataset}: table {name} needs a column {column} of type {dtype}, found {found or 'none'}.",
                dataset=dataset,
                table=name,
                column=column,
            )
