"""Real loyalty data as catalogues, without special code: a café's app, and a grocer's campaigns and coupons."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments.rules import RuleOutcome
from server.catalogue import Catalogue
from server.catalogue.explain import explain_candidate
from server.catalogue.load import dump_catalogue, load_catalogue, parse_catalogue
from server.catalogue.rules import (
    SegmentSize,
    compiled,
    rule_attributes,
    segment_attributes,
    size_in_table,
    size_of,
)
from training.data.complete_journey import load, read_table

STARBUCKS = Path(__file__).parents[3] / "shared" / "data" / "starbucks-offers"
SENT = date(2018, 7, 27)
"""The day of the first wave, by our calendar; the data count hours."""
KINDS = {"bogo": "coupon", "discount": "discount", "informational": "product"}
PORTFOLIO_CHANNELS = ("email", "mobile", "social", "web")


def _dollars(amount: float) -> dict[str, str]:
    return {"amount": f"{amount:.2f}", "currency_code": "USD"}


def starbucks() -> Catalogue:
    """Return the ten offers of the portfolio as a catalogue, or skip where the data are not there."""
    path = STARBUCKS / "portfolio.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    portfolio = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    document = {
        "currency_code": "USD",
        "attributes": {"age": "int", "gender": "string", "income": "int"},
        "channels": [{"channel_id": name, "outbound": name != "web"} for name in PORTFOLIO_CHANNELS],
        "placements": [
            {"placement_id": "wave", "channels": list(PORTFOLIO_CHANNELS), "arbitration": "margin", "default_offer_count": 1}
        ],
        "arbitrations": [{"arbitration_id": "margin", "default_value": _dollars(0)}],
        "contact_policies": [{"policy_id": "one-a-week", "most": 1, "days": 6.5}],
        "groups": [{"group_id": kind, "caps": [{"most": 6, "days": 30}]} for kind in KINDS],
        "segments": [
            {"segment_id": "known", "rule": "has(attributes.income) && has(attributes.gender)"},
            {"segment_id": "affluent-women", "rule": 'gender == "F" && income >= 90000'},
            {"segment_id": "young", "rule": "age < 30"},
            {"segment_id": "of-age", "rule": "age != 118 && (income < 50000 || age > 60)"},
        ],
        "offers": [
            {
                "offer_id": one["id"],
                "kind": KINDS[one["offer_type"]],
                "group_id": one["offer_type"],
                "title": f"{one['offer_type']} {one['reward']} for {one['difficulty']}",
                "channels": one["channels"],
                "valid_from": SENT,
                "valid_until": SENT + timedelta(days=one["duration"] - 1),
                "suitable": "" if one["reward"] else 'has(attributes.age) && !("young" in segments)',
                "value": _dollars(one["difficulty"] * 0.6),
                "response_cost": _dollars(one["reward"]),
                "attributes": {"difficulty": one["difficulty"], "duration_days": one["duration"]},
            }
            for one in portfolio
        ],
    }  # fmt: skip
    return parse_catalogue(document, "starbucks")


def _size(catalogue: Catalogue, segment_id: str, table: pl.LazyFrame) -> SegmentSize:
    (segment,) = [one for one in catalogue.segments if one.segment_id == segment_id]
    return size_in_table(compiled(segment.rule, segment_attributes(catalogue)), table)


def test_starbucks_offers(tmp_path: Path) -> None:
    """Ten offers with channels, validity, reward as the cost of a response: what the portfolio says is in the catalogue."""
    catalogue = starbucks()
    path = tmp_path / "catalogue.yaml"
    path.write_text(dump_catalogue(catalogue), encoding="utf-8")

    assert load_catalogue(path).revision == catalogue.revision
    assert len(catalogue.offers) == 10
    longest = catalogue.offers_by_id["fafdcd668e3743c1bb461111dcafc2a4"]
    assert (longest.valid_until - longest.valid_from).days == 9
    assert str(longest.response_cost and longest.response_cost.amount) == "2.00"
    assert longest.channels == ("web", "email", "mobile", "social")
    assert sum(offer.channels.count("email") for offer in catalogue.offers) == 10
    told = explain_candidate(catalogue, "3f207df678b143eea3cee63160fa8bed")
    assert "suitable (good for the member): if age is known and young is not among segments" in told
    assert catalogue.eligible("wave", SENT + timedelta(days=4)).tolist() == [
        index
        for index, offer in enumerate(catalogue.offers)
        if (offer.valid_until - offer.valid_from).days >= 4
    ]


def test_starbucks_segments() -> None:
    """Sizes of segments over 17,000 customers equal counts by plain filters; who lacks an attribute is counted apart."""
    catalogue = starbucks()
    table = pl.scan_parquet(STARBUCKS / "profile.parquet")
    profile = table.collect()

    def count(condition: pl.Expr) -> int:
        return profile.filter(condition).height

    unknown = count(pl.col("income").is_null())
    assert unknown == 2175
    known = _size(catalogue, "known", table)
    assert known == SegmentSize(17_000 - unknown, 0, 17_000)
    women = count((pl.col("gender") == "F") & (pl.col("income") >= 90_000))
    # Of a man it is false whatever he earns, and whoever has no gender here has no income either.
    assert _size(catalogue, "affluent-women", table) == SegmentSize(women, unknown, 17_000)
    assert women > 1000
    assert _size(catalogue, "young", table) == SegmentSize(count(pl.col("age") < 30), 0, 17_000)
    either = (pl.col("income") < 50_000) | (pl.col("age") > 60)
    assert _size(catalogue, "of-age", table) == SegmentSize(count((pl.col("age") != 118) & either), 0, 17_000)


def test_both_ways_of_counting_agree() -> None:
    """Counting customer by customer, as the server does, gives what counting the table gives."""
    catalogue = starbucks()
    table = pl.scan_parquet(STARBUCKS / "profile.parquet")
    members = table.collect().to_dicts()

    for segment in catalogue.segments:
        rule = compiled(segment.rule, segment_attributes(catalogue))
        assert size_of(rule, members) == _size(catalogue, segment.segment_id, table)


def _campaigns() -> Sequence[Mapping[str, Any]]:
    return read_table("campaign_descriptions").sort("campaign_id").to_dicts()


def complete_journey() -> Catalogue:
    """Return the grocer's year: campaigns as groups within their types, coupons as offers, mailing lists as eligibility."""
    campaigns = _campaigns()
    types = sorted({one["campaign_type"] for one in campaigns})
    days = {str(one["campaign_id"]): (one["start_date"].date(), one["end_date"].date()) for one in campaigns}
    document = {
        "time_zone": "America/New_York",
        "currency_code": "USD",
        "attributes": {
            "campaigns": "list<string>",
            "income": "string",
            "age": "string",
            "kids_count": "string",
        },
        "channels": [{"channel_id": "mail", "outbound": True, "purposes": ["coupons"]}, {"channel_id": "till"}],
        "placements": [
            {"placement_id": "checkout", "channels": ["till"], "task": "redeem", "most_per_category": 1},
        ],
        "groups": [
            *({"group_id": _name(kind), "caps": [{"most": 3, "days": 7}]} for kind in types),
            *(
                {
                    "group_id": f"campaign-{one['campaign_id']}",
                    "parent_id": _name(one["campaign_type"]),
                    "eligible": f'"{one["campaign_id"]}" in campaigns',
                    "suitable": 'tier in ["gold", "platinum"]' if one["campaign_type"] == "Type C" else "",
                    "budgets": [{"units": 500, "pacing": "even", "first_day": one["start_date"].date(),
                                 "last_day": one["end_date"].date()}],
                }
                for one in campaigns
            ),
        ],
        "segments": [
            {"segment_id": "wealthy", "rule": 'income in ["150-174K", "175-199K", "200-249K", "250K+"]'},
            {"segment_id": "families", "rule": 'has(attributes.kids_count) && kids_count != "0"'},
            {"segment_id": "mailed-often", "rule": "size(campaigns) >= 5"},
            {"segment_id": "platinum", "rule": 'tier == "platinum"'},
        ],
        "offers": [
            {
                "offer_id": row["offer_id"],
                "title": row["title"],
                "group_id": f"campaign-{row['campaign_id']}",
                "category": row["title"].split(",")[0],
                "valid_from": days[row["campaign_id"]][0],
                "valid_until": days[row["campaign_id"]][1],
                "caps": [{"most": 1, "count": "redemption"}],
                "attributes": {"product_count": row["product_count"]},
            }
            for row in load().offers.iter_rows(named=True)
        ],
    }  # fmt: skip
    return parse_catalogue(document, "complete journey")


