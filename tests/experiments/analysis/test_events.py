"""Event tables and logs, from small logs calculated by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_events, analyze_log
from experiments.errors import AnalysisError
from experiments.log.frames import EventFrames
from tests.experiments.analysis.build import check_document, experiment
from tests.experiments.synthetic import EXPOSURE_SCHEMA, OUTCOME_SCHEMA, exposure, outcome

START = datetime(2025, 3, 1, tzinfo=UTC)
TODAY = date(2025, 3, 10)
"""Everything up to the end of this day, nine days and 24 hours after the start, is known."""

SPEND = {"event": "outcomes", "outcome_type": "purchase", "aggregate": "value"}
COUNT = {"event": "outcomes", "outcome_type": "purchase", "aggregate": "count"}


def at(days: float) -> datetime:
    """Return the time so many days after the start."""
    return START + timedelta(days=days)


SHOWN = [
    *(("c1", "control", 0.0), ("c2", "control", 0.0), ("c3", "control", 1.0)),
    *(("t1", "new", 0.0), ("t2", "new", 1.0), ("t3", "new", 2.0)),
    *(("both", "control", 0.0), ("both", "new", 1.0)),
    *(("late", "new", 8.0), ("chosen", "new", 0.0)),
    *(("c1", "control", 3.0), ("c1", "control", 8.0)),
]
BOUGHT: list[tuple[str, float, float | None]] = [
    # In the seven days from first exposure: c1 15, c2 0, c3 2; t1 20, t2 0 without a value, t3 4.
    *(("c1", 1.0, 10.0), ("c1", 6.999, 5.0), ("c1", 7.0, 100.0)),
    *(("c2", -1.0, 4.0), ("c2", -8.0, 50.0), ("c3", 1.0, 2.0)),
    *(("t1", 2.0, 20.0), ("t1", -2.0, 6.0), ("t2", 3.0, None), ("t3", 3.0, 7.0), ("t3", 4.0, -3.0)),
    *(("both", 1.0, 1_000.0), ("late", 9.0, 50.0), ("chosen", 1.0, 1_000.0), ("stranger", 1.0, 999.0)),
]
CAME = [("c2", -3.0), ("c1", 1.0), ("c2", 0.99), ("t1", 3.0), ("t3", 3.99)]


def tables() -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Return exposures and outcomes; the first of each comes twice with the same event id."""
    exposures = pl.DataFrame(
        [
            {
                "event_id": f"x{place}",
                "unit_id": unit,
                "variant_id": variant,
                "expose_time": at(day),
                "country": unit[0],
            }
            for place, (unit, variant, day) in enumerate([*SHOWN])
        ]
    )
    outcomes = pl.DataFrame(
        [
            {
                "event_id": f"o{place}",
                "unit_id": unit,
                "outcome_type": kind,
                "outcome_time": at(day),
                "value": value,
            }
            for place, (unit, kind, day, value) in enumerate(
                [(u, "purchase", d, v) for u, d, v in BOUGHT] + [(u, "visit", d, None) for u, d in CAME]
            )
        ],
        schema_overrides={"value": pl.Float64},
    )
    return pl.concat([exposures, exposures.head(1)]).lazy(), pl.concat([outcomes, outcomes.head(1)]).lazy()


def analysed(*metrics: dict[str, Any], today: date | None = TODAY, **changes: Any) -> ExperimentResult:
    """Return the analysis of the tables; a window of seven days unless changed."""
    exposures, outcomes = tables()
    definition = experiment(*metrics, **({"window_days": 7, "overrides": {"chosen": "new"}} | changes))
    result = analyze_events(definition, exposures=exposures, outcomes=outcomes, today=today)
    check_document(result.to_json())
    return result


def means(result: ExperimentResult) -> list[float | None]:
    """Return the first metric's figures of control and treatment."""
    return [figure.mean for figure in result.figures[:2]]


def test_outcomes_count_within_the_window() -> None:
    """Control (15 + 0 + 2) / 3, treatment (20 + 0 + 4) / 3; purchases 1 and 4 / 3 a member."""
    spend = analysed({"metric_id": "spend", "numerator": SPEND})
    count = analysed({"metric_id": "count", "kind": "count", "numerator": COUNT})

    assert means(spend) == pytest.approx([17 / 3, 8])
    assert means(count) == pytest.approx([1, 4 / 3])
    assert spend.units == {"control": 3, "new": 3}


