"""Where members are in their life with the programme, how they moved, and what became of each month's new members."""

from datetime import date
from enum import StrEnum
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import ndtri


class Stage(StrEnum):
    """A stage of life."""

    NEW = "new"
    ACTIVE = "active"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"
    WON_BACK = "won_back"


class LifecycleRules(BaseModel):
    """When which stage begins.

    A member's rhythm is their mean days between orders, once they have ``own_rhythm_orders``; before, the median of all those members'
    rhythms. It counts as at least ``shortest_days`` and at most ``longest_days``.

    Attributes:
        new_days: A member who ordered once is new for so many days.
        at_risk_after: Rhythms without an order after which they are at risk.
        lapsed_after: Rhythms without an order after which they have lapsed.
        own_rhythm_orders: Orders from which on their own rhythm counts, at least 2.
        shortest_days: Lower limit of a rhythm.
        longest_days: Upper limit of a rhythm.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    new_days: int = Field(default=30, ge=0)
    at_risk_after: float = Field(default=1.5, gt=0)
    lapsed_after: float = 3.0
    own_rhythm_orders: int = Field(default=4, ge=2)
    shortest_days: float = Field(default=7.0, gt=0)
    longest_days: float = 180.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.at_risk_after >= self.lapsed_after:
            raise ValueError("lapsed_after must be above at_risk_after")
        if self.shortest_days > self.longest_days:
            raise ValueError("longest_days must be at least shortest_days")
        return self


def lifecycle_stages(orders: pl.DataFrame, as_of: date, rules: LifecycleRules) -> pl.DataFrame:
    """Return ``member``, ``rhythm_days`` and ``lifecycle_stage``, sorted by member.

    In this order: who has waited longer than ``lapsed_after`` rhythms has lapsed, longer than ``at_risk_after`` is at risk; who ordered once,
    within ``new_days``, is new; whose last order came after a gap of more than ``lapsed_after`` rhythms is won back; everybody else is active.

    Args:
        orders: ``member`` and ``day``, one row per order, sorted.
        as_of: The last day that is observed; later orders must not be there.
        rules: When which stage begins.
    """
    members = orders.group_by("member", maintain_order=True).agg(
        first=pl.col("day").min(),
        last=pl.col("day").max(),
        orders=pl.len(),
        last_gap=pl.col("day").diff().dt.total_days().last(),
        earlier=pl.col("day").slice(0, pl.len() - 1).max(),
    )
    own = (pl.col("last") - pl.col("first")).dt.total_days() / (pl.col("orders") - 1)
    regular = pl.col("orders") >= rules.own_rhythm_orders
    common = members.filter(regular).select(own.median()).item()
    repeated = members.filter(pl.col("orders") > 1).select(own.median()).item()
    usual = common if common is not None else repeated
    usual = rules.longest_days if usual is None else usual
    # A gap that ended with the last order is not part of the rhythm that it broke.
    before = (pl.col("earlier") - pl.col("first")).dt.total_days() / (pl.col("orders") - 2)
    within = (rules.shortest_days, rules.longest_days)
    recency = (pl.lit(as_of) - pl.col("last")).dt.total_days()
    return members.with_columns(
        rhythm_days=pl.when(regular).then(own).otherwise(usual).clip(*within),
        rhythm_before=pl.when(pl.col("orders") > rules.own_rhythm_orders)
        .then(before)
        .otherwise(usual)
        .clip(*within),
    ).select(
        "member",
        "rhythm_days",
        lifecycle_stage=pl.when(recency > rules.lapsed_after * pl.col("rhythm_days"))
        .then(pl.lit(Stage.LAPSED.value))
        .when(recency > rules.at_risk_after * pl.col("rhythm_days"))
        .then(pl.lit(Stage.AT_RISK.value))
        .when((pl.col("orders") == 1) & (recency <= rules.new_days))
        .then(pl.lit(Stage.NEW.value))
        .when(pl.col("last_gap") > rules.lapsed_after * pl.col("rhythm_before"))
        .then(pl.lit(Stage.WON_BACK.value))
        .otherwise(pl.lit(Stage.ACTIVE.value)),
    )


def movements(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return ``before``, ``after``, ``members``: how many moved from which stage to which; who was not there yet comes from ``none``.

    Args:
        before: Stages at an earlier day.
        after: Stages now.
    """
    joined = after.select("member", after="lifecycle_stage").join(
        before.select("member", before="lifecycle_stage"), on="member", how="left"
    )
    return (
        joined.with_columns(pl.col("before").fill_null("none"))
        .group_by("before", "after")
        .agg(members=pl.len())
        .sort("before", "after")
    )


