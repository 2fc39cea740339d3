"""The parts of a definition: tables, factors, layers, metrics, and the life of an experiment."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.definition import (
    AnalysisMethod,
    ExperimentDefinition,
    State,
    change_problems,
    check_changes,
    load_experiments,
    parse_experiment,
    transition_problem,
)
from experiments.errors import DefinitionError
from tests.experiments.definitions import definition, raw_definition


def problems_of(raw: Any) -> dict[str, str]:
    """Return the problems of a definition, by field path."""
    with pytest.raises(DefinitionError) as caught:
        parse_experiment(raw, "test.yaml")
    return {problem.path: problem.message for problem in caught.value.problems}


def test_a_table_needs_little() -> None:
    """Ids, variants and a metric's column are enough for somebody's table; the rest has its default."""
    experiment = parse_experiment(
        {
            "experiment_id": "cookie_cats",
            "unit_column": "userid",
            "variant_column": "version",
            "variants": [{"variant_id": "gate_30"}, {"variant_id": "gate_40"}],
            "metrics": [
                {"metric_id": "retention_7", "kind": "proportion"},
                {"metric_id": "rounds", "column": "sum_gamerounds", "covariates": ["before"]},
            ],
            "analysis": "group_sequential",
            "planned_units": 90_000,
        },
        "test",
    )

    assert experiment.state is State.DRAFT
    assert experiment.control == "gate_30"
    assert [variant.weight for variant in experiment.variants] == [1, 1]
    assert experiment.metric("retention_7").numerator.column == "retention_7"
    assert experiment.metric("rounds").numerator.column == "sum_gamerounds"
    covariate = experiment.metric("rounds").covariates[0].numerator
    assert covariate is not None
    assert covariate.column == "before"
    assert experiment.analysis.method is AnalysisMethod.GROUP_SEQUENTIAL


def test_numbers_name_variants_as_a_column_has_them() -> None:
    """Variants written 0 and 1 are the texts that a table's column holds."""
    experiment = definition(
        variants=[{"variant_id": 0}, {"variant_id": 1}], control=0, overrides={7: 1}, state="draft"
    )

    assert [variant.variant_id for variant in experiment.variants] == ["0", "1"]
    assert experiment.control == "0"
    assert experiment.overrides == {"7": "1"}


def test_a_name_alone_is_a_variant_or_a_metric() -> None:
    """Where nothing but the id is said, the id alone may stand."""
    experiment = parse_experiment(
        {"experiment_id": "short", "variants": ["control", 1], "metrics": ["revenue"]}, "test"
    )

    assert [variant.variant_id for variant in experiment.variants] == ["control", "1"]
    assert experiment.metric("revenue").numerator.column == "revenue"


def test_shares_and_single_names_are_understood() -> None:
    """Weights may be shares, a list of one may be its entry, and whole numbers may be written as 1.0e+5."""
    experiment = parse_experiment(
        {
            "experiment_id": "short",
            "variants": [{"variant_id": "a", "weight": 0.9}, {"variant_id": "b", "weight": 0.1}],
            "metrics": [{"metric_id": "revenue", "covariates": "before", "alternative": "less"}],
            "segments": "country",
            "correction": "bh",
            "planned_units": 1.0e5,
        },
        "test",
    )

    assert [variant.weight for variant in experiment.variants] == [900_000, 100_000]
    assert len(experiment.metric("revenue").covariates) == 1
    assert experiment.segments == ("country",)
    assert experiment.correction == "benjamini-hochberg"
    assert experiment.planned_units == 100_000


def test_factors_make_their_cells() -> None:
    """The variants of a factorial design are all combinations of levels, with both levels' parameters."""
    experiment = factorial()

    assert [variant.variant_id for variant in experiment.variants] == [
        "red.short",
        "red.long",
        "blue.short",
        "blue.long",
    ]
    assert experiment.control == "red.short"
    assert experiment.variants[3].parameters == {"colour": "blue", "text": "long"}
    assert experiment.variants[2].weight == 2


def factorial(**changes: Any) -> ExperimentDefinition:
    """Return a 2x2 design."""
    raw = raw_definition(
        factors=[
            {
                "factor_id": "colour",
                "levels": [
                    {"level_id": "red", "parameters": {"colour": "red"}},
                    {"level_id": "blue", "weight": 2, "parameters": {"colour": "blue"}},
                ],
            },
            {
                "factor_id": "text",
                "levels": [
                    {"level_id": "short", "parameters": {"text": "short"}},
                    {"level_id": "long", "parameters": {"text": "long"}},
                ],
            },
        ],
        **changes,
    )
    del raw["variants"], raw["control"]
    return parse_experiment(raw, "test")


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"layer": {"layer_id": "l", "slots": ["0-9", 5]}}, "layer.slots", "slot 5 is there twice"),
        ({"layer": {"layer_id": "l", "slots": ["990-1000"]}}, "layer.slots", "within 0-999"),
        ({"layer": {"layer_id": "l", "slots": ["a"]}}, "layer.slots", "'a' is not a slot"),
        ({"overrides": {"qa": "nobody"}}, "overrides.qa", "there is no variant 'nobody'"),
        ({"targeting": "tier == 'gold'"}, "attributes", "declares what the targeting rule may read"),
        ({"attributes": {"tier": "text"}}, "attributes.tier", "must be 'string', 'int'"),
        ({"analysis": "group-sequential"}, "planned_units", "is missing"),
        (
            {"analysis": {"method": "sometimes"}},
            "analysis.method",
            "'always-valid', 'group-sequential' or 'fixed'",
        ),
        ({"money": {"metric_id": "euros"}}, "money.metric_id", "there is no metric 'euros'"),
        ({"money": {"metric_id": "offers-hit-per-trip"}}, "money.metric_id", "needs a metric of kind mean"),
        ({"window_days": 7}, "window_days", "no meaning with attribution: decision"),
        ({"start_date": date(2026, 2, 1), "end_date": date(2026, 1, 1)}, "end_date", "before the start"),
        ({"correction": "bonferoni"}, "correction", "'holm'"),
    ],
)
def test_new_parts_are_checked(changes: dict[str, Any], path: str, expected: str) -> None:
    """Layers, overrides, targeting, analysis, money and dates say what is wrong with them."""
    assert expected in problems_of(raw_definition(**changes))[path]


