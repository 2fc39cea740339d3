"""Titles of offers that a marketer can read, made from the shop's own category names."""

import re

import polars as pl

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
