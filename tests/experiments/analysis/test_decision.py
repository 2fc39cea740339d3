"""The decision rule, branch by branch, on tables whose figures are chosen."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_table, comparison
from experiments.stats import group_sequential_interval
from tests.experiments.analysis.build import analysed, check_document, experiment


def values(units: int, mean: float, deviation: float = 1.0) -> np.ndarray:
    """Return values with just this mean and deviation: half of them above, half below."""
    signs = np.where(np.arange(units) % 2 == 0, 1.0, -1.0)
    found: np.ndarray = mean + signs * deviation * np.sqrt((units - 1) / units)
    return found


def frame(*arms: tuple[str, int, Sequence[float]], days: int = 0) -> pl.DataFrame:
    """Return arms (variant, even number of units, mean of each column x0, x1, …), spread over days from 1 March."""
    parts = [
        pl.DataFrame(
            {
                "variant": [name] * units,
                **{f"x{place}": values(units, mean) for place, mean in enumerate(means)},
                "day": [date(2025, 3, 1) + timedelta(days=(i // 2) % max(days, 1)) for i in range(units)],
            }
        )
        for name, units, means in arms
    ]
    return pl.concat(parts)


GUARDED: list[dict[str, Any]] = [
    {"metric_id": "x0", "name": "sales"},
    {"metric_id": "x1", "name": "speed", "role": "guardrail", "margin": {"absolute": 0.1}},
]


def decided(table: pl.DataFrame, *metrics: dict[str, Any], **changes: Any) -> ExperimentResult:
    """Return the analysis of a table; planned as always-valid unless changed."""
    return analysed(*metrics, frame=table, **({"analysis": "always-valid"} | changes))


def test_better_and_harmless_ships() -> None:
    """A proven gain and a guardrail proven within its margin ship, before any planned end."""
    result = decided(
        frame(("control", 5_000, (1, 1)), ("new", 5_000, (1.2, 1.0))), *GUARDED, planned_units=20_000
    )

    assert result.decision.verdict == "ship"
    assert result.decision.variant_id == "new"
    assert result.decision.reason == "new is better on sales, and the guardrails hold."
    assert result.decision.units_to_go is result.decision.days_to_go is None


def test_a_guardrail_that_is_not_yet_proven_keeps_it_running() -> None:
    """A gain alone does not ship while the guardrail's interval reaches beyond its margin; at the end it is refused."""
    table = frame(("control", 1_000, (1, 1)), ("new", 1_000, (1.4, 0.97)))

    running = decided(table, *GUARDED, planned_units=4_000).decision
    ended = decided(table, *GUARDED, planned_units=2_000).decision

    assert running.verdict == "keep_running"
    assert "new is better on sales, but not yet proven harmless on speed" in running.reason
    assert running.units_to_go == 2_000
    assert ended.verdict == "do_not_ship"
    assert ended.reason == (
        "new is better on sales, but not proven harmless on speed, and the planned size of 2,000 is reached."
    )


@pytest.mark.parametrize("means", [(1.4, 0.7), (0.6, 1.0)], ids=["guardrail", "success"])
def test_harm_stops_at_once(means: tuple[float, float]) -> None:
    """A guardrail or a success metric that is proven worse stops the treatment, whatever else it gains."""
    decision = decided(
        frame(("control", 2_000, (1, 1)), ("new", 2_000, means)), *GUARDED, planned_units=50_000
    ).decision

    assert decision.verdict == "do_not_ship"
    assert decision.reason == f"new is worse on {'speed' if means[1] < 1 else 'sales'}."


@pytest.mark.parametrize("kind", ["quantile", "bootstrap"])
def test_a_margin_that_cannot_be_tested_does_not_hold(kind: str) -> None:
    """A guardrail without an always-valid interval is not proven harmless; with one look at the end it is tested."""
    way = {"kind": "quantile", "quantile": 0.5} if kind == "quantile" else {"inference": "bootstrap"}
    random = np.random.default_rng(1)
    table = pl.DataFrame(
        {
            "variant": ["control", "new"] * 3_000,
            "x0": np.where(np.arange(6_000) % 2, 1.5, 1.0) + random.normal(0, 1, 6_000),
            "x1": random.normal(10, 1, 6_000),
        }
    )
    guardrail = {**GUARDED[1], **way, "margin": {"relative": 0.05}}

    looking = decided(table, GUARDED[0], guardrail, planned_units=20_000)
    ended = decided(table, GUARDED[0], guardrail, analysis="fixed")

    assert looking.decision.verdict == "keep_running"
    assert looking.results[1].margin is not None
    assert "smooth" in looking.results[1].margin.reasons["p_value"]
    assert ended.decision.verdict == "ship"
    worse = table.with_columns(
        x1=pl.when(pl.col("variant") == "new").then(pl.col("x1") - 0.5).otherwise("x1")
    )
    assert decided(worse, GUARDED[0], guardrail, analysis="fixed").decision.verdict == "do_not_ship"


