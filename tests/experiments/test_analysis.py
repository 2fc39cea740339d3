import json
import math
from collections import defaultdict
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from experiments.analysis import ExperimentResult, analyze_decisions
from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError
from tests.experiments.definitions import arms, definition, raw_definition
from tests.experiments.synthetic import Logs, Row, exposure, frames, offer_ranking_logs, outcome


def analyzed(logs: Logs, experiment: ExperimentDefinition | None = None) -> ExperimentResult:
    """Return the analysis of logs."""
    return analyze_decisions(experiment or definition(), exposures=logs.exposures, outcomes=logs.outcomes)


def filler(members: int = 30) -> list[Row]:
    """Return enough exposures of both variants for a ratio: one trip each, no outcome."""
    return [
        exposure(f"filler-{variant}-{n}", variant, f"f-{variant}-{n}")
        for variant in ("popular", "personal")
        for n in range(members)
    ]


def personal(
    result: ExperimentResult, metric_id: str = "offers-hit-per-trip"
) -> tuple[float | None, float | None]:
    """Return numerator and denominator of the treatment in a metric."""
    figure = next(f for f in result.figures if (f.metric_id, f.variant_id) == (metric_id, "personal"))
    return figure.numerator_total, figure.denominator_total


def unattributed(result: ExperimentResult) -> dict[str, int]:
    """Return the outcomes that count for nobody, by cause."""
    causes = ("no_decision", "decision_not_exposed", "other_member", "excluded_member")
    counts = {cause: result.diagnostics.counts[f"outcomes_{cause}"] for cause in causes}
    return {cause: count for cause, count in counts.items() if count}


def mean_metric(aggregate: str) -> dict[str, Any]:
    """Return a metric per member."""
    return {
        "metric_id": "per-member",
        "role": "success",
        "name": "purchases per member",
        "kind": "mean",
        "numerator": {"event": "outcomes", "outcome_type": "purchase", "aggregate": aggregate},
    }


def reference(logs: Logs, variant_id: str) -> dict[str, tuple[Fraction, Fraction]]:
    """Return hits and money per trip, with delta variances, by plain loops in exact arithmetic."""
    trips: dict[str, int] = defaultdict(int)
    owner: dict[str, str] = {}
    for row in logs.exposures.iter_rows(named=True):
        if row["variant_id"] == variant_id:
            trips[row["member_id"]] += 1
            owner[row["decision_id"]] = row["member_id"]
    hits: dict[str, set[tuple[str, str]]] = defaultdict(set)
    money: dict[str, Fraction] = defaultdict(Fraction)
    for row in logs.outcomes.iter_rows(named=True):
        if owner.get(row["decision_id"]) == row["member_id"]:
            hits[row["member_id"]].add((row["decision_id"], row["offer_id"]))
            money[row["member_id"]] += Fraction(row["value"])
    found = {}
    n = len(trips)
    for name, numerators in (
        ("offers-hit-per-trip", {m: Fraction(len(hits[m])) for m in trips}),
        ("dollars-per-trip", {m: money[m] for m in trips}),
    ):
        ratio = sum(numerators.values(), Fraction()) / sum(trips.values())
        residuals = [numerators[m] - ratio * trips[m] for m in trips]
        mean_trips = Fraction(sum(trips.values()), n)
        found[name] = (ratio, sum((r * r for r in residuals), Fraction()) / (n - 1) / mean_trips**2 / n)
    return found


def test_figures_equal_plain_loops_over_the_log() -> None:
    """Every ratio and standard error is what exact loops over members give."""
    logs = offer_ranking_logs(definition(), members=300)

    result = analyzed(logs)

    expected = {variant: reference(logs, variant) for variant in ("popular", "personal")}
    assert len(result.results) == 2
    for one in result.results:
        control, treatment = (
            expected["popular"][one.metric.metric_id],
            expected["personal"][one.metric.metric_id],
        )
        assert one.pair is not None
        assert one.pair.control_mean == pytest.approx(float(control[0]), rel=1e-12)
        assert one.pair.treatment_mean == pytest.approx(float(treatment[0]), rel=1e-12)
        assert one.pair.estimate == pytest.approx(float(treatment[0] - control[0]), rel=1e-12)
        assert one.pair.standard_error == pytest.approx(math.sqrt(control[1] + treatment[1]), rel=1e-9)