def _name(campaign_type: str) -> str:
    return campaign_type.lower().replace(" ", "-")


def _households() -> pl.DataFrame:
    """Return all households that shopped, with what is known of them: mailings, demographics, a tier by income."""
    mailed = (
        read_table("campaigns").group_by("household_id").agg(campaigns=pl.col("campaign_id").cast(pl.String))
    )
    rich = pl.col("income").cast(pl.String).is_in(["150-174K", "175-199K", "200-249K", "250K+"])
    return (
        read_table("transactions")
        .select("household_id")
        .unique()
        .join(mailed, on="household_id", how="left")
        .join(read_table("demographics"), on="household_id", how="left")
        .with_columns(tier=pl.when(rich).then(pl.lit("platinum")).when(pl.col("income").is_not_null()).then(pl.lit("gold")))
    )  # fmt: skip


@pytest.fixture(scope="module")
def grocer() -> Catalogue:
    return complete_journey()


@pytest.fixture(scope="module")
def households() -> pl.DataFrame:
    return _households()


def test_complete_journey_offers(grocer: Catalogue) -> None:
    """Every coupon is valid in its campaign and inherits from it and from the campaign's type."""
    offer = grocer.offers[0]
    lineage = [group.group_id for group in grocer.lineage(offer.group_id)]

    assert len(grocer.offers) == load().offers.height > 900
    assert len(grocer.groups) == 27 + 3
    assert lineage[0].startswith("campaign-")
    assert lineage[1].startswith("type-")
    for one in grocer.offers:
        budget = grocer.groups_by_id[one.group_id].budgets[0]
        assert (one.valid_from, one.valid_until) == (budget.first_day, budget.last_day)


