"""A saved result is enough: every figure comes again from the statistics saved with it."""

import json
from datetime import date
from typing import Any

import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_events, analyze_log, analyze_table, reanalyze
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError
from tests.experiments.analysis import test_events as events
from tests.experiments.analysis.build import experiment, table
from tests.experiments.analysis.test_factors import cells

ALL_KINDS: list[dict[str, Any]] = [
    {"metric_id": "revenue", "covariates": ["before", {"numerator": "cost", "denominator": "orders_before"}]},
    {"metric_id": "capped", "column": "revenue", "winsorize": {"lower": 1, "upper_quantile": 0.9}},
    {"metric_id": "clicked", "kind": "proportion", "alternative": "greater"},
    {"metric_id": "ratio", "kind": "ratio", "numerator": "revenue", "denominator": "orders"},
    {"metric_id": "net", "numerator": {"terms": [{"column": "revenue"}, {"column": "cost", "factor": -1}]}},
    {"metric_id": "median", "column": "gappy", "kind": "quantile", "quantile": 0.5},
    {"metric_id": "resampled", "column": "revenue", "inference": "bootstrap"},
    {"metric_id": "held", "column": "gappy", "role": "guardrail", "margin": {"relative": 0.2}},
    {"metric_id": "still", "column": "age", "role": "quality"},
    {"metric_id": "broken", "column": "segment"},
    {"metric_id": "few", "column": "gappy", "kind": "quantile", "quantile": 0.999},
]


def saved(result: ExperimentResult) -> dict[str, Any]:
    """Return a result as a file would hold it."""
    document: dict[str, Any] = json.loads(json.dumps(result.to_json(), allow_nan=False))
    return document


def dated() -> pl.DataFrame:
    """Return the common table over ten days."""
    return table().with_columns(day=pl.date(2025, 3, 1) + pl.duration(days=pl.int_range(400) // 40))


def planned(**changes: Any) -> ExperimentDefinition:
    """Return an experiment with metrics of all kinds and everything that a plan may ask for."""
    return experiment(
        *ALL_KINDS,
        **(
            {
                "time_column": "day",
                "segments": ["segment"],
                "correction": "holm",
                "planned_units": 400,
                "money": {"metric_id": "revenue", "units_per_month": 10},
                "overrides": {"u000": "new"},
            }
            | changes
        ),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"analysis": "always-valid", "correction": "benjamini-hochberg", "alpha": 0.1},
        {"analysis": {"method": "group-sequential", "looks": 2}, "planned_units": 600},
        {"cluster_column": "store", "overrides": {}, "segments": []},
        {"trigger_column": "met"},
        {"allocation": {"kind": "thompson"}},
    ],
    ids=["fixed", "always valid", "group sequential", "clusters", "trigger", "bandit"],
)
def test_the_document_is_the_same_again(changes: dict[str, Any]) -> None:
    """All figures, words and verdicts of all kinds of metrics, bit by bit."""
    definition = planned(**changes)
    first = saved(analyze_table(definition, dated()))

    again = saved(reanalyze(definition, first))

    assert again == first
    assert saved(reanalyze(definition, again)) == first


def test_factors_and_a_given_day_are_the_same_again() -> None:
    """A factorial design, judged for a day."""
    levels = [{"level_id": "0"}, {"level_id": "1"}]
    definition = experiment(
        variants=[{"variant_id": name} for name in ("0.0", "0.1", "1.0", "1.1")],
        factors=[{"factor_id": name, "levels": levels} for name in "ab"],
        end_date=date(2025, 4, 1),
    )
    today = date(2025, 5, 1)
    first = saved(analyze_table(definition, cells(2), today=today))

    assert saved(reanalyze(definition, first, today=today)) == first


def test_events_and_logs_are_the_same_again() -> None:
    """Event tables, and the log by member and by decision."""
    metrics: list[dict[str, Any]] = [
        {"metric_id": "spend", "numerator": events.SPEND},
        {
            "metric_id": "count",
            "kind": "ratio",
            "numerator": events.COUNT,
            "denominator": {"event": "exposures"},
        },
    ]
    by_member = experiment(*metrics, window_days=7, overrides={"chosen": "new"})
    by_decision = experiment(*metrics, attribution="decision", segments=["country"])
    exposures, outcomes = events.tables()
    results = [
        (by_member, analyze_events(by_member, exposures=exposures, outcomes=outcomes)),
        (by_member, analyze_log(by_member, events.log())),
        (by_decision, analyze_log(by_decision, events.log())),
    ]

    for definition, result in results:
        assert saved(reanalyze(definition, saved(result))) == saved(result)


@pytest.mark.parametrize(
    "changes",
    [
        {"alpha": 0.2},
        {"analysis": "always-valid"},
        {"analysis": {"method": "group-sequential", "looks": 3}},
        {"correction": "none"},
        {"planned_units": 10_000},
        {"prior": {"prior_sd": 0.05}},
        {"money": None, "segments": []},
    ],
)
def test_another_plan_is_judged_without_the_data(changes: dict[str, Any]) -> None:
    """Another level, method, correction or size gives what the data would have given."""
    first = saved(analyze_table(planned(), dated()))
    other = planned(**changes)

    found, expected = saved(reanalyze(other, first)), saved(analyze_table(other, dated()))
    for part in ("decision", "results", "segments", "figures", "days", "novelty", "srm", "money", "summary"):
        assert _near(found[part], expected[part]), part


def _near(one: Any, other: Any) -> bool:
    """Say whether two parts are the same but for rounding (cells of other segments add up in another order)."""
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-9, abs=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_near(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_near, one, other))
    return bool(one == other)


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        (experiment(experiment_id="other"), "not a result of experiment 'other'"),
        (experiment({"metric_id": "age"}), "no metric 'age'"),
        (
            experiment({"metric_id": "revenue", "column": "age"}),
            "are of revenue; the definition asks for age",
        ),
        (experiment({"metric_id": "revenue", "covariates": ["before"]}), "asks for revenue, before"),
        (experiment(variants=[{"variant_id": "control"}, {"variant_id": "old"}]), "no variant old"),
        (experiment(segments=["segment"]), "not broken down by segment"),
    ],
)
def test_other_experiments_are_refused(definition: ExperimentDefinition, sentence: str) -> None:
    """What the saved statistics cannot answer is named; no figure of other columns is passed off as the metric's."""
    document = saved(analyze_table(experiment(), table()))

    with pytest.raises(AnalysisError, match=sentence):
        reanalyze(definition, document)


def test_another_kind_of_figure_is_refused_alone() -> None:
    """A saved mean holds no median: that metric says so, and the rest of the result stands."""
    document = saved(analyze_table(experiment(), table()))
    definition = experiment({"metric_id": "revenue", "kind": "quantile", "quantile": 0.5})

    assert "not computed" in reanalyze(definition, document).results[0].refusal


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"experiment_id": "e"},
        {"experiment_id": "e", "statistics": {}},
        {"experiment_id": "e", "statistics": {"format": "troth-statistics", "version": 99}},
    ],
)
def test_documents_that_are_no_results_are_refused(document: dict[str, Any]) -> None:
    """Any other JSON is one sentence, not a failure."""
    with pytest.raises(AnalysisError):
        reanalyze(experiment(), document)
    whole = saved(analyze_table(experiment(), table()))
    for part in ("computed", "refusals", "diagnostics"):
        with pytest.raises(AnalysisError, match=part):
            reanalyze(experiment(), {name: value for name, value in whole.items() if name != part})
