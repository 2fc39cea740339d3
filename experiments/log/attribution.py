"""Attribution: gives each outcome to one decision, or says why to none, and counts what each decided candidate earned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from experiments.errors import AnalysisError
from experiments.log.events import ACTIONS, OFFERS
from experiments.log.frames import EventFrames, as_members

DEFAULT_WINDOW_DAYS = 14.0
"""The window of placements for which none is given; the same as a catalogue's default."""

MAX_WINDOW_DAYS = 366.0
"""The longest window."""


class AttributionRule(StrEnum):
    """Which decisions can earn credit: all that gave something, or only those that were exposed by then."""

    LAST_TOUCH = "last_touch"
    EXPOSED_LAST_TOUCH = "exposed_last_touch"


class Status(StrEnum):
    """What became of an outcome."""

    ATTRIBUTED = "attributed"
    """Credited to one decision."""

    LATE = "late"
    """There is a decision for it, but its window was over."""

    NOT_EXPOSED = "not_exposed"
    """There is a decision for it within the window, but it had not been exposed."""

    OTHER_MEMBER = "other_member"
    """It names the decision of another member."""

    NO_DECISION = "no_decision"
    """Nothing was decided before it that it could be due to."""


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """How outcomes are joined to decisions.

    Attributes:
        windows: Days after a decision in which an outcome can be due to it, above 0, by placement id. A day is 24 hours.
        rule: Which decisions can earn credit.
        default_window_days: The window of placements that ``windows`` does not name.
        exposure_types: Types of outcomes that show, where they name a decision, that its answer was seen.
        response_types: Types of outcomes that count as a response to the candidate that they are credited to.
        credit_unnamed: Whether an outcome that names neither decision nor offer, such as a purchase, is credited to the
            member's latest decision.

    Raises:
        AnalysisError: A window is out of range, or the rule is unknown.
    """

    windows: Mapping[str, float] = field(default_factory=dict)
    rule: AttributionRule = AttributionRule.LAST_TOUCH
    default_window_days: float = DEFAULT_WINDOW_DAYS
    exposure_types: tuple[str, ...] = ("impression", "view", "click")
    response_types: tuple[str, ...] = ("click", "redemption", "purchase")
    credit_unnamed: bool = True

    def __post_init__(self) -> None:
        if self.rule not in tuple(AttributionRule):
            raise AnalysisError(
                f"There is no attribution rule {self.rule!r}; the rules are {', '.join(AttributionRule)}.",
                rule=self.rule,
            )
        named = {f"of placement {placement!r}": days for placement, days in self.windows.items()}
        for whose, days in {**named, "by default": self.default_window_days}.items():
            if not (math.isfinite(days) and 0 < days <= MAX_WINDOW_DAYS):
                raise AnalysisError(
                    f"The attribution window {whose} is {days:g} days; it must be above 0 and at most"
                    f" {MAX_WINDOW_DAYS:g}."
                )


_TIME = pl.Datetime("us", "UTC")

OUTCOME_SUMS = pl.List(pl.Struct({"outcome_type": pl.String, "count": pl.Int64, "value": pl.Float64}))
"""Outcomes by type, in the order of types: how many, and their money added up, 0 where none has a value."""

CREDIT_COLUMNS: dict[str, pl.DataType] = {
    "programme": pl.String(),
    "event_id": pl.String(),
    "member_id": pl.String(),
    "outcome_type": pl.String(),
    "outcome_time": _TIME,
    "value": pl.Float64(),
    "currency_code": pl.String(),
    "status": pl.String(),
    "decision_id": pl.String(),
    "placement_id": pl.String(),
    "decide_time": _TIME,
    "candidate_id": pl.String(),
}
"""Columns of ``attribute``, one row per outcome. ``status`` is a value of ``Status``; ``decision_id``, ``placement_id`` and
``decide_time`` are null unless it is ``attributed``. ``candidate_id`` is the offer or action that earns the credit, null where
it is the decision as a whole."""

TOUCH_COLUMNS: dict[str, pl.DataType] = {
    "programme": pl.String(),
    "decision_id": pl.String(),
    "member_id": pl.String(),
    "placement_id": pl.String(),
    "campaign_id": pl.String(),
    "kind": pl.String(),
    "candidate_id": pl.String(),
    "channel_id": pl.String(),
    "rank": pl.Int64(),
    "score": pl.Float64(),
    "propensity": pl.Float64(),
    "slate_propensity": pl.Float64(),
    "standing_arm": pl.String(),
    "model_version": pl.String(),
    "catalogue_revision": pl.String(),
    "decide_time": _TIME,
    "window_end_time": _TIME,
    "exposed": pl.Boolean(),
    "responded": pl.Boolean(),
    "response_time": _TIME,
    "value": pl.Float64(),
    "currency_code": pl.String(),
    "outcomes": OUTCOME_SUMS,
    "decision_outcomes": OUTCOME_SUMS,
}
"""Columns of ``touches``, one row per decided candidate.

``kind`` is ``offers`` or ``actions``; ``channel_id``, ``campaign_id`` and ``standing_arm`` are null where there is none.
``slate_propensity`` is null in logs of older versions. Until ``window_end_time`` more outcomes may come. ``exposed``: the
answer was seen, as far as the log knows. ``responded``: an outcome of a response type is credited to the candidate;
``response_time`` is that of the first. ``value`` is the money of all outcomes credited to the candidate, 0 without any, in
``currency_code``; both are null where currencies differ. ``outcomes`` are those credited to the candidate,
``decision_outcomes`` those credited to the decision as a whole, the same in each of its rows."""


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
    """Return what ``attribute`` does, for decisions that are prepared already.

    Args:
        frames: The log's events.
        given: Decisions and what they gave.
        rules: What decides whether an outcome is due.
    """
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
        for exposed in ((True, False) if rules.rule == AttributionRule.EXPOSED_LAST_TOUCH else (False,))
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
        .when(unseen if rules.rule == AttributionRule.EXPOSED_LAST_TOUCH else pl.lit(value=False))
        .then(pl.lit(Status.NOT_EXPOSED.value))
        .otherwise(pl.lit(Status.ATTRIBUTED.value))
        .alias("status")
    )


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
