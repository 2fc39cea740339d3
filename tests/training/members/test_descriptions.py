"""What is told of members without a model: scores and segments, stages, tiers, points, preferences, answers, cohorts."""

from datetime import date, timedelta
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from training.members.descriptions import (
    SEGMENTS,
    beta_of,
    discount_sensitivity,
    latest_scores,
    preferred,
    promoter_score,
    rfm_table,
    score,
    segment,
)
from training.members.lifecycle import LifecycleRules, lifecycle_stages, movements, repurchase, retention
from training.members.points import balance, balances
from training.members.tiers import Tier, TierRules, tier_table

START = date(2024, 1, 1)


def day(number: int) -> date:
    """Return a day after the start."""
    return START + timedelta(days=number)


def orders(**members: list[tuple[int, float]]) -> pl.DataFrame:
    """Return orders, by member as day and value, sorted."""
    rows = [(name, day(number), float(value)) for name, bought in members.items() for number, value in bought]
    return pl.DataFrame(rows, schema=["member", "day", "value"], orient="row").sort("member", "day")


def test_scores_are_shares_of_members_who_do_worse() -> None:
    """Ten different values fill five scores by two; equal ones have one score, whatever the order of rows."""
    assert score(np.arange(10.0)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert score(np.array([1.0, 1.0, 1.0, 2.0, 9.0])).tolist() == [1, 1, 1, 4, 5]
    mixed = np.array([3.0, 1.0, 3.0, 2.0])
    assert score(mixed[::-1]).tolist() == score(mixed).tolist()[::-1]
    assert score(np.array([7.0])).tolist() == [1]


def test_every_cell_has_one_segment() -> None:
    """All 125 cells have a name, all eleven names are used, and the corners are what a marketer expects."""
    cells = {cell: segment(*cell) for cell in product(range(1, 6), repeat=3)}
    assert set(cells.values()) == set(SEGMENTS)
    assert len(SEGMENTS) == 11
    assert (cells[5, 5, 5], cells[5, 1, 1], cells[1, 5, 5], cells[1, 1, 1]) == (
        "champions",
        "new",
        "cannot_lose",
        "lost",
    )


def test_rfm_of_three_members() -> None:
    """Recency counts days to the last order; who bought last, most often and most has the best scores."""
    members = pl.DataFrame(
        {"last": [day(0), day(5), day(9)], "orders": [1, 2, 5], "spend": [10.0, -3.0, 90.0]}
    )
    found = rfm_table(members, day(10))
    assert found["recency_days"].to_list() == [10, 5, 1]
    assert found.row(2, named=True) == {
        "recency_days": 1, "rfm_recency": 4, "rfm_frequency": 4, "rfm_monetary": 4, "rfm_segment": "loyal",
    }  # fmt: skip
    assert found["rfm_monetary"].to_list() == [2, 1, 4]


@pytest.mark.parametrize(
    ("bought", "stage"),
    [
        ([95], "new"),
        ([60], "at_risk"),
        ([10], "lapsed"),
        ([60, 70, 80, 90, 95], "active"),
        ([40, 50, 60, 70, 82], "at_risk"),
        ([0, 10, 20, 30, 35], "lapsed"),
        ([0, 10, 20, 30, 40, 95], "won_back"),
        ([80, 95], "active"),
    ],
)
def test_stages_follow_a_members_own_rhythm(bought: list[int], stage: str) -> None:
    """On day 100, among regular members who order every 20 days; a rhythm of 10 days lapses sooner."""
    regular = {f"regular {number}": [(number + 20 * step, 1.0) for step in range(5)] for number in range(5)}
    found = lifecycle_stages(orders(one=[(at, 1.0) for at in bought], **regular), day(100), LifecycleRules())
    assert found.filter(pl.col("member") == "one")["lifecycle_stage"].item() == stage


def test_movements_count_who_went_where() -> None:
    """Members who were not there before come from nowhere."""
    before = pl.DataFrame({"member": ["a", "b"], "lifecycle_stage": ["new", "active"]})
    after = pl.DataFrame({"member": ["a", "b", "c"], "lifecycle_stage": ["active", "active", "new"]})
    assert movements(before, after).rows() == [
        ("active", "active", 1),
        ("new", "active", 1),
        ("none", "new", 1),
    ]


SILVER_GOLD = (Tier(name="silver", spend=100), Tier(name="gold", spend=300))


@pytest.mark.parametrize(
    ("rules", "bought", "on", "tier", "until", "missing"),
    [
        ({}, [(0, 99.99)], 0, "none", None, 0.01),
        ({}, [(0, 100.0)], 0, "silver", 365, 200.0),
        ({}, [(0, 33.4), (1, 33.3), (2, 33.3)], 2, "silver", 367, 200.0),
        ({}, [(0, 50.0), (365, 50.0)], 365, "none", None, 50.0),
        ({}, [(0, 50.0), (364, 50.0)], 364, "silver", 729, 200.0),
        ({}, [(0, 100.0)], 365, "silver", 365, 300.0),
        ({}, [(0, 100.0)], 366, "none", None, 100.0),
        ({"grace_days": 30}, [(0, 100.0)], 395, "silver", 365, 300.0),
        ({"grace_days": 30}, [(0, 100.0)], 396, "none", None, 100.0),
        ({}, [(0, 100.0), (100, 120.0)], 366, "silver", 730, 180.0),
        ({}, [(0, 300.0), (200, 120.0)], 366, "silver", 730, 180.0),
        ({"falls": "one_tier"}, [(0, 300.0)], 366, "silver", 730, 300.0),
        ({"falls": "one_tier"}, [(0, 300.0)], 731, "none", None, 100.0),
        ({}, [(0, 400.0)], 10, "gold", 365, None),
    ],
)
def test_tiers_are_earned_held_renewed_and_lost(  # noqa: PLR0917 one case a row
    rules: dict[str, Any],
    bought: list[tuple[int, float]],
    on: int,
    tier: str,
    until: int | None,
    missing: float | None,
) -> None:
    """Silver from 100, gold from 300 within 365 days, the present one included; by hand, day by day."""
    found = tier_table(orders(one=bought), day(on), TierRules(tiers=SILVER_GOLD, **rules)).row(0, named=True)
    assert found["tier"] == tier
    assert found["tier_until"] == (None if until is None else day(until))
    assert found["next_tier_spend"] == (None if missing is None else pytest.approx(missing))


def test_tiers_by_any_or_all_thresholds() -> None:
    """Ten orders or 100 of spend; with ``all`` both are asked, and both distances are told."""
    tiers = (Tier(name="silver", spend=100, orders=2),)
    bought = orders(few=[(0, 150.0)], many=[(0, 1.0), (1, 1.0)])
    loose = tier_table(bought, day(5), TierRules(tiers=tiers))
    strict = tier_table(bought, day(5), TierRules(tiers=tiers, asks="all"))
    assert loose["tier"].to_list() == ["silver", "silver"]
    assert strict["tier"].to_list() == ["none", "none"]
    assert strict.select("next_tier_spend", "next_tier_orders").rows() == [(0.0, 1.0), (98.0, 0.0)]


@pytest.mark.parametrize(
    ("tiers", "sentence"),
    [
        ([{"name": "a"}], "asks for nothing"),
        ([{"name": "a", "spend": 5}, {"name": "a", "spend": 6}], "named twice"),
        ([{"name": "a", "spend": 5}, {"name": "b", "spend": 4}], "asks for less spend than 'a'"),
        ([{"name": "a", "spend": 5}, {"name": "b", "orders": 4}], "asks for less"),
    ],
)
def test_tiers_that_make_no_sense_are_refused(tiers: list[dict[str, Any]], sentence: str) -> None:
    """A higher tier must ask for at least as much of the same."""
    with pytest.raises(ValidationError, match=sentence):
        TierRules.model_validate({"tiers": tiers})


def test_points_are_spent_from_the_lot_that_expires_first() -> None:
    """100 until day 10 and 50 until day 30: of 120 spent on day 5, 20 come from the later lot, and nothing is lost on day 11."""
    lots = [(0, 100.0, 10), (1, 50.0, 30), (5, -120.0, 0)]
    assert balance(lots, 11).points == 30.0
    assert balance(lots, 11).expired == 0.0
    assert (balance(lots, 11).next_points, balance(lots, 11).next_day) == (30.0, 30)
    unspent = balance(lots[:2], 11)
    assert (unspent.points, unspent.expired) == (50.0, 100.0)
    assert balance([(0, 10.0, 99), (1, -15.0, 0), (2, 5.0, 99)], 3).points == 5.0
    assert balance([(0, 10.0, 99), (1, -15.0, 0)], 3).overspent == 5.0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(-20, 20).filter(bool), st.integers(0, 20)), max_size=25
    ),
    st.integers(0, 60),
)
def test_points_as_if_each_were_a_coin(rows: list[tuple[int, int, int]], today: int) -> None:
    """The balance equals that of single points, each with its own day, taken one at a time."""
    history = sorted(
        ((at, points, at + valid) for at, points, valid in rows if at <= today), key=lambda row: row[0]
    )
    coins: list[int] = []
    for at, points, until in history:
        coins = sorted(coin for coin in coins if coin >= at)
        coins = coins[-points:] if points < 0 else coins + [until] * points
    coins = sorted(coin for coin in coins if coin >= today)
    found = balance([(at, float(points), until) for at, points, until in history], today)
    assert found.points == len(coins)
    assert found.next_day == (coins[0] if coins else None)
    assert found.next_points == (coins.count(coins[0]) if coins else 0)


