"""What each decided candidate earned: the view from which models can be trained, and evidence counted."""

import polars as pl

from experiments.attribution.decided import Decided, decided
from experiments.attribution.rules import AttributionRules, Status
from experiments.attribution.schema import OUTCOME_SUMS, TOUCH_COLUMNS
from experiments.log.attribution import credit
from experiments.log.frames import EventFrames


def touches(
    frames: EventFrames, rules: AttributionRules, credited: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return every candidate that was decided, with the sums of the outcomes credited to it.

    Args:
        frames: The log.
        rules: Windows, and which decisions can earn credit.
        credited: What ``attribute`` gave for the same frames and rules; worked out if not given.

    Returns:
        Columns ``TOUCH_COLUMNS``, the earliest decision first, best candidate first.
    """
    given = decided(frames, rules)
    earned = (credit(frames, given, rules) if credited is None else credited).filter(
        pl.col("status") == Status.ATTRIBUTED
    )
    own = earned.drop_nulls("candidate_id")
    whole = earned.filter(pl.col("candidate_id").is_null())
    by_candidate = ["decision_id", "candidate_id"]
    return (
        _rows(given)
        .join(_totals(own, rules), on=by_candidate, how="left", maintain_order="left")
        .join(_by_type(own, by_candidate, "outcomes"), on=by_candidate, how="left", maintain_order="left")
        .join(
            _by_type(whole, ["decision_id"], "decision_outcomes"),
            on="decision_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col("responded").fill_null(value=False),
            pl.when(pl.col("currencies") > 1)
            .then(None)
            .otherwise(pl.col("value").fill_null(0.0))
            .alias("value"),
            pl.col("outcomes", "decision_outcomes").fill_null(pl.lit([], OUTCOME_SUMS)),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in TOUCH_COLUMNS.items())
    )


def evidence(touched: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Return how often each candidate was decided and how many of these decisions it was responded to.

    Args:
        touched: What ``touches`` gave, or a part of it.

    Returns:
        By candidate id, in the order of ids: decisions, responses.
    """
    counts = touched.group_by("candidate_id").agg(pl.len(), pl.col("responded").sum()).sort("candidate_id")
    return {candidate_id: (decisions, responses) for candidate_id, decisions, responses in counts.iter_rows()}


def _rows(given: Decided) -> pl.DataFrame:
    about = given.decisions.drop("channel_id").with_columns(exposed=pl.col("expose_time").is_not_null())
    return given.candidates.join(about, on="place", how="left", maintain_order="left")


def _totals(credited: pl.DataFrame, rules: AttributionRules) -> pl.DataFrame:
    response = pl.col("outcome_type").is_in(rules.response_types)
    currency = pl.col("currency_code").filter(pl.col("value").is_not_null())
    return credited.group_by("decision_id", "candidate_id").agg(
        responded=response.any(),
        response_time=pl.col("outcome_time").filter(response).min(),
        value=pl.col("value").sum(),
        currencies=currency.n_unique(),
        currency_code=pl.when(currency.n_unique() == 1).then(currency.first()),
    )


def _by_type(credited: pl.DataFrame, keys: list[str], name: str) -> pl.DataFrame:
    return (
        credited.group_by(*keys, "outcome_type")
        .agg(pl.len().cast(pl.Int64).alias("count"), pl.col("value").sum())
        .sort("outcome_type")
        .group_by(keys, maintain_order=True)
        .agg(pl.struct("outcome_type", "count", "value").alias(name))
    )