def test_a_clear_effect_is_found_and_said() -> None:
    """The synthetic champion wins, and the sentence says by how much in plain words."""
    result = analyzed(offer_ranking_logs(definition()))

    assert all(one.improved for one in result.results)
    assert result.sentence() == (
        "Personal ranking got 0.18 offers hit per trip against 0.10 with popular offers: +0.08 (95 % interval +0.05"
        " to +0.11)."
    )


def test_rows_in_another_order_give_the_same_result() -> None:
    """The order of the log does not matter."""
    logs = offer_ranking_logs(definition(), members=300)
    shuffled = Logs(
        logs.exposures.sample(fraction=1, shuffle=True, seed=1),
        logs.outcomes.sample(fraction=1, shuffle=True, seed=2),
    )

    first, second = analyzed(logs), analyzed(shuffled)

    for one, other in zip(first.results, second.results, strict=True):
        assert one.pair is not None
        assert other.pair is not None
        assert one.pair.estimate == pytest.approx(other.pair.estimate, rel=1e-12)
        assert one.pair.standard_error == pytest.approx(other.pair.standard_error, rel=1e-12)


def test_repeated_events_count_once() -> None:
    """The same event id twice, in exposures or outcomes, is one event."""
    rows = [*filler(), exposure("m", "personal", "d1"), exposure("m", "personal", "d1")]
    bought = [outcome("m", "d1", "a", 5.0), outcome("m", "d1", "a", 5.0)]

    result = analyzed(frames(rows, bought))

    assert personal(result) == (1, 31)
    assert personal(result, "dollars-per-trip") == (5.0, 31)
    assert result.diagnostics.counts["duplicate_exposures"] == 1
    assert result.diagnostics.counts["duplicate_outcomes"] == 1


def test_offers_hit_count_once_per_decision() -> None:
    """Two offers hit on one trip are two hits; the same offer bought twice on it is one; on two trips it is two."""
    rows = [*filler(), exposure("m", "personal", "d1"), exposure("m", "personal", "d2")]
    bought = [
        outcome("m", "d1", "a", 1.0),
        outcome("m", "d1", "a", 2.0, event_id="again"),
        outcome("m", "d1", "b", 4.0),
        outcome("m", "d2", "a", 8.0),
    ]

    result = analyzed(frames(rows, bought))

    assert personal(result) == (3, 32)
    assert personal(result, "dollars-per-trip") == (15.0, 32)


def test_returns_take_money_back() -> None:
    """Negative values are added up like others."""
    rows = [*filler(), exposure("m", "personal", "d1")]

    result = analyzed(frames(rows, [outcome("m", "d1", "a", 5.0), outcome("m", "d1", "b", -8.0)]))

    assert personal(result, "dollars-per-trip") == (-3.0, 31)


def test_members_of_several_variants_are_left_out() -> None:
    """Whoever met two variants counts for none, with all their trips and outcomes, and is counted apart."""
    rows = [*filler(), exposure("m", "personal", "d1"), exposure("m", "popular", "d2")]

    result = analyzed(frames(rows, [outcome("m", "d1", "a")]))

    assert result.units == {"popular": 30, "personal": 30}
    assert personal(result) == (0, 30)
    assert result.diagnostics.counts["units_in_several_variants"] == 1
    assert unattributed(result) == {"excluded_member": 1}


