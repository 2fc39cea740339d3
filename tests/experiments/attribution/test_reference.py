"""Attribution equals a plain search through all decisions, and what is known of the Starbucks data."""

import json
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.log.attribution import AttributionRule, AttributionRules, attribute, touches
from experiments.log.frames import EventFrames
from tests.experiments.attribution.logs import START

STARBUCKS = Path(__file__).parents[3].resolve().parent / "shared" / "data" / "starbucks-offers"
WINDOWS = {"home": 2.0, "letter": 5.0}
TEXT = pl.String()


class Decided(NamedTuple):
    """A decision; its number is its id."""

    number: int
    member: str
    placement: str
    day: int
    offers: tuple[str, ...]


class Happened(NamedTuple):
    """An outcome."""

    number: int
    member: str
    day: int
    type: str
    decision: int | None
    offer: str | None


Story = tuple[list[Decided], list[Happened]]


def frames(decisions: list[Decided], outcomes: list[Happened]) -> EventFrames:
    """Return the events as a log's frames."""
    moment = pl.lit(START) + pl.duration(days=pl.col("day"))
    nothing = {"exposures": ("decision_id",), "identities": ("anonymous_id", "member_id")}
    empty = {table: pl.DataFrame(schema=dict.fromkeys(names, TEXT)) for table, names in nothing.items()}
    # Made so that the order of ids is the order of numbers.
    name = pl.format("d{}", pl.col("number").cast(TEXT).str.zfill(3))
    return EventFrames(
        pl.DataFrame(
            decisions,
            schema={
                "number": pl.Int64,
                "member_id": TEXT,
                "placement_id": TEXT,
                "day": pl.Int64,
                "given": pl.List(TEXT),
            },
            orient="row",
        ).with_columns(
            decision_id=name,
            decide_time=moment.cast(pl.Datetime("us", "UTC")),
            offers=pl.col("given").list.eval(
                pl.struct(
                    offer_id=pl.element(),
                    rank=pl.int_range(pl.len()) + 1,
                    score=pl.lit(0.5),
                    propensity=pl.lit(0.5),
                )
            ),
            actions=pl.lit(
                None, pl.List(pl.Struct({"action_id": TEXT, "channel_id": TEXT, "rank": pl.Int64}))
            ).cast(
                pl.List(
                    pl.Struct(
                        {
                            "action_id": TEXT,
                            "channel_id": TEXT,
                            "rank": pl.Int64,
                            "score": pl.Float64,
                            "propensity": pl.Float64,
                        }
                    )
                )
            ),
            slate_propensity=pl.lit(0.5),
            programme=pl.lit("default"),
            **{
                name: pl.lit(None, TEXT)
                for name in (
                    "kind",
                    "channel_id",
                    "campaign_id",
                    "standing_arm",
                    "model_version",
                    "catalogue_revision",
                )
            },
        ),
        empty["exposures"].with_columns(expose_time=pl.lit(None, pl.Datetime("us", "UTC"))),
        pl.DataFrame(
            outcomes,
            schema={
                "event": pl.Int64,
                "member_id": TEXT,
                "day": pl.Int64,
                "outcome_type": TEXT,
                "number": pl.Int64,
                "offer_id": TEXT,
            },
            orient="row",
        ).with_columns(
            decision_id=name,
            outcome_time=moment.cast(pl.Datetime("us", "UTC")),
            event_id=pl.col("event").cast(TEXT),
            programme=pl.lit("default"),
            value=pl.lit(1.0),
            currency_code=pl.lit("USD"),
        ),
        empty["identities"],
    )