def test_a_guardrail_without_figures_does_not_hold() -> None:
    """Nothing known of a guardrail is not a proof that it holds."""
    table = frame(("control", 5_000, (1, 1)), ("new", 5_000, (1.3, 1))).with_columns(x1=pl.lit(None))

    assert decided(table, *GUARDED).decision.verdict == "keep_running"


def test_no_proof_by_the_end_is_no() -> None:
    """Without a difference it keeps running until the planned end, and then does not ship."""
    table = frame(("control", 1_000, (1, 1)), ("new", 1_000, (1.01, 1)))

    assert decided(table, GUARDED[0]).decision.verdict == "keep_running"
    ended = decided(table, GUARDED[0], planned_units=2_000).decision
    assert ended.verdict == "do_not_ship"
    assert ended.reason == "new is not proven better on sales, and the planned size of 2,000 is reached."


def test_a_fixed_plan_is_judged_once() -> None:
    """Before its end nothing is said, however clear it looks; the rest is units and days at the present rate."""
    table = frame(("control", 500, (1,)), ("new", 500, (3,)), days=5)

    early = decided(table, GUARDED[0], analysis="fixed", planned_units=1_500, time_column="day").decision

    assert early.verdict == "keep_running"
    assert (early.units_to_go, early.days_to_go) == (500, 3)
    assert early.reason == (
        "new is judged once, at the planned end: about 500 more units, 3 days at the present rate."
    )
    assert decided(table, GUARDED[0], analysis="fixed", planned_units=1_000).decision.verdict == "ship"
    assert decided(table, GUARDED[0], analysis="fixed").decision.verdict == "ship"


def test_the_end_date_is_the_last_day() -> None:
    """Data up to the last day are whole; on a given day the last one must be over; stopped is ended."""
    table = frame(("control", 500, (1,)), ("new", 500, (3,)), days=5)
    plan = {"analysis": "fixed", "time_column": "day"}

    def verdict(end: date, today: date | None = None, **changes: Any) -> str:
        found = analyze_table(experiment(GUARDED[0], **plan, end_date=end, **changes), table, today=today)
        return found.decision.verdict

    assert verdict(date(2025, 3, 5)) == "ship"
    assert verdict(date(2025, 3, 6)) == "keep_running"
    assert verdict(date(2025, 3, 5), date(2025, 3, 5)) == "keep_running"
    assert verdict(date(2025, 3, 5), date(2025, 3, 6)) == "ship"
    assert verdict(date(2025, 3, 9), state="stopped", hypothesis="h", owner="o") == "ship"


def test_without_days_the_end_date_needs_today() -> None:
    """A table without days cannot say that its last day is not over; the reason asks for the day."""
    table = frame(("control", 500, (1,)), ("new", 500, (3,)))
    definition = experiment(GUARDED[0], end_date=date(2025, 3, 5))

    unknown = analyze_table(definition, table).decision

    assert unknown.verdict == "keep_running"
    assert "--as-of" in unknown.reason
    assert analyze_table(definition, table, today=date(2025, 3, 6)).decision.verdict == "ship"


def test_of_several_treatments_the_best_ships() -> None:
    """One that ships outweighs those that lose; of several, the one with the largest gain of the primary metric."""
    variants = [{"variant_id": name} for name in ("control", "one", "two", "three")]
    decision = decided(
        frame(
            ("control", 2_000, (1, 1)),
            ("one", 2_000, (1.3, 1.2)),
            ("two", 2_000, (1.5, 1.2)),
            ("three", 2_000, (0.5, 1.2)),
        ),
        *GUARDED,
        variants=variants,
        correction="holm",
    ).decision

    assert (decision.verdict, decision.variant_id) == ("ship", "two")
    assert decision.reason == "two is better on sales, and the guardrails hold."
    assert [one.verdict for one in decision.treatments] == ["ship", "ship", "do_not_ship"]