@pytest.mark.parametrize(
    ("leaked", "warning", "alarm"), [(0, False, False), (1, True, False), (10, True, True)]
)
def test_many_members_of_several_variants_make_the_result_invalid(
    leaked: int, warning: bool, alarm: bool
) -> None:
    """Above one in a hundred is a warning; above one in ten, those who are left are not a random part any more."""
    rows = [
        *filler(),
        *(
            exposure(f"m{n}", variant, f"{variant}-{n}")
            for n in range(leaked)
            for variant in ("popular", "personal")
        ),
    ]

    result = analyzed(frames(rows, []))

    assert (result.exposures.units, result.exposures.warning, result.exposures.alarm) == (
        leaked,
        warning,
        alarm,
    )
    assert result.exposures.share == leaked / (60 + leaked)
    assert ("met more than one variant" in result.decision.reason) == alarm
    assert (result.decision.verdict.value == "invalid") == alarm


def test_outcomes_count_for_their_own_decision_only() -> None:
    """What names no decision, another's or an unknown one counts for nobody, by cause."""
    rows = [*filler(), exposure("m", "personal", "d1"), exposure("n", "personal", "d2")]
    bought = [
        outcome("m", "d1", "a"),
        outcome("m", "d2", "a"),
        outcome("m", None, "a"),
        outcome("m", "d9", "a"),
        outcome("stranger", "d1", "a"),
    ]

    result = analyzed(frames(rows, bought))

    assert personal(result) == (1, 32)
    assert result.diagnostics.counts["outcomes"] == 1
    assert unattributed(result) == {
        "other_member": 2,
        "no_decision": 1,
        "decision_not_exposed": 1,
    }


def test_other_experiments_programmes_and_outcome_types_are_ignored() -> None:
    """Only this experiment's exposures, this programme's rows and the metrics' outcome types are read."""
    rows = [
        *filler(),
        exposure("m", "personal", "d1"),
        exposure("m", "popular", "d2", experiment_id="another"),
        exposure("m", "popular", "d3", programme="another"),
    ]
    bought = [
        outcome("m", "d1", "a"),
        outcome("m", "d1", "b", outcome_type="click"),
        outcome("m", "d1", "c", programme="another"),
        outcome("m", "d1", "d", event_id="o-m-d1-a", programme="another"),
    ]

    result = analyzed(frames(rows, bought))

    assert personal(result) == (1, 31)
    assert result.diagnostics.counts["exposures"] == 61
    assert result.diagnostics.counts["duplicate_outcomes"] == 0
    assert unattributed(result) == {}


def test_unknown_variants_are_counted_apart() -> None:
    """A variant that the definition lacks is not an arm, and its members do not slip into another one."""
    rows = [
        *filler(),
        exposure("m", "old", "d1"),
        exposure("n", "old", "d2"),
        exposure("n", "personal", "d3"),
    ]

    result = analyzed(frames(rows, []))

    assert result.units == {"popular": 30, "personal": 30}
    assert result.diagnostics.counts["exposures_to_unknown_variants"] == 2
    assert result.diagnostics.counts["units_in_several_variants"] == 1


def test_exposures_without_decision_are_trips_too() -> None:
    """An exposure need not name a decision; no outcome can be attributed to it."""
    rows = [*filler(), exposure("m", "personal", None)]

    result = analyzed(frames(rows, [outcome("m", None, "a")]))

    assert personal(result) == (0, 31)


def test_outcomes_without_value_add_no_money_but_hits() -> None:
    """A null is never counted as a value; the offer was hit all the same."""
    rows = [*filler(), exposure("m", "personal", "d1")]

    result = analyzed(frames(rows, [outcome("m", "d1", "a", None), outcome("m", "d1", "b", 2.5)]))

    assert personal(result) == (2, 31)
    assert personal(result, "dollars-per-trip") == (2.5, 31)
    assert result.diagnostics.counts["outcomes_without_value"] == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"currency_code": "EUR"}, "values of several currencies cannot be added up (EUR, USD)"),
        ({"currency_code": None}, "values of several currencies cannot be added up (USD, none)"),
        ({"value": math.inf}, "values of 1 outcomes are not finite numbers"),
        ({"value": math.nan}, "values of 1 outcomes are not finite numbers"),
    ],
)
def test_money_that_cannot_be_added_is_refused_by_name(changes: dict[str, Any], expected: str) -> None:
    """The metric gets its reason in place of figures; the others keep theirs."""
    rows = [*filler(), exposure("m", "personal", "d1")]

    result = analyzed(frames(rows, [outcome("m", "d1", "a"), outcome("m", "d1", "b") | changes]))

    hits, dollars = result.results
    assert hits.pair is not None
    assert dollars.pair is None
    assert dollars.refusal == expected
    assert not dollars.improved
    assert set(result.to_json()["results"][1]["reasons"].values()) == {expected}


