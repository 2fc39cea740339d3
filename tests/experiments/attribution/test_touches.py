"""What each decided candidate earned."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from experiments.log.attribution import TOUCH_COLUMNS, AttributionRules, attribute, evidence, touches
from experiments.log.frames import EventFrames
from tests.experiments.attribution.logs import action, at, decision, log, outcome

WEEK = AttributionRules({"home": 7})


def small_log(folder: Path) -> EventFrames:
    """Return two decisions on offers, one on an action, one that gave nothing."""
    return log(
        folder,
        [
            decision("d1", "ann", 0, "tea", "jam"),
            replace(decision("d2", "bob", 1, "tea"), standing_arm="no_model", slate_propensity=0.5),
            replace(action("d3", "bob", 2, "care", "email"), campaign_id="spring"),
            decision("d4", "bob", 3),
        ],
        [
            outcome("o1", "ann", 0.1, "impression", decision_id="d1"),
            outcome("o2", "ann", 1, "click", decision_id="d1", offer_id="jam"),
            outcome("o3", "ann", 2, "redemption", offer_id="jam", value=5),
            outcome("o4", "ann", 3, "return", offer_id="jam", value=-2),
            outcome("o5", "bob", 2.5, "purchase", value=30),
            outcome("o6", "bob", 9.5, "click", decision_id="d2", offer_id="tea"),
        ],
    )


def test_a_row_has_what_was_decided_and_what_it_earned(tmp_path: Path) -> None:
    """Every candidate has a row with the sums of its outcomes; those of the whole decision stand apart."""
    found = touches(small_log(tmp_path), WEEK)

    assert dict(found.schema) == TOUCH_COLUMNS
    rows = {(row["decision_id"], row["candidate_id"]): row for row in found.to_dicts()}
    assert list(rows) == [("d1", "tea"), ("d1", "jam"), ("d2", "tea"), ("d3", "care")]
    jam = rows["d1", "jam"]
    assert (jam["rank"], jam["propensity"], jam["kind"], jam["value"], jam["currency_code"]) == (
        2,
        0.5,
        "offers",
        3.0,
        "USD",
    )
    assert (jam["exposed"], jam["responded"], jam["response_time"]) == (True, True, at(1))
    assert (jam["decide_time"], jam["window_end_time"]) == (at(0), at(7))
    assert jam["outcomes"] == [
        {"outcome_type": "click", "count": 1, "value": 0.0},
        {"outcome_type": "redemption", "count": 1, "value": 5.0},
        {"outcome_type": "return", "count": 1, "value": -2.0},
    ]
    impression = [{"outcome_type": "impression", "count": 1, "value": 0.0}]
    assert jam["decision_outcomes"] == rows["d1", "tea"]["decision_outcomes"] == impression
    tea = rows["d2", "tea"]
    assert (tea["standing_arm"], tea["slate_propensity"], tea["responded"]) == ("no_model", 0.5, False)
    assert (tea["value"], tea["outcomes"], tea["decision_outcomes"]) == (0.0, [], [])
    care = rows["d3", "care"]
    assert (care["kind"], care["channel_id"], care["campaign_id"], care["score"]) == (
        "actions",
        "email",
        "spring",
        2.5,
    )
    assert (care["exposed"], care["responded"]) == (False, False)
    assert care["decision_outcomes"] == [{"outcome_type": "purchase", "count": 1, "value": 30.0}]


def test_all_credits_are_in_the_rows(tmp_path: Path) -> None:
    """The counts of all rows and decisions are the outcomes attributed, whether credits are handed over or not."""
    frames = small_log(tmp_path)
    credited = attribute(frames, WEEK)

    found = touches(frames, WEEK, credited)

    assert found.equals(touches(frames, WEEK))
    own = sum(one["count"] for row in found["outcomes"] for one in row)
    whole = sum(one["count"] for row in found.unique("decision_id")["decision_outcomes"] for one in row)
    assert own + whole == credited.filter(pl.col("status") == "attributed").height == 5


def test_evidence_counts_decisions_and_responses(tmp_path: Path) -> None:
    """One response per decision at most, and none for what only was seen or returned."""
    assert evidence(touches(small_log(tmp_path), WEEK)) == {"care": (1, 0), "jam": (1, 1), "tea": (2, 0)}


def test_response_types_are_the_callers(tmp_path: Path) -> None:
    """With redemptions alone, a click is none, and the response is as late as the redemption."""
    rules = AttributionRules({"home": 7}, response_types=("redemption",))

    found = touches(small_log(tmp_path), rules).filter(pl.col("responded"))

    assert found.select("candidate_id", "response_time").rows() == [("jam", at(2))]


def test_money_of_several_currencies_is_not_added_up(tmp_path: Path) -> None:
    """Value and currency are null; the counts are still right."""
    frames = log(
        tmp_path,
        [decision("d1", "ann", 0, "tea")],
        [
            outcome("o1", "ann", 1, "redemption", offer_id="tea", value=5),
            outcome("o2", "ann", 2, "redemption", offer_id="tea", value=5, currency_code="EUR"),
        ],
    )

    (row,) = touches(frames, WEEK).to_dicts()

    assert (row["value"], row["currency_code"], row["outcomes"][0]["count"]) == (None, None, 2)
