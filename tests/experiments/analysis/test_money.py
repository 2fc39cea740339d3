"""What an effect is worth, from hand-calculated differences."""

from typing import Any

import polars as pl
import pytest

from experiments.analysis import MoneyEffect
from tests.experiments.analysis.build import analysed, table

MONEY: dict[str, Any] = {
    "metric_id": "revenue",
    "units_per_month": 10_000,
    "cost_per_unit": 0.25,
    "cost_per_month": 300,
    "currency_code": "EUR",
}


def worth(
    frame: pl.DataFrame | None = None, metric: dict[str, Any] | None = None, **changes: Any
) -> MoneyEffect:
    """Return what the treatment of the common table is worth."""
    found = analysed({"metric_id": "revenue"} | (metric or {}), frame=frame, **({"money": MONEY} | changes))
    assert len(found.money) == 1
    return found.money[0]


def test_costs_shift_the_interval() -> None:
    """-0.9018515 (-2.7722691505 to 0.9685661504) less 0.25 a member; times 10,000 less 300 a month."""
    one = worth()

    assert (one.per_unit, one.per_unit_lower, one.per_unit_upper) == pytest.approx(
        (-1.1518515, -3.022269150403191, 0.7185661504031922), rel=1e-9
    )
    assert (one.per_month, one.per_month_lower, one.per_month_upper) == pytest.approx(
        (-11_818.515, -30_522.69150403191, 6_885.661504031922), rel=1e-9
    )
    assert (one.variant_id, one.metric_id, one.currency_code, one.reasons) == ("new", "revenue", "EUR", {})


def test_the_interval_is_that_of_the_decision() -> None:
    """With any number of looks the money's interval is the always-valid one, after the correction."""
    found = analysed(
        {"metric_id": "revenue"},
        {"metric_id": "cost"},
        money=MONEY,
        analysis="always-valid",
        correction="holm",
    )
    decisive = found.results[0].decisive

    assert decisive is not None
    assert decisive.ci_lower is not None
    assert decisive.alpha in {0.025, 0.05}
    assert found.money[0].per_unit_lower == pytest.approx(decisive.ci_lower - 0.25, rel=1e-12)


def test_without_members_a_month_there_is_no_month() -> None:
    """The figure is null and says why."""
    one = worth(money={"metric_id": "revenue"})

    assert one.per_unit == pytest.approx(-0.9018515, rel=1e-9)
    assert one.per_month is one.per_month_lower is None
    assert one.reasons["per_month_upper"] == "the plan names no units_per_month"


def test_one_sided_intervals_have_one_end() -> None:
    """The open end of a one-sided interval is null in money too, with its reason."""
    one = worth(metric={"alternative": "greater"})

    assert one.per_unit_lower is not None
    assert one.per_unit_upper is one.per_month_upper is None
    assert "no upper end" in one.reasons["per_unit_upper"]
    assert "no upper end" in one.reasons["per_month_upper"]


def test_nothing_is_worth_nothing() -> None:
    """Without figures there is a reason; where nothing varies the difference stands without an interval."""
    refused = worth(table().with_columns(revenue=pl.lit("x")))
    constant = worth(
        table().with_columns(revenue=pl.when(pl.col("variant") == "new").then(3.0).otherwise(1.0))
    )

    assert refused.per_unit is None
    assert "is not a number" in refused.reason
    assert (constant.per_unit, constant.per_month, constant.per_unit_lower) == (1.75, 17_200, None)
    assert "same value" in constant.reasons["per_month_lower"]


def test_no_plan_no_money() -> None:
    """Without a word about money there are no figures of it."""
    assert analysed().money == ()
