"""Where members are in their life with the programme, by their own rhythm, and how they moved."""

from datetime import date
from enum import StrEnum
from typing import Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Stage(StrEnum):
    """A stage of life."""

    NEW = "new"
    ACTIVE = "active"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"
    WON_BACK = "won_back"


class LifecycleRules(BaseModel):
    """When which stage begins.

    A member's rhythm is her mean days between orders, once she has ``own_rhythm_orders``; before, the median of all those members'
    rhythms. It counts as at least ``shortest_days`` and at most ``longest_days``.

    Attributes:
        new_days: A member who ordered once is new for so many days.
        at_risk_after: Rhythms without an order after which she is at risk.
        lapsed_after: Rhythms without an order after which she has lapsed.
        own_rhythm_orders: Orders from which on her own rhythm counts, at least 2.
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
    # A gap that ended with the last order is no part of the rhythm that it broke.
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
