"""The member table: one row per member with everything that is known and expected of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from training.members.descriptions import discount_sensitivity, latest_scores, preferred, rfm_table
from training.members.forecast import Forecast
from training.members.lifecycle import lifecycle_stages
from training.members.orders import Orders
from training.members.points import balances
from training.members.rules import MemberRules
from training.members.tiers import tier_table


@dataclass(frozen=True, slots=True)
class Beside:
    """Tables beside the transactions; ``None`` where they were not given.

    Attributes:
        points: As ``read_points`` returns it.
        answers: ``member``, ``time``, ``score``.
        attributes: ``member`` and columns to carry over.
    """

    points: pl.DataFrame | None = None
    answers: pl.DataFrame | None = None
    attributes: pl.DataFrame | None = None


def member_table(orders: Orders, found: Forecast, rules: MemberRules, beside: Beside) -> pl.DataFrame:
    """Return the table, sorted by ``member_id``; its columns are documented in docs/members.md.

    Args:
        orders: Everything bought.
        found: What is expected.
        rules: Conventions.
        beside: Other tables.
    """
    bought, as_of = orders.orders, orders.as_of
    members = bought.group_by("member", maintain_order=True).agg(
        first=pl.col("day").min(),
        last=pl.col("day").max(),
        orders=pl.len().cast(pl.Int64),
        gross=pl.col("value").sum(),
    )
    returned = orders.lines.group_by("member").agg(pl.col("returned").sum())
    members = members.join(returned, on="member", how="left", maintain_order="left").with_columns(
        spend=pl.col("gross") - pl.col("returned")
    )
    table = members.select(
        "member",
        as_of=pl.lit(as_of),
        first_order_date="first",
        last_order_date="last",
        orders="orders",
        spend="spend",
        returned="returned",
        mean_order=pl.col("gross") / pl.col("orders"),
    )
    table = pl.concat([table, rfm_table(members, as_of)], how="horizontal")
    stages = lifecycle_stages(bought, as_of, rules.lifecycle)
    table = pl.concat([table, stages.drop("member")], how="horizontal").with_columns(
        expected_orders=pl.Series(found.expected_orders).fill_nan(None),
        churn_probability=pl.Series(found.no_order).fill_nan(None),
        expected_order_value=pl.Series(found.order_value).fill_nan(None),
        clv=pl.Series(found.value).fill_nan(None),
    )
    for part in _joined(orders, members, rules, beside):
        table = table.join(part, on="member", how="left", maintain_order="left")
    return table.rename({"member": "member_id"})


def _joined(orders: Orders, members: pl.DataFrame, rules: MemberRules, beside: Beside) -> list[pl.DataFrame]:
    lines, as_of = orders.lines, orders.as_of
    parts = []
    if rules.tiers.tiers:
        parts.append(tier_table(_net_orders(orders), as_of, rules.tiers))
    if beside.points is not None:
        parts.append(_points(beside.points, as_of))
    if "discount" in orders.has:
        parts.append(discount_sensitivity(lines))
    if "category" in orders.has:
        best = preferred(lines, as_of, "category")
        parts.append(
            best.select(
                "member",
                preferred_category=pl.col("values").list.first(),
                preferred_categories=pl.col("values").list.join(", "),
            )
        )
    if "channel" in orders.has:
        parts.append(
            preferred(lines, as_of, "channel").select(
                "member", preferred_channel=pl.col("values").list.first()
            )
        )
    if beside.answers is not None:
        parts.append(latest_scores(beside.answers))
    if beside.attributes is not None:
        parts.append(beside.attributes.join(members.select("member"), on="member", how="semi"))
    return parts


def _net_orders(orders: Orders) -> pl.DataFrame:
    """Return orders with the day's returns taken off; a day of returns alone counts no order, but its money on the order before it."""
    days = (
        orders.lines.group_by("member", "day", maintain_order=True)
        .agg(
            value=pl.col("value").sum() - pl.col("returned").sum(),
            bought=pl.col("value").is_not_null().any(),
        )
        .with_columns(number=pl.col("bought").cum_sum().over("member"))
    )
    return (
        days.filter(pl.col("number") > 0)
        .group_by("member", "number", maintain_order=True)
        .agg(pl.col("day").first(), pl.col("value").sum())
        .select("member", "day", "value")
    )


def _points(points: pl.DataFrame, as_of: date) -> pl.DataFrame:
    found = balances(points, as_of)
    moments = [
        None if day is None else datetime.combine(day + timedelta(days=1), time(), UTC)
        for day in found["points_expiry_date"].to_list()
    ]
    return found.select(
        "member",
        pl.col("points_balance").floor().cast(pl.Int64),
        pl.Series("points_expire_time", moments, dtype=pl.Datetime("us", "UTC")),
        pl.col("points_expiring").floor().cast(pl.Int64),
        pl.col("points_expired").floor().cast(pl.Int64),
    )