def test_while_one_treatment_is_open_it_keeps_running() -> None:
    """A loser does not end the experiment for the others; its own verdict stands."""
    variants = [{"variant_id": name} for name in ("control", "one", "two")]
    decision = decided(
        frame(("control", 2_000, (1,)), ("one", 2_000, (0.5,)), ("two", 2_000, (1.05,))),
        GUARDED[0],
        variants=variants,
    ).decision

    assert (decision.verdict, decision.variant_id) == ("keep_running", "two")
    assert [one.verdict for one in decision.treatments] == ["do_not_ship", "keep_running"]


def test_less_is_better_where_the_plan_says_so() -> None:
    """A fall of a metric to be decreased ships, a rise of it is harm; so for the margin of a guardrail."""
    metrics = [one | {"direction": "decrease"} for one in GUARDED]
    better = decided(frame(("control", 5_000, (1, 1)), ("new", 5_000, (0.8, 0.9))), *metrics)
    worse = decided(frame(("control", 5_000, (1, 1)), ("new", 5_000, (1.2, 1))), *metrics)
    slower = decided(frame(("control", 5_000, (1, 1)), ("new", 5_000, (0.8, 1.3))), *metrics)

    assert better.decision.verdict == "ship"
    assert worse.decision.reason == "new is worse on sales."
    assert slower.decision.reason == "new is worse on speed."


def test_a_quality_metric_that_moved_makes_it_invalid() -> None:
    """What should not change and did, either way, means that the experiment itself is broken."""
    metrics = [GUARDED[0], {"metric_id": "x1", "name": "log lines", "role": "quality"}]
    for mean in (0.7, 1.3):
        decision = decided(frame(("control", 2_000, (1, 1)), ("new", 2_000, (2, mean))), *metrics).decision

        assert decision.verdict == "invalid"
        assert "1 quality metric changed that should not (log lines)" in decision.reason
    assert (
        decided(frame(("control", 2_000, (1, 1)), ("new", 2_000, (2, 1))), *metrics).decision.verdict
        == "ship"
    )


def test_a_sample_ratio_mismatch_makes_it_invalid() -> None:
    """3,000 of 8,000 are not half; nothing ships."""
    decision = decided(frame(("control", 5_000, (1,)), ("new", 3_000, (2,))), GUARDED[0]).decision

    assert decision.verdict == "invalid"
    assert "control 5,000 instead of 4,000" in decision.reason
    weights = [{"variant_id": "control", "weight": 5}, {"variant_id": "new", "weight": 3}]
    table = frame(("control", 5_000, (1,)), ("new", 3_000, (2,)))
    assert decided(table, GUARDED[0], variants=weights).decision.verdict == "ship"


def test_variants_that_differed_before_make_it_invalid() -> None:
    """A covariate that no treatment can have changed differs by ten standard errors."""
    table = frame(("control", 2_000, (1, 1)), ("new", 2_000, (1, 1.3)))
    result = decided(table, {"metric_id": "x0", "covariates": ["x1"]})

    assert result.imbalance is not None
    assert result.imbalance.alarm
    assert result.decision.verdict == "invalid"
    assert "differed before the experiment began" in result.decision.reason


def test_an_empty_arm_is_named_and_others_are_still_judged() -> None:
    """Without control nothing can be compared; an empty treatment besides another one is a mismatch by itself."""
    no_control = decided(frame(("new", 100, (1,))), GUARDED[0]).decision
    labels = [{"variant_id": "control", "name": "Same"}, {"variant_id": "new", "name": "Same"}]
    variants = [{"variant_id": "control"}, {"variant_id": "new"}, {"variant_id": "closed", "weight": 0}]
    closed = decided(frame(("control", 2_000, (1,)), ("new", 2_000, (2,))), GUARDED[0], variants=variants)

    assert no_control.verdict == "invalid"
    assert "There is nobody in control" in no_control.reason
    assert decided(frame(("control", 100, (1,))), GUARDED[0], variants=labels).decision.verdict == "invalid"
    assert closed.decision.verdict == "ship"
    assert closed.decision.treatments[1].verdict == "keep_running"
    strays = decided(
        frame(("control", 2_000, (1,)), ("new", 2_000, (2,)), ("closed", 2, (1,))),
        GUARDED[0],
        variants=variants,
    )
    assert strays.decision.verdict == "invalid"