def searched(
    decisions: list[Decided], outcomes: list[Happened], rule: AttributionRule
) -> list[tuple[str, str | None, str | None]]:
    """Return status, decision and candidate of every outcome, as the rules say it, one after another."""
    by_number = {one.number: one for one in decisions if one.offers}
    seen: dict[int, int] = {}
    for one in outcomes:
        if one.decision is not None and one.type == "view":
            seen[one.decision] = min(seen.get(one.decision, one.day), one.day)

    def shown(decision: Decided, day: int) -> bool:
        return rule is AttributionRule.LAST_TOUCH or seen.get(decision.number, day + 1) <= day

    def open_at(decision: Decided, day: int) -> bool:
        return day <= decision.day + WINDOWS[decision.placement]

    found: list[tuple[str, str | None, str | None]] = []
    for one in outcomes:
        candidate = one.offer
        if one.decision is not None:
            fitting = [by_number[one.decision]] if one.decision in by_number else []
            if fitting and fitting[0].member != one.member:
                found.append(("other_member", None, None))
                continue
            given = fitting[0].offers if fitting else ()
            candidate = given[0] if one.offer is None and len(given) == 1 else one.offer
            candidate = candidate if candidate in given else None
        else:
            fitting = [
                decision
                for decision in by_number.values()
                if decision.member == one.member
                and decision.day <= one.day
                and (one.offer is None or one.offer in decision.offers)
            ]
        open_ones = [decision for decision in fitting if open_at(decision, one.day)]
        earning = [decision for decision in open_ones if shown(decision, one.day)]
        if earning:
            latest = max(earning, key=lambda decision: (decision.day, decision.number))
            found.append(("attributed", f"d{latest.number:03}", candidate))
        else:
            status = "not_exposed" if open_ones else "late" if fitting else "no_decision"
            found.append((status, None, None))
    return found