def test_means_count_members_without_outcomes_as_zero() -> None:
    """A mean is over all exposed members, with Welch's test."""
    rows = [exposure(f"m{n}", "popular" if n < 10 else "personal", f"d{n}") for n in range(20)]
    bought = [outcome(f"m{n}", f"d{n}", "a", float(n)) for n in (1, 2, 11, 12, 13)]
    experiment = definition(metrics=[mean_metric("value")])

    result = analyzed(frames(rows, bought), experiment)

    effect = result.results[0].pair
    assert effect is not None
    assert effect.control_mean == pytest.approx(0.3)
    assert effect.treatment_mean == pytest.approx(3.6)
    assert result.figures[0].denominator_total is None
    assert result.to_json()["results"][0]["method"] == "mean over units, Welch t"


def test_too_few_members_are_refused_by_name() -> None:
    """A ratio over a handful of members has no figures, and the sentence says so."""
    rows = [exposure("m", "personal", "d1"), *(exposure(f"n{n}", "popular", f"e{n}") for n in range(40))]

    result = analyzed(frames(rows, []))

    assert result.results[0].pair is None
    assert result.sentence().startswith("No winner can be named. The members did not arrive")
    assert "Personal ranking: 1 unit in a variant; a ratio needs at least 30" in result.results[0].refusal
    few = analyzed(frames(rows[:2], []))
    assert few.sentence() == (
        "No winner can be named. The primary metric has no figure: Popular offers: 1 unit in a variant; a ratio needs"
        " at least 30."
    )


def test_an_empty_arm_has_no_figures_and_raises_the_alarm() -> None:
    """A variant that nobody met is a broken experiment, not a result."""
    result = analyzed(frames([row for row in filler() if row["variant_id"] == "popular"], []))

    assert result.units == {"popular": 30, "personal": 0}
    assert result.srm.alarm
    assert result.results[0].pair is None


def test_no_winner_is_named_while_the_sample_ratio_is_wrong() -> None:
    """However clear the effect, the sentence speaks of the mismatch only."""
    logs = offer_ranking_logs(definition())
    lost = (pl.col("variant_id") != "personal") | ~pl.col("member_id").str.contains("[1-3]$")

    result = analyzed(Logs(logs.exposures.filter(lost), logs.outcomes))

    assert result.results[0].improved
    assert result.srm.alarm
    assert result.sentence().startswith("No winner can be named")
    assert "Personal ranking 712 instead of 858" in result.sentence()


def test_chance_is_called_chance() -> None:
    """An interval that reaches from minus to plus is said to be no finding."""
    result = analyzed(offer_ranking_logs(definition(), members=900, hit_rates=(0.03, 0.03)))

    assert not result.results[0].improved
    assert not result.results[0].harmed
    assert result.sentence().endswith("which can be chance.")


def test_every_treatment_is_compared_with_the_control() -> None:
    """With three variants there are two results per metric, in the order of the definition."""
    experiment = definition(variants=arms(1, 2, 1), control="v1")

    result = analyzed(
        offer_ranking_logs(experiment, hit_rates=(0.06, 0.03, 0.02), hit_values=(1, 1, 1)), experiment
    )

    assert [(one.metric.metric_id, one.variant_id, one.control_id) for one in result.results] == [
        ("offers-hit-per-trip", "v0", "v1"),
        ("offers-hit-per-trip", "v2", "v1"),
        ("dollars-per-trip", "v0", "v1"),
        ("dollars-per-trip", "v2", "v1"),
    ]
    assert result.srm.expected == {"v0": 500, "v1": 1000, "v2": 500}
    assert result.sentence().count("against") == 2