def test_balances_of_several_members() -> None:
    """Each has their own lots, and what comes after the day does not count."""
    rows = [("ann", 0, 10.0, 400), ("ann", 9, 90.0, 400), ("bob", 1, 5.0, 3)]
    table = pl.DataFrame(rows, schema=["member", "day", "points", "until"], orient="row")
    found = balances(table, date(1970, 1, 6))
    assert found.select("member", "points_balance", "points_expired").rows() == [
        ("ann", 10.0, 0.0),
        ("bob", 0.0, 5.0),
    ]


def test_what_was_bought_lately_counts_more() -> None:
    """180 days halve spend: 100 long ago is less than 60 today; equal ones go by name, and three are kept."""
    lines = pl.DataFrame(
        {
            "member": ["a"] * 5,
            "day": [day(0), day(180), day(180), day(180), day(180)],
            "value": [100.0, 60.0, 7.0, 7.0, None],
            "category": ["tea", "jam", "soap", "bread", "wine"],
        }
    )
    assert preferred(lines, day(180), "category")["values"].to_list() == [["jam", "tea", "bread"]]


def test_price_sensitivity_is_shrunk_to_everybody() -> None:
    """A single discounted order says less than ten; depth is what discounts took off the price."""
    lines = pl.DataFrame(
        {
            "member": ["one"] + ["ten"] * 10 + ["never"] * 10,
            "day": [day(0), *(day(number) for number in range(10)), *(day(number) for number in range(10))],
            "value": [8.0] * 21,
            "discounted": [True] * 11 + [False] * 10,
            "discount": [2.0] * 11 + [0.0] * 10,
        }
    )
    found = {row["member"]: row for row in discount_sensitivity(lines).to_dicts()}
    assert (
        found["never"]["price_sensitivity"]
        < 0.2
        < found["one"]["price_sensitivity"]
        < found["ten"]["price_sensitivity"]
    )
    assert found["ten"]["discount_depth"] == pytest.approx(0.2)