def test_what_was_left_out_is_counted_and_said() -> None:
    """One unit met both variants, one was chosen by hand, one is too young; two repeats; a purchase without value."""
    result = analysed({"metric_id": "spend", "numerator": SPEND})

    counts = result.diagnostics.counts
    names = ("units_in_several_variants", "overridden_units", "immature_units", "duplicate_exposures")
    assert [counts[name] for name in names] == [1, 1, 1, 1]
    assert (counts["duplicate_outcomes"], counts["outcomes_without_value"]) == (1, 1)
    assert "1 member in more than one variant left out." in result.diagnostics.left_out
    assert (
        "1 member left out because the window after first exposure is not over."
        in result.diagnostics.left_out
    )


def test_units_that_wait_for_their_window_count_among_the_exposed() -> None:
    """The share that met several variants is of all exposed units: 1 of 8 here, not of those whose window is over."""
    exposures = analysed({"metric_id": "spend", "numerator": SPEND}).exposures

    assert exposures.units == 1
    assert exposures.share == pytest.approx(1 / 8)


def test_without_a_window_all_that_followed_counts() -> None:
    """c1 has 115, and the late one counts with 50: a mean of 117 / 3 and of 74 / 4."""
    result = analysed({"metric_id": "spend", "numerator": SPEND}, window_days=None)

    assert means(result) == pytest.approx([39, 74 / 4])
    assert result.units == {"control": 3, "new": 4}


def test_a_metric_may_have_a_window_of_its_own() -> None:
    """Within one day and a bit: c1 10, c3 2; t3 7 a day after; no purchase of t1."""
    result = analysed({"metric_id": "spend", "numerator": SPEND, "window_days": 1}, window_days=None)

    assert means(result) == pytest.approx([2 / 3, 0])
    assert result.units == {"control": 3, "new": 4}


def test_a_ratio_is_of_sums_over_units() -> None:
    """Fewer than 30 units give no figure but a reason; with copies of everybody it is 17 / 4 and 24 / 3."""
    exposures, outcomes = tables()
    copies = [
        table.with_columns(
            pl.format("{}-{}", "unit_id", pl.lit(i)).alias("unit_id"), pl.lit(None).alias("event_id")
        )
        for i in range(10)
        for table in (exposures.unique("event_id"), outcomes.unique("event_id"))
    ]
    ratio = {"metric_id": "r", "kind": "ratio", "numerator": SPEND, "denominator": {"event": "exposures"}}
    result = analyze_events(
        experiment(ratio, window_days=7, overrides={f"chosen-{i}": "new" for i in range(10)}),
        exposures=pl.concat(copies[::2]),
        outcomes=pl.concat(copies[1::2]),
        today=TODAY,
    )

    # c1 saw it twice within its window, the others once.
    assert means(result) == pytest.approx([170 / 40, 240 / 30])
    assert "at least 30" in analysed(ratio).results[0].refusal


def test_the_pre_period_is_a_covariate() -> None:
    """The seven days before: c2 spent 4 (what was 8 days before does not count), t1 6; the difference is 2 / 3."""
    result = analysed({"metric_id": "spend", "numerator": SPEND, "covariates": [{"pre_period_days": 7}]})

    assert result.imbalance is not None
    assert result.imbalance.differences[0].difference == pytest.approx(6 / 3 - 4 / 3)
    pair = result.results[0].pair
    assert pair is not None
    # The slope by hand, over six units: before (0, 4, 0, 6, 0, 0), spend (15, 0, 2, 20, 0, 4).
    before, spend = [0, 4, 0, 6, 0, 0], [15, 0, 2, 20, 0, 4]
    middle, height = sum(before) / 6, sum(spend) / 6
    slope = sum((b - middle) * (s - height) for b, s in zip(before, spend, strict=True)) / sum(
        (b - middle) ** 2 for b in before
    )
    assert pair.estimate == pytest.approx(8 - 17 / 3 - slope * 2 / 3, rel=1e-9)