def test_a_primary_metric_without_figure_is_invalid_at_the_end_only() -> None:
    """Too few units yet: go on; at the end: no verdict can be had. A refused column never will be better."""
    table = frame(("control", 20, (1, 1)), ("new", 20, (1, 1)))
    ratio = {"metric_id": "r", "kind": "ratio", "numerator": "x0", "denominator": "x1"}

    assert decided(table, ratio).decision.verdict == "keep_running"
    ended = decided(table, ratio, planned_units=40).decision
    assert ended.verdict == "invalid"
    assert "needs at least 30" in ended.reason
    text = decided(table.with_columns(x0=pl.lit("a")), GUARDED[0]).decision
    assert text.verdict == "invalid"
    assert "is not a number" in text.reason


def test_the_forecast_is_where_the_interval_would_part_from_zero() -> None:
    """With the present estimate, the forecast number of units gives a finding, and three quarters of it do not."""
    table = frame(("control", 1_000, (1,)), ("new", 1_000, (1.1,)), days=10)
    decision = decided(table, GUARDED[0], time_column="day").decision

    assert decision.verdict == "keep_running"
    assert decision.units_to_go is not None
    assert decision.days_to_go == -(-decision.units_to_go // 200)
    total = 2_000 + decision.units_to_go
    for share, verdict in ((1.01, "ship"), (0.75, "keep_running")):
        half = 2 * round(total * share / 4)
        later = frame(("control", half, (1,)), ("new", half, (1.1,)))
        assert decided(later, GUARDED[0]).decision.verdict == verdict


def test_a_harmful_looking_trend_has_no_promise() -> None:
    """Where the estimate is nothing, no number of units is promised."""
    table = frame(("control", 1_000, (1,)), ("new", 1_000, (1,)), days=10)
    decision = decided(table, GUARDED[0], time_column="day").decision

    assert decision.verdict == "keep_running"
    assert (decision.units_to_go, decision.days_to_go) == (None, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {},
            "Where no variant changes anything, at most 5 % of such experiments find a difference, however often one",
        ),
        ({"alpha": 0.01}, "at most 1 % of such experiments"),
        ({"analysis": "fixed"}, "find a difference, with one look at the planned end."),
        (
            {"analysis": {"method": "group-sequential", "looks": 3}, "planned_units": 4_000},
            "find a difference, over 3 planned looks.",
        ),
        (
            {"second": True, "correction": "holm"},
            "at most 5 % of such experiments find at least one of 2 comparisons",
        ),
        ({"second": True, "correction": "benjamini-hochberg"}, "of which on average at most 5 % are chance"),
        (
            {"second": True},
            "each of 2 comparisons finds a difference in at most 5 % of such experiments, however often one looks; w",
        ),
    ],
)
def test_error_rates_are_those_of_the_settings(changes: dict[str, Any], sentence: str) -> None:
    """What is said of all comparisons together holds for the correction, the method and the level in use."""
    more = dict(changes)
    metrics = [GUARDED[0], *([{"metric_id": "x1"}] if more.pop("second", False) else [])]
    rates = decided(
        frame(("control", 500, (1, 1)), ("new", 500, (1, 1))), *metrics, **more
    ).decision.error_rates

    assert sentence in rates[0]
    assert "Intervals hold the true change" in rates[1]


def test_a_margin_has_its_error_rate() -> None:
    """With a margin there is a third sentence; without, none."""
    table = frame(("control", 500, (1, 1)), ("new", 500, (1, 1)))

    assert (
        "harmed by just its margin passes in at most 5 %" in decided(table, *GUARDED).decision.error_rates[2]
    )
    assert len(decided(table, GUARDED[0]).decision.error_rates) == 2
    check_document(decided(table, *GUARDED).to_json())


def test_forecasts_solve_for_no_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """At many planned looks that takes a hundred times as long as the interval, and a forecast needs that alone."""
    solved: list[bool] = []

    def counted(*arguments: Any, with_p_value: bool = True, **named: Any) -> Any:
        solved.append(with_p_value)
        return group_sequential_interval(*arguments, with_p_value=with_p_value, **named)

    monkeypatch.setattr(comparison, "group_sequential_interval", counted)
    table = frame(("control", 1_000, (1, 1)), ("new", 1_000, (1.01, 1)))
    plan = {"analysis": {"method": "group-sequential", "looks": 20}, "planned_units": 10_000}

    assert decided(table, GUARDED[0], **plan).decision.units_to_go == 8_000
    assert (solved.count(True), solved.count(False)) == (2, 17)