members, offers, days = st.sampled_from(["ann", "bob"]), st.sampled_from("abc"), st.integers(0, 9)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a log so small that everything collides: members, offers, days."""
    decisions = [
        Decided(number, draw(members), draw(st.sampled_from(sorted(WINDOWS))), draw(days), tuple(slate))
        for number, slate in enumerate(draw(st.lists(st.lists(offers, max_size=3, unique=True), max_size=8)))
    ]
    named = st.none() | st.integers(0, len(decisions))
    outcomes = [
        Happened(number, draw(members), draw(days), kind, draw(named), draw(st.none() | offers))
        for number, kind in enumerate(draw(st.lists(st.sampled_from(["view", "buy"]), max_size=12)))
    ]
    return decisions, outcomes


def check(story: Story, rule: AttributionRule) -> None:
    """Hold attribution against the search, and count every credit in exactly one touch or decision."""
    log = frames(*story)
    rules = AttributionRules(WINDOWS, rule, exposure_types=("view",))

    credited = attribute(log, rules)

    assert credited.select("status", "decision_id", "candidate_id").rows() == searched(*story, rule)
    touched = touches(log, rules, credited)
    earned = sum(count["count"] for row in touched["outcomes"] for count in row)
    whole = sum(count["count"] for row in touched.unique("decision_id")["decision_outcomes"] for count in row)
    assert earned + whole == (credited["status"] == "attributed").sum()
    assert touched.height == sum(len(decision.offers) for decision in story[0])


@settings(max_examples=100)
@given(stories(), st.sampled_from(AttributionRule))
def test_attribution_is_what_a_plain_search_finds(story: Story, rule: AttributionRule) -> None:
    """Status, decision and candidate of every outcome, and every credit is in exactly one touch or decision."""
    check(story, rule)


@pytest.mark.slow
@settings(max_examples=1_000)
@given(stories(), st.sampled_from(AttributionRule))
def test_attribution_of_many_stories(story: Story, rule: AttributionRule) -> None:
    """The same of ten times as many logs."""
    check(story, rule)


@pytest.fixture(scope="module")
def starbucks() -> tuple[EventFrames, dict[str, float], pl.DataFrame]:
    """Return the transcript as a log, the offers' durations by placement, and the transcript itself.

    Every offer is a placement of its own, because each has its own duration.
    """
    if not STARBUCKS.is_dir():
        pytest.skip(f"the Starbucks offers are not at {STARBUCKS}")
    lines = (STARBUCKS / "portfolio.json").read_text(encoding="utf-8").splitlines()
    durations = {offer["id"]: float(offer["duration"]) for offer in map(json.loads, lines)}
    transcript = pl.read_parquet(STARBUCKS / "transcript.parquet").with_row_index("number")
    moment = (pl.lit(START) + pl.duration(hours=pl.col("time_hours"))).cast(pl.Datetime("us", "UTC"))
    received = transcript.filter(pl.col("event") == "offer received").with_columns(
        moment.alias("decide_time")
    )
    viewed = transcript.filter(pl.col("event") == "offer viewed").with_columns(moment.alias("outcome_time"))
    # A view says which offer was seen, and that is the one received last before it.
    views = viewed.sort("outcome_time").join_asof(
        received.sort("decide_time").select("person", "offer_id", "decide_time", received="number"),
        left_on="outcome_time",
        right_on="decide_time",
        by=["person", "offer_id"],
        check_sortedness=False,
    )
    completed = transcript.filter(pl.col("event") == "offer completed").with_columns(
        moment.alias("outcome_time"), received=pl.lit(None, pl.UInt32)
    )
    base = frames([], [])
    offer = pl.struct(offer_id="offer_id", rank=pl.lit(1), score=pl.lit(1.0), propensity=pl.lit(0.0748))
    decisions = received.select(
        pl.col("number").cast(pl.Int64),
        "decide_time",
        member_id="person",
        placement_id="offer_id",
        decision_id=pl.format("{}", "number"),
        offers=pl.concat_list(offer),
        programme=pl.lit("default"),
    )
    outcomes = pl.concat([views.select(completed.columns), completed]).select(
        "outcome_time",
        "offer_id",
        member_id="person",
        outcome_type=pl.col("event").replace({"offer viewed": "view", "offer completed": "redemption"}),
        event_id=pl.format("{}", "number"),
        decision_id=pl.col("received").cast(TEXT),
        programme=pl.lit("default"),
        value=pl.col("reward").cast(pl.Float64),
        currency_code=pl.lit("USD"),
    )
    log = EventFrames(
        pl.concat([base.decisions, decisions], how="diagonal_relaxed"),
        base.exposures,
        pl.concat([base.outcomes, outcomes], how="diagonal_relaxed"),
        base.identities,
    )
    return log, durations, transcript


@pytest.mark.parametrize("rule", AttributionRule)
def test_completed_offers_of_starbucks_are_credited(
    starbucks: tuple[EventFrames, dict[str, float], pl.DataFrame], rule: AttributionRule
) -> None:
    """As many completions are credited as a walk through each member's events finds within the offer's duration."""
    log, durations, transcript = starbucks
    received: dict[tuple[str, str], list[tuple[int, int]]] = {}
    seen: dict[int, int] = {}
    expected = 0
    # At the same hour an offer is received, then seen, then completed.
    order = {"offer received": 0, "offer viewed": 1, "offer completed": 2}
    events = transcript.filter(pl.col("event").is_in(list(order))).select(
        "number", "person", "event", "time_hours", "offer_id"
    )
    for number, person, event, hour, offer_id in sorted(
        events.iter_rows(), key=lambda row: (row[3], order[row[2]])
    ):
        given = received.setdefault((person, offer_id), [])
        match event:
            case "offer received":
                given.append((hour, number))
            case "offer viewed":
                if given:
                    seen.setdefault(given[-1][1], hour)
            case _:
                expected += any(
                    hour <= since + 24 * durations[offer_id]
                    and (rule is AttributionRule.LAST_TOUCH or receipt in seen)
                    for since, receipt in given
                )

    credited = attribute(log, AttributionRules(durations, rule, exposure_types=("view",)))

    redeemed = credited.filter(pl.col("outcome_type") == "redemption")
    earned = redeemed.filter(pl.col("status") == "attributed")
    assert redeemed.height == 33_579
    assert earned.height == expected
    days = earned["placement_id"].replace_strict(durations, return_dtype=pl.Float64)
    spans = (earned["outcome_time"] - earned["decide_time"]).to_list()
    assert all(timedelta(0) <= span <= timedelta(days=most) for span, most in zip(spans, days, strict=True))