def test_retention_is_whether_they_came_back() -> None:
    """From 24 to under 72 hours: c1 just came; c2 too early, t1 too late, t3 (shown on day 2) in time."""
    kept = {"outcome_type": "visit", "first_day": 1, "last_day": 2}
    result = analysed({"metric_id": "back", "kind": "retention", "retention": kept})

    assert means(result) == pytest.approx([1 / 3, 1 / 3])


def test_retention_may_have_its_pre_period() -> None:
    """The covariate of coming back counts the same outcomes before: c2 came once; of exposures it counts nothing."""
    kept = {"outcome_type": "visit", "first_day": 1, "last_day": 2}
    metric = {
        "metric_id": "back",
        "kind": "retention",
        "retention": kept,
        "covariates": [{"pre_period_days": 7}],
    }

    result = analysed(metric)

    assert means(result) == pytest.approx([1 / 3, 1 / 3])
    assert result.imbalance is not None
    assert result.imbalance.differences[0].difference == pytest.approx(-1 / 3)
    shown = {"metric_id": "n", "numerator": {"event": "exposures"}, "covariates": [{"pre_period_days": 7}]}
    with pytest.raises(AnalysisError, match="says nothing"):
        analysed(shown)


def test_segments_are_those_of_the_exposure() -> None:
    """Units named c… and t… are two segments, each with one arm only."""
    result = analysed({"metric_id": "spend", "numerator": SPEND}, segments=["country"])

    assert {one.value for one in result.segments} == {"c", "t"}


def test_the_data_end_with_their_last_time() -> None:
    """Without a day, the last outcome or exposure (day 9) is the end: t3's window ends just then, late's does not."""
    assert analysed({"metric_id": "spend", "numerator": SPEND}, today=None).units == {"control": 3, "new": 3}


def test_links_join_a_visitor_and_a_member() -> None:
    """Shown as a visitor, bought as a member: one unit, whose purchase counts."""
    exposures, outcomes = tables()
    visitor = exposures.with_columns(
        unit_id=pl.col("unit_id").replace({"t1": "cookie", "chosen": "cookie-2"})
    )
    identities = pl.LazyFrame({"anonymous_id": ["cookie", "cookie-2"], "member_id": ["t1", "chosen"]})
    definition = experiment(
        {"metric_id": "spend", "numerator": SPEND}, window_days=7, overrides={"chosen": "new"}
    )

    linked, apart = (
        analyze_events(definition, exposures=visitor, outcomes=outcomes, identities=links, today=TODAY)
        for links in (identities, None)
    )

    assert means(linked) == pytest.approx([17 / 3, 8])
    assert means(apart) != means(linked)


