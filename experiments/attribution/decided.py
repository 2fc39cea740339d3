"""Decisions and what they gave, as frames that outcomes can be joined to."""

from dataclasses import dataclass

import polars as pl

from experiments.attribution.rules import AttributionRules
from experiments.log.events import ACTIONS, OFFERS
from experiments.log.frames import EventFrames, as_members


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided.

    Attributes:
        decisions: One row per decision that gave something, the earliest first and at the same time by id. ``place`` is the
            row's number, so that the latest of several decisions is the one with the largest place. ``window_end_time`` is
            the last moment that counts; ``expose_time`` the first exposure, null if there was none.
        candidates: One row per decision and candidate: ``place``, ``candidate_id``, ``channel_id``, ``rank``, ``score``,
            ``propensity``, in the order of places and ranks.
    """

    decisions: pl.DataFrame
    candidates: pl.DataFrame


def decided(frames: EventFrames, rules: AttributionRules) -> Decided:
    """Return the decisions with their candidates, anonymous ids replaced by those of members."""
    days = pl.col("placement_id").replace_strict(
        dict(rules.windows), default=rules.default_window_days, return_dtype=pl.Float64
    )
    window = pl.duration(microseconds=(days * 86_400e6).round().cast(pl.Int64))
    kind = pl.col("kind").fill_null(OFFERS)
    given = pl.when(kind == ACTIONS).then(pl.col("actions").list.len()).otherwise(pl.col("offers").list.len())
    decisions = (
        as_members(frames.decisions, frames.identities)
        .unique("decision_id", keep="first")
        .filter(given > 0)
        .sort("decide_time", "decision_id")
        .with_row_index("place")
        .with_columns(kind=kind, window_end_time=pl.col("decide_time") + window)
        .join(_first_exposures(frames, rules), on="decision_id", how="left", maintain_order="left")
    )
    return Decided(decisions.drop("offers", "actions"), _candidates(decisions))


def _candidates(decisions: pl.DataFrame) -> pl.DataFrame:
    named = ("candidate_id", "channel_id", "rank", "score", "propensity")
    offers = (
        decisions.filter(pl.col("kind") == OFFERS)
        .select("place", "channel_id", "offers")
        .explode("offers")
        .unnest("offers")
        .rename({"offer_id": "candidate_id"})
    )
    actions = (
        decisions.filter(pl.col("kind") == ACTIONS)
        .select("place", "actions")
        .explode("actions")
        .unnest("actions")
        .rename({"action_id": "candidate_id"})
        .with_columns(channel_id=pl.when(pl.col("channel_id") != "").then("channel_id"))
    )
    return (
        pl.concat([part.select("place", *named) for part in (offers, actions)])
        .sort("place", "rank")
        .unique(["place", "candidate_id"], keep="first", maintain_order=True)
    )


def _first_exposures(frames: EventFrames, rules: AttributionRules) -> pl.DataFrame:
    seen = frames.outcomes.filter(pl.col("outcome_type").is_in(rules.exposure_types))
    return (
        pl.concat(
            [
                seen.select("decision_id", expose_time="outcome_time"),
                frames.exposures.select("decision_id", "expose_time"),
            ]
        )
        .drop_nulls("decision_id")
        .group_by("decision_id")
        .agg(pl.col("expose_time").min())
    )
