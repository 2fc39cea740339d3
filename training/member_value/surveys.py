"""What members say: the latest answers of each, and the programme's net promoter score with its error."""

import math
from dataclasses import dataclass

import polars as pl
from scipy.special import ndtri

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