@pytest.mark.parametrize(
    ("changes", "path", "expected"),
    [
        ({"kind": "quantile"}, "quantile", "is missing"),
        ({"quantile": 0.5}, "quantile", "only a metric of kind quantile"),
        ({"margin": {"relative": 0.02}}, "margin", "only a guardrail"),
        ({"role": "guardrail", "margin": {}}, "margin", "exactly one of relative and absolute"),
        ({"winsorize": {"upper": 5, "upper_quantile": 0.99}}, "winsorize", "two upper bounds"),
        ({"winsorize": {"lower": 5, "upper": 4}}, "winsorize.upper", "must be above lower"),
        ({"numerator": {"column": "a", "event": "outcomes"}}, "numerator", "exactly one of"),
        ({"numerator": {"event": "outcomes"}}, "numerator.outcome_type", "which outcomes"),
        (
            {"covariates": [{"pre_period_days": 7}]},
            "covariates[0].pre_period_days",
            "needs a metric from events",
        ),
        ({"covariates": [{}]}, "covariates[0]", "either a column or pre_period_days"),
        ({"denominator": "orders"}, "denominator", "only a ratio has one"),
        ({"kind": "ratio"}, "denominator", "is missing"),
        (
            {"kind": "retention", "retention": {"first_day": 7, "last_day": 1}},
            "retention.last_day",
            "before first_day",
        ),
    ],
)
def test_metrics_are_checked(changes: dict[str, Any], path: str, expected: str) -> None:
    """A metric's parts must fit its kind and role."""
    raw = raw_definition(metrics=[{"metric_id": "revenue"}, {"metric_id": "tested"} | changes])

    assert expected in problems_of(raw)[f"metrics[1].{path}"]


def test_running_experiments_must_fit_together(tmp_path: Path) -> None:
    """Slots are lent once, a holdout is the same for all, an attribute has one type."""
    first = raw_definition(
        layer={"layer_id": "checkout", "slots": ["0-499"]},
        attributes={"tier": "string"},
        holdout={"holdout_id": "all", "traffic_ppm": 50_000},
    )
    second = raw_definition(
        experiment_id="other",
        layer={"layer_id": "checkout", "slots": ["400-600"]},
        attributes={"tier": "int"},
    )
    (tmp_path / "both.yaml").write_text(yaml.safe_dump({"experiments": [first, second]}), encoding="utf-8")

    with pytest.raises(DefinitionError) as caught:
        load_experiments(tmp_path)

    listing = str(caught.value)
    assert "slots: 400-499 are lent to offer-ranking already" in listing
    assert "attributes.tier: is int here and string in offer-ranking" in listing
    assert "holdout: must be the same in all running experiments" in listing


def changed(**changes: Any) -> list[str]:
    """Return the paths of what may not change from the running experiment to one with these changes."""
    return [problem.path for problem in change_problems(definition(), definition(**changes))]


def test_what_may_change_while_it_runs() -> None:
    """Texts and more traffic pass; what decides who gets what needs a revision; hash and control never change."""
    assert changed(hypothesis="Another.", owner="b@example.org") == []
    assert [p.path for p in change_problems(definition(traffic_ppm=5), definition(traffic_ppm=6))] == []
    assert changed(traffic_ppm=5) == ["traffic_ppm"]
    assert changed(traffic_ppm=5, revision=2) == []
    assert changed(alpha=0.01) == ["alpha"]
    assert changed(salt="other", revision=2) == ["salt"]
    assert changed(state="draft", revision=2) == ["state"]
    assert changed(state="stopped") == []
    turned = list(reversed(raw_definition()["variants"]))
    assert changed(variants=turned, revision=2) == ["variants"]


def test_a_life_goes_one_way() -> None:
    """Draft, running, stopped, archived; no step back and none left out."""
    allowed = {
        (before, after) for before in State for after in State if not transition_problem(before, after)
    }

    assert allowed == {
        (State.DRAFT, State.RUNNING),
        (State.DRAFT, State.ARCHIVED),
        (State.RUNNING, State.STOPPED),
        (State.STOPPED, State.ARCHIVED),
    }


def test_a_set_of_definitions_is_checked_against_those_in_force() -> None:
    """What may not change is named with its experiment; a running experiment cannot just disappear."""
    running = definition()
    changed = definition(alpha=0.01)
    other = definition(experiment_id="other")

    check_changes([running], [running, other], "new.yaml")
    with pytest.raises(DefinitionError) as caught:
        check_changes([running, other], [changed], "new.yaml")

    assert [problem.path for problem in caught.value.problems] == ["offer-ranking.alpha", "other"]
    assert "is missing, but it is running" in str(caught.value)
