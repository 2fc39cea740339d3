"""Gives each outcome to one decision, or says why to none."""

import polars as pl

from experiments.attribution.decided import Decided, decided
from experiments.attribution.rules import AttributionRules, Rule, Status
from experiments.attribution.schema import CREDIT_COLUMNS
from experiments.log.frames import EventFrames, as_members


def attribute(frames: EventFrames, rules: AttributionRules) -> pl.DataFrame:
    """Return each outcome with the decision and the candidate that earn the credit for it.

    An outcome is credited once. One that names a decision goes to it, whatever the clocks say of their order; else one
    that names an offer goes to the member's latest decision at or before it that gave this offer; else one goes to the
    member's latest decision at or before it. The decision must have given something, and its window must not be over;
    under ``EXPOSED_LAST_TOUCH`` it must have been exposed at or before the outcome. Of decisions at the same time the one
    with the larger id is the latest. An event id that is there twice counts once.

    Args:
        frames: The log.
        rules: Windows, and which decisions can earn credit.

    Returns:
        Columns ``CREDIT_COLUMNS``, in the order of the log.
    """
    return credit(frames, decided(frames, rules), rules)


def credit(frames: EventFrames, given: Decided, rules: AttributionRules) -> pl.DataFrame:
    """Return what ``attribute`` does, for decisions that are prepared already."""
    outcomes = (
        as_members(frames.outcomes, frames.identities)
        .unique("event_id", keep="first", maintain_order=True)
        .rename({"decision_id": "named_id"})
        .with_row_index("row")
    )
    names_decision, names_offer = pl.col("named_id").is_not_null(), pl.col("offer_id").is_not_null()
    unnamed = outcomes.filter(~names_decision & ~names_offer)
    found = pl.concat(
        [
            _by_decision(outcomes.filter(names_decision), given, rules),
            _by_offer(outcomes.filter(~names_decision & names_offer), given, rules),
            _by_member(unnamed if rules.credit_unnamed else unnamed.clear(), given, rules),
        ]
    )
    about = given.decisions.select("place", "decision_id", "placement_id", "decide_time")
    attributed = pl.col("status") == Status.ATTRIBUTED
    return (
        outcomes.join(found, on="row", how="left", maintain_order="left")
        .with_columns(pl.col("status").fill_null(Status.NO_DECISION.value))
        .with_columns(pl.when(attributed).then(name).alias(name) for name in ("place", "candidate_id"))
        .join(about, on="place", how="left", maintain_order="left")
        .select(pl.col(name).cast(dtype) for name, dtype in CREDIT_COLUMNS.items())
    )


def _by_decision(outcomes: pl.DataFrame, given: Decided, rules: AttributionRules) -> pl.DataFrame:
    about = given.decisions.select(
        "place", "window_end_time", "expose_time", owner="member_id", named_id="decision_id"
    )
    pairs = given.candidates.select("place", "candidate_id")
    sole = pairs.group_by("place").agg(sole_id=pl.when(pl.len() == 1).then(pl.col("candidate_id").first()))
    hit = pairs.with_columns(offer_id="candidate_id")
    joined = (
        outcomes.select("row", "named_id", "offer_id", "member_id", "outcome_time")
        .join(about, on="named_id")
        .join(hit, on=["place", "offer_id"], how="left")
        .join(sole, on="place", how="left")
    )
    return joined.select(
        "row",
        "place",
        _status(rules, other_member=pl.col("owner") != pl.col("member_id")),
        # Who speaks of a decision that gave one thing only speaks of that thing.
        candidate_id=pl.when(pl.col("offer_id").is_null()).then("sole_id").otherwise("candidate_id"),
    )


def _by_offer(outcomes: pl.DataFrame, given: Decided, rules: AttributionRules) -> pl.DataFrame:
    touched = given.candidates.select("place", offer_id="candidate_id").join(given.decisions, on="place")
    found = _latest(outcomes, touched, ["member_id", "offer_id"], rules)
    return found.join(outcomes.select("row", candidate_id="offer_id"), on="row")


def _by_member(outcomes: pl.DataFrame, given: Decided, rules: AttributionRules) -> pl.DataFrame:
    found = _latest(outcomes, given.decisions, ["member_id"], rules)
    return found.with_columns(candidate_id=pl.lit(None, pl.String))


def _latest(
    outcomes: pl.DataFrame, touched: pl.DataFrame, keys: list[str], rules: AttributionRules
) -> pl.DataFrame:
    """Return each outcome's latest decision among those with the same keys, with its status.

    Within the decisions of one window, the latest is out of its window only if all are. So it is found for each window
    by itself; of those that can earn the credit the latest earns it.
    """
    asked = outcomes.select("row", "outcome_time", *keys).sort("outcome_time")
    touched = touched.select("place", "decide_time", "window_end_time", "expose_time", *keys).with_columns(
        window=pl.col("window_end_time") - pl.col("decide_time")
    )
    found = [
        _latest_of_window(asked, own, keys, exposed=exposed).with_columns(_status(rules))
        for own in touched.partition_by("window", include_key=False)
        for exposed in ((True, False) if rules.rule == Rule.EXPOSED_LAST_TOUCH else (False,))
    ]
    nothing = asked.select("row", pl.lit(None, pl.UInt32).alias("place"), pl.lit("").alias("status")).clear()
    # Of what does not earn it, a decision within its window says most about why not.
    merit = pl.col("status").replace_strict(
        {Status.ATTRIBUTED.value: 2, Status.NOT_EXPOSED.value: 1}, default=0, return_dtype=pl.Int8
    )
    return (
        pl.concat([nothing, *(one.select("row", "place", "status") for one in found)])
        .sort(merit, "place")
        .unique("row", keep="last", maintain_order=True)
    )


def _latest_of_window(
    asked: pl.DataFrame, touched: pl.DataFrame, keys: list[str], *, exposed: bool
) -> pl.DataFrame:
    """Return the latest decision at or before each outcome, whose exposure, if asked for, was at or before it too."""
    ready = pl.max_horizontal("decide_time", "expose_time") if exposed else pl.col("decide_time")
    steps = (
        (touched.drop_nulls("expose_time") if exposed else touched)
        .with_columns(ready_time=ready)
        .sort("ready_time", "place")
        # A decision exposed later may have been made earlier; the latest made counts.
        .select("ready_time", *keys, place=pl.col("place").cum_max().over(keys))
        .unique(["ready_time", *keys], keep="last", maintain_order=True)
    )
    about = touched.select("place", "window_end_time", "expose_time").unique("place")
    return asked.join_asof(
        steps,
        left_on="outcome_time",
        right_on="ready_time",
        by=keys,
        strategy="backward",
        check_sortedness=False,
    ).join(about, on="place")


def _status(rules: AttributionRules, other_member: pl.Expr | None = None) -> pl.Expr:
    """Return what becomes of an outcome, given the decision that it is joined to."""
    late = pl.col("outcome_time") > pl.col("window_end_time")
    unseen = ~(pl.col("expose_time") <= pl.col("outcome_time")).fill_null(value=False)
    return (
        pl.when(pl.lit(value=False) if other_member is None else other_member)
        .then(pl.lit(Status.OTHER_MEMBER.value))
        .when(late)
        .then(pl.lit(Status.LATE.value))
        .when(unseen if rules.rule == Rule.EXPOSED_LAST_TOUCH else pl.lit(value=False))
        .then(pl.lit(Status.NOT_EXPOSED.value))
        .otherwise(pl.lit(Status.ATTRIBUTED.value))
        .alias("status")
    )
