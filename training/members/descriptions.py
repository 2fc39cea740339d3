"""What describes members: RFM scores and segments, preferences, sensitivity to discounts, and what they answered in surveys."""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtri

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

    Price sensitivity is the probability that an order of theirs has a discount: (a + k) / (a + b + n) with k of their n orders discounted, where
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


PROMOTER, DETRACTOR = 9, 6
"""Scores of 0 to 10 from 9 on promote, up to 6 detract (Reichheld 2003)."""


@dataclass(frozen=True, slots=True)
class PromoterScore:
    """The net promoter score of a programme.

    Attributes:
        score: Promoters less detractors, in hundredths of the members asked.
        standard_error: By the multinomial variance p + d − (p − d)².
        lower: Lower end of the 95 % interval.
        upper: Its upper end.
        members: Who answered.
    """

    score: float
    standard_error: float
    lower: float
    upper: float
    members: int


def latest_scores(answers: pl.DataFrame) -> pl.DataFrame:
    """Return ``member``, ``nps_score`` and ``nps_group``: each member's last answer; of several at one time the lowest.

    Args:
        answers: ``member``, ``time``, ``score`` from 0 to 10.
    """
    last = (
        answers.sort("member", "time", "score", descending=[False, False, True])
        .group_by("member", maintain_order=True)
        .agg(nps_score=pl.col("score").last())
    )
    return last.with_columns(
        nps_group=pl.when(pl.col("nps_score") >= PROMOTER)
        .then(pl.lit("promoter"))
        .when(pl.col("nps_score") > DETRACTOR)
        .then(pl.lit("passive"))
        .otherwise(pl.lit("detractor"))
    )


def promoter_score(latest: pl.DataFrame) -> PromoterScore:
    """Return the programme's score from each member's latest answer.

    Args:
        latest: ``nps_group``, a row per member, at least one.
    """
    n = latest.height
    p = latest.filter(pl.col("nps_group") == "promoter").height / n
    d = latest.filter(pl.col("nps_group") == "detractor").height / n
    error = math.sqrt(max(p + d - (p - d) ** 2, 0.0) / n)
    half = float(ndtri(0.975)) * error
    return PromoterScore(
        100 * (p - d), 100 * error, 100 * max(p - d - half, -1.0), 100 * min(p - d + half, 1.0), n
    )


SCORES = 5

_GRID = {
    5: ("new", "potential_loyal", "potential_loyal", "champions", "champions"),
    4: ("promising", "potential_loyal", "potential_loyal", "loyal", "loyal"),
    3: ("about_to_sleep", "about_to_sleep", "needs_attention", "loyal", "loyal"),
    2: ("hibernating", "hibernating", "at_risk", "at_risk", "cannot_lose"),
    1: ("lost", "lost", "at_risk", "cannot_lose", "cannot_lose"),
}
"""Segments by recency score, then by value score 1 to 5."""

SEGMENTS = tuple(dict.fromkeys(segment for row in _GRID.values() for segment in row))


def rfm_table(members: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Return ``recency_days``, ``rfm_recency``, ``rfm_frequency``, ``rfm_monetary`` and ``rfm_segment``, row by row.

    Recency is the days since the last order, frequency the orders ever, monetary value all spend less what was returned. A score is
    1 plus five times the share of members who do worse, rounded down: equal values have equal scores, whatever the order of rows.

    Args:
        members: ``last`` (day of the last order), ``orders``, ``spend``.
        as_of: The last day that is observed.
    """
    recency = (pl.lit(as_of) - pl.col("last")).dt.total_days().cast(pl.Int64)
    table = members.select(recency_days=recency)
    r = score(-table["recency_days"].to_numpy().astype(np.float64))
    f = score(members["orders"].to_numpy().astype(np.float64))
    m = score(members["spend"].to_numpy().astype(np.float64))
    return table.with_columns(
        rfm_recency=pl.Series(r),
        rfm_frequency=pl.Series(f),
        rfm_monetary=pl.Series(m),
        rfm_segment=pl.Series(
            [segment(*cell) for cell in zip(r.tolist(), f.tolist(), m.tolist(), strict=True)], dtype=pl.String
        ),
    )


def score(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return int64[n] from 1 to 5, more being better.

    Args:
        values: float64[n], finite.
    """
    ordered = np.sort(values)
    worse = np.searchsorted(ordered, values, side="left")
    scores: npt.NDArray[np.int64] = 1 + worse * SCORES // max(len(values), 1)
    return scores


def segment(recency: int, frequency: int, monetary: int) -> str:
    """Return the segment of three scores: by recency, and by the mean of the other two, a half rounded up.

    Args:
        recency: Score from 1 to 5.
        frequency: Score from 1 to 5.
        monetary: Score from 1 to 5.
    """
    return _GRID[recency][(frequency + monetary + 1) // 2 - 1]