def test_the_spread_of_shares_is_found_again() -> None:
    """Members drawn from a beta distribution with a 2 and b 6 give back its mean and, roughly, its strength of 8."""
    random = np.random.default_rng(3)
    n = random.integers(1, 30, 20_000).astype(float)
    k = random.binomial(n.astype(int), random.beta(2, 6, 20_000)).astype(float)
    a, b = beta_of(k, n)
    assert a / (a + b) == pytest.approx(0.25, abs=0.01)
    assert a + b == pytest.approx(8.0, rel=0.1)


def test_promoters_less_detractors() -> None:
    """The latest answer of each counts: of four members 2 promote and 1 detracts, 25 ± 41 (sqrt((.75 - .0625) / 4))."""
    answers = pl.DataFrame(
        {
            "member": ["a", "a", "b", "c", "d"],
            "time": [1.0, 2.0, 1.0, 1.0, 1.0],
            "score": [0.0, 10.0, 9.0, 8.0, 6.0],
        }
    )
    latest = latest_scores(answers)
    assert latest["nps_group"].to_list() == ["promoter", "promoter", "passive", "detractor"]
    found = promoter_score(latest)
    assert (found.score, found.members) == (25.0, 4)
    assert found.standard_error == pytest.approx(100 * np.sqrt(0.6875 / 4))


def test_retention_by_hand() -> None:
    """Two members of January, one of whom orders in February too; March is not over. Wilson's interval of 1 of 2 is 9.5 % to 90.5 %."""
    found = retention(orders(a=[(0, 5.0), (40, 7.0)], b=[(3, 1.0)], c=[(45, 2.0)]), date(2024, 3, 20))
    assert found.select("cohort", "months", "members", "retained", "spend").rows() == [
        (date(2024, 1, 1), 0, 2, 2, 6.0),
        (date(2024, 1, 1), 1, 2, 1, 7.0),
        (date(2024, 2, 1), 0, 1, 1, 2.0),
    ]
    assert found["lower"][1] == pytest.approx(0.0945, abs=1e-4)
    assert found["upper"][1] == pytest.approx(0.9055, abs=1e-4)


def test_repurchase_counts_members_for_as_long_as_they_were_watched() -> None:
    """Kaplan-Meier by hand: of three one orders again after 10 days, and of the one left after 20 all, on day 25."""
    bought = orders(a=[(0, 1.0), (10, 1.0)], b=[(80, 1.0)], c=[(0, 1.0), (25, 1.0)])
    found = repurchase(bought, day(100), (15, 24, 30))
    assert found["share"].to_list() == pytest.approx([1 / 3, 1 / 3, 1.0])
    assert found["at_risk"].to_list() == [2, 1, 0]