@pytest.mark.parametrize(
    ("metric", "changes", "sentence"),
    [
        ({"metric_id": "spend"}, {}, "names a column of a table"),
        ({"metric_id": "spend", "numerator": SPEND}, {"cluster_column": "store"}, "cluster_column 'store'"),
        ({"metric_id": "spend", "numerator": SPEND}, {"segments": ["city"]}, "no column city"),
        ({"metric_id": "spend", "numerator": SPEND}, {"unit_column": "user"}, "no column user"),
        ({"metric_id": "spend", "numerator": SPEND}, {"trigger_column": "met"}, "no column met"),
        ({"metric_id": "spend", "numerator": SPEND, "covariates": ["age"]}, {}, "names a column of a table"),
    ],
)
def test_definitions_that_events_cannot_answer_are_refused(
    metric: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    """Columns of unit tables, clusters and unknown columns are named in one sentence."""
    with pytest.raises(AnalysisError, match=sentence):
        analysed(metric, **changes)


def log(**decisions: str) -> EventFrames:
    """Return the same story as the server's log; each purchase names the unit's first decision unless given."""
    shown = [
        exposure(unit, variant, f"d-{unit}", event_id=f"x{place}", experiment_id="e")
        | {"expose_time": at(day)}
        for place, (unit, variant, day) in enumerate(SHOWN)
    ]
    bought = [
        outcome(unit, decisions.get(unit, f"d-{unit}"), f"offer-{place}", value, event_id=f"o{place}")
        | {"outcome_time": at(day), "currency_code": "EUR"}
        for place, (unit, day, value) in enumerate(BOUGHT)
    ]
    links = pl.DataFrame(schema={"programme": pl.String, "anonymous_id": pl.String, "member_id": pl.String})
    return EventFrames(
        decisions=pl.DataFrame(),
        exposures=pl.DataFrame([*shown, shown[0]], schema=EXPOSURE_SCHEMA),
        outcomes=pl.DataFrame([*bought, bought[0]], schema=OUTCOME_SCHEMA),
        identities=links,
    )


def test_the_log_by_member_is_the_event_tables() -> None:
    """Attribution to members reads the same figures of the server's log; what only tables have is said."""
    changes: dict[str, Any] = {
        "window_days": 7,
        "overrides": {"chosen": "new"},
        "segments": ["country"],
        "variant_column": "arm",
    }
    result = analyze_log(
        experiment({"metric_id": "spend", "numerator": SPEND}, **changes), log(), today=TODAY
    )
    check_document(result.to_json())

    assert means(result) == pytest.approx([17 / 3, 8])
    assert result.segments == ()
    assert any("broken down by country" in sentence for sentence in result.diagnostics.left_out)


def test_the_log_by_decision_counts_what_names_a_shown_decision() -> None:
    """Whatever the time: c1 115, c2 54, c3 2; t1 26 less what names another's decision, t2 0, t3 4, late 50."""
    definition = experiment(
        {"metric_id": "spend", "numerator": SPEND},
        attribution="decision",
        overrides={"chosen": "new"},
        segments=["country"],
    )

    own = analyze_log(definition, log(), today=TODAY)
    other = analyze_log(definition, log(t1="d-t3", c2="unknown"), today=TODAY)

    assert means(own) == pytest.approx([(115 + 54 + 2) / 3, (26 + 0 + 4 + 50) / 4])
    assert means(other) == pytest.approx([(115 + 2) / 3, (0 + 0 + 4 + 50) / 4])
    assert own.exposures.units == 1
    assert other.diagnostics.counts["outcomes_other_member"] == 2
    assert other.diagnostics.counts["outcomes_decision_not_exposed"] == 3
    check_document(own.to_json())


@pytest.mark.parametrize("attribution", ["member", "decision"])
def test_links_of_the_log_are_followed(attribution: str) -> None:
    """Exposures under a cookie and purchases as a member are one person, in both attributions."""
    frames = log()
    linked = EventFrames(
        decisions=frames.decisions,
        exposures=frames.exposures.with_columns(member_id=pl.col("member_id").replace({"t1": "cookie"})),
        outcomes=frames.outcomes,
        identities=pl.DataFrame({"programme": ["default"], "anonymous_id": ["cookie"], "member_id": ["t1"]}),
    )
    definition = experiment(
        {"metric_id": "spend", "numerator": SPEND},
        attribution=attribution,
        overrides={"chosen": "new"},
        **({"window_days": 7} if attribution == "member" else {}),
    )

    assert means(analyze_log(definition, linked, today=TODAY)) == means(
        analyze_log(definition, frames, today=TODAY)
    )


def test_the_log_has_neither_clusters_nor_triggers() -> None:
    """A definition that needs a table's columns is refused with their names."""
    for field in ("cluster_column", "trigger_column"):
        with pytest.raises(AnalysisError, match=f"{field} 'store'"):
            analyze_log(experiment({"metric_id": "spend", "numerator": SPEND}, **{field: "store"}), log())
    with pytest.raises(AnalysisError, match="names the column 'spend' of a table"):
        analyze_log(experiment({"metric_id": "spend"}), log())
    with pytest.raises(AnalysisError, match="no exposure of experiment 'other'"):
        analyze_log(experiment({"metric_id": "spend", "numerator": SPEND}, experiment_id="other"), log())


def test_outcome_types_that_are_not_there_are_said() -> None:
    """A misspelt outcome type is named, with the types that there are."""
    result = analysed({"metric_id": "spend", "numerator": {**SPEND, "outcome_type": "purchases"}})

    assert "No outcome has the type purchases; there are: purchase, visit." in result.diagnostics.left_out
