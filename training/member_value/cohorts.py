"""Cohorts by the month of the first order: who comes back, what they spend, and how soon a second order follows."""

from datetime import date

import polars as pl
from scipy.special import ndtri

_Z = float(ndtri(0.975))


def retention(orders: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``cohort`` (first day of a month), ``months``, ``members``, ``retained``, ``share``, ``lower``, ``upper``, ``spend``.

    A member is retained in a month after her first one if she orders in it. Months that are not over on ``as_of`` are left out. The
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
