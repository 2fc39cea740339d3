"""What members like: the categories and the channel of their spend, recent spend counting more; and how far discounts move them."""

from datetime import date

import numpy as np
import polars as pl

HALF_LIFE_DAYS = 180.0
_MOST = 3


def preferred(lines: pl.DataFrame, as_of: date, column: str) -> pl.DataFrame:
    """Return ``member`` and ``values``: the values of a column with the most spend, best first, at most 3.

    Spend counts half after 180 days, a quarter after 360. Equal ones are ordered by name.

    Args:
        lines: ``member``, ``day``, ``value`` and the column; nulls are left out.
        as_of: The last day that is observed.
        column: ``category`` or ``channel``.
    """
    age = (pl.lit(as_of) - pl.col("day")).dt.total_days()
    weighed = lines.filter(pl.col(column).is_not_null() & pl.col("value").is_not_null()).with_columns(
        weight=pl.col("value") * (0.5 ** (age / HALF_LIFE_DAYS))
    )
    ranked = (
        weighed.group_by("member", column)
        .agg(pl.col("weight").sum())
        .sort("member", "weight", column, descending=[False, True, False])
    )
    return ranked.group_by("member", maintain_order=True).agg(values=pl.col(column).head(_MOST))


def discount_sensitivity(lines: pl.DataFrame) -> pl.DataFrame:
    """Return ``member``, ``price_sensitivity`` and ``discount_depth``, sorted by member.

    Price sensitivity is the probability that an order of hers has a discount: (a + k) / (a + b + n) with k of her n orders discounted, where
    a and b are those of the beta distribution with the mean and the variance of all members' shares (method of moments for the
    beta-binomial, Skellam 1948), so that who ordered once is told from nobody. Depth is the share of the price that discounts took off.

    Args:
        lines: ``member``, ``day``, ``value``, ``discounted`` and ``discount``.
    """
    days = (
        lines.filter(pl.col("value").is_not_null())
        .group_by("member", "day")
        .agg(pl.col("discounted").any(), pl.col("discount").sum(), pl.col("value").sum())
    )
    members = (
        days.group_by("member")
        .agg(
            n=pl.len(), k=pl.col("discounted").sum(), off=pl.col("discount").sum(), paid=pl.col("value").sum()
        )
        .sort("member")
    )
    a, b = beta_of(members["k"].to_numpy().astype(np.float64), members["n"].to_numpy().astype(np.float64))
    price = pl.col("paid") + pl.col("off")
    return members.select(
        "member",
        price_sensitivity=(a + pl.col("k")) / (a + b + pl.col("n")),
        discount_depth=pl.when(price > 0).then(pl.col("off") / price),
    )


def beta_of(
    k: np.ndarray[tuple[int], np.dtype[np.float64]], n: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> tuple[float, float]:
    """Return a and b of the beta distribution of members' shares, from k of n, by moments.

    Args:
        k: float64[members], at most n.
        n: float64[members], at least 1.
    """
    mean = float(k.sum() / n.sum())
    if not 0 < mean < 1:
        return max(mean, 1e-6), max(1 - mean, 1e-6)
    share = k / n
    total, squares = n.sum(), (n**2).sum()
    between = float((n * (share - mean) ** 2).sum())
    # The sum is expected to be mean (1 - mean) [(members - 1) + overdispersion * free], with overdispersion 1 / (a + b + 1).
    members = len(n)
    free = total - squares / total - (members - 1)
    overdispersion = (between / (mean * (1 - mean)) - (members - 1)) / free if free > 0 else 0.0
    strength = 1 / min(max(overdispersion, 1e-3), 0.5) - 1
    return mean * strength, (1 - mean) * strength