def test_json_document_has_the_agreed_shape() -> None:
    """Names and places are those that programs rely on; nothing is NaN."""
    document = json.loads(json.dumps(analyzed(offer_ranking_logs(definition())).to_json(), allow_nan=False))

    assert document["experiment_id"] == "offer-ranking"
    assert {"verdict", "reason"} <= set(document["decision"])
    assert {"p_value", "always_valid_p", "alarm"} <= set(document["srm"])
    assert document["units"] == {"popular": 1004, "personal": 996}
    assert set(document["results"][0]) >= {
        "metric_id",
        "role",
        "variant_id",
        "control_id",
        "control_mean",
        "treatment_mean",
        "estimate",
        "standard_error",
        "ci_lower",
        "ci_upper",
        "relative_estimate",
        "relative_ci_lower",
        "relative_ci_upper",
        "p_value",
        "adjusted_p_value",
        "adjusted_ci_lower",
        "adjusted_ci_upper",
        "always_valid_ci_lower",
        "always_valid_ci_upper",
        "always_valid_p_value",
        "method",
        "ingredients",
        "reasons",
    }
    assert document["results"][0]["reasons"] == {
        "variance_reduction": "the metric has no covariates",
        "group_sequential": "the analysis is not group-sequential",
        "non_inferiority": "the metric has no margin",
    }
    assert any("Welch t" in text for text in document["results"][0]["ingredients"])
    assert document["summary"].startswith("Personal ranking got")


def test_missing_figures_are_null_with_reasons_in_json() -> None:
    """Where nothing varies, what does not exist is null and says why."""
    document = analyzed(frames(filler(), [])).to_json()

    result = document["results"][0]
    assert (result["estimate"], result["standard_error"]) == (0.0, 0.0)
    for name in ("ci_lower", "ci_upper", "p_value", "relative_estimate", "relative_ci_lower"):
        assert result[name] is None
        assert result["reasons"][name]
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("table", ["exposures", "outcomes"])
def test_tables_that_are_no_logs_are_refused_by_name(table: str) -> None:
    """Missing columns, wrong types and missing keys are one clear sentence."""
    logs = frames(filler(), [outcome("m", "d", "a")])
    column = "decision_id" if table == "exposures" else "value"
    frame: pl.DataFrame = getattr(logs, table)
    bad_type = frame.with_columns(pl.lit("abc").alias("value")) if table == "outcomes" else None
    cases = [(frame.drop(column), f"The table of {table} lacks the columns {column}.")]
    cases.append(
        (frame.with_columns(member_id=pl.lit(None)), f"In the table of {table}, .* rows have no member_id.")
    )
    if bad_type is not None:
        cases.append((bad_type, "The table of outcomes has a column of a wrong type"))

    for changed, expected in cases:
        tables = {"exposures": logs.exposures, "outcomes": logs.outcomes} | {table: changed}
        with pytest.raises(AnalysisError, match=expected):
            analyze_decisions(definition(), exposures=tables["exposures"], outcomes=tables["outcomes"])


def test_nobody_exposed_is_refused_by_name() -> None:
    """Without any exposure there is nothing to analyse."""
    with pytest.raises(
        AnalysisError, match="There is no exposure of experiment 'offer-ranking' in programme"
    ):
        analyzed(frames([], []))


def test_alpha_of_the_definition_is_used() -> None:
    """A stricter experiment has wider intervals, and says so."""
    logs = offer_ranking_logs(definition())
    raw = raw_definition(alpha=0.01)

    strict, usual = analyzed(logs, definition(**raw)), analyzed(logs)

    lower = [one.results[0].fixed.ci_lower for one in (strict, usual) if one.results[0].fixed]
    assert lower[0] is not None
    assert lower[1] is not None
    assert lower[0] < lower[1]
    assert strict.to_json()["results"][0]["ingredients"][0] == "99 %, two-sided"