def test_complete_journey_segments(grocer: Catalogue, households: pl.DataFrame) -> None:
    """Sizes over 2,469 households equal counts by plain filters, demographics missing for two thirds of them."""
    table = households.lazy()
    income, kids = pl.col("income").cast(pl.String), pl.col("kids_count").cast(pl.String)
    unknown = households["income"].null_count()
    wealthy = households.filter(income.is_in(["150-174K", "175-199K", "200-249K", "250K+"])).height
    families = households.filter(kids.is_not_null() & (kids != "0")).height
    mailed = households.filter(pl.col("campaigns").list.len() >= 5).height

    assert households.height == 2469
    assert _size(grocer, "wealthy", table) == SegmentSize(wealthy, unknown, 2469)
    assert _size(grocer, "families", table) == SegmentSize(families, 0, 2469)
    assert _size(grocer, "mailed-often", table) == SegmentSize(
        mailed, households["campaigns"].null_count(), 2469
    )
    assert _size(grocer, "platinum", table).matching == wealthy > 50


def test_complete_journey_eligibility(grocer: Catalogue, households: pl.DataFrame) -> None:
    """Whom a campaign was mailed to is eligible for its coupons, and nobody else."""
    (group,) = [one for one in grocer.groups if one.group_id == "campaign-13"]
    rule = compiled(group.eligible, rule_attributes(grocer))
    mailed = set(read_table("campaigns").filter(pl.col("campaign_id") == 13)["household_id"].to_list())

    for household in households.iter_rows(named=True):
        matches = rule.evaluate(household) is RuleOutcome.MATCH
        assert matches is (household["household_id"] in mailed)
    assert len(mailed) > 1000