_Z = float(ndtri(0.975))


def retention(orders: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``cohort`` (first day of a month), ``months``, ``members``, ``retained``, ``share``, ``lower``, ``upper``, ``spend``.

    A member is retained in a month after their first one if they order in it. Months that are not over on ``as_of`` are left out. The
    interval is Wilson's (1927) at 95 %.

    Args:
        orders: ``member``, ``day``, ``value``.
        as_of: The last day that is observed.
    """
    month = pl.col("day").dt.truncate("1mo")
    frame = orders.with_columns(cohort=month.min().over("member"))
    sizes = frame.group_by("cohort").agg(members=pl.col("member").n_unique())
    number = (month.dt.year() - pl.col("cohort").dt.year()).cast(pl.Int32) * 12 + (
        month.dt.month().cast(pl.Int32) - pl.col("cohort").dt.month().cast(pl.Int32)
    )
    cells = frame.group_by("cohort", months=number).agg(
        retained=pl.col("member").n_unique(), spend=pl.col("value").sum()
    )
    end = date(as_of.year, as_of.month, 1)
    whole = (
        sizes.with_columns(
            months=pl.int_ranges(
                0,
                (pl.lit(end.year) - pl.col("cohort").dt.year()).cast(pl.Int32) * 12
                + (pl.lit(end.month) - pl.col("cohort").dt.month().cast(pl.Int32)),
                dtype=pl.Int32,
            )
        )
        .explode("months")
        .filter(pl.col("months").is_not_null())
    )
    joined = whole.join(cells, on=["cohort", "months"], how="left").with_columns(
        pl.col("retained").fill_null(0), pl.col("spend").fill_null(0.0)
    )
    n, share = pl.col("members"), pl.col("share")
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * (share * (1 - share) / n + _Z**2 / (4 * n**2)).sqrt()
    return (
        joined.with_columns(share=pl.col("retained") / n)
        .with_columns(lower=(middle - half).clip(0.0), upper=(middle + half).clip(None, 1.0))
        .select("cohort", "months", "members", "retained", "share", "lower", "upper", "spend")
        .sort("cohort", "months")
    )


def repurchase(orders: pl.DataFrame, as_of: date, days: tuple[int, ...] = (30, 60, 90)) -> pl.DataFrame:
    """Return ``days``, ``share``, ``standard_error``, ``at_risk``: the share of members who order again within so many days of the first order.

    Kaplan & Meier (1958) with Greenwood's error, so that members who have not been watched for so long count for as long as they were.

    Args:
        orders: ``member``, ``day``, one row per order, sorted.
        as_of: The last day that is observed.
        days: How many.
    """
    members = orders.group_by("member", maintain_order=True).agg(
        first=pl.col("day").first(), second=pl.col("day").get(1, null_on_oob=True)
    )
    times = members.select(
        time=(pl.col("second").fill_null(pl.lit(as_of)) - pl.col("first")).dt.total_days(),
        again=pl.col("second").is_not_null(),
    )
    table = times.group_by("time").agg(again=pl.col("again").sum(), left=pl.len()).sort("time")
    rows = []
    for horizon in days:
        staying, spread, risk = 1.0, 0.0, times.height
        for time, again, left in table.iter_rows():
            if time > horizon:
                break
            staying *= 1 - again / risk
            spread += again / (risk * (risk - again)) if risk > again else 0.0
            risk -= left
        rows.append((horizon, 1 - staying, staying * spread**0.5, risk))
    return pl.DataFrame(rows, schema=["days", "share", "standard_error", "at_risk"], orient="row")
