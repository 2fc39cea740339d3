"""Power of a definition, method by method."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.definition import ExperimentDefinition, parse_experiment
from experiments.errors import AnalysisError
from experiments.planning import plan_methods, read_history
from experiments.stats.power import Baseline, TargetEffect, baseline_of


def definition(**changes: Any) -> ExperimentDefinition:
    fields = {
        "experiment_id": "plan",
        "variants": [{"variant_id": "control"}, {"variant_id": "new"}],
        "metrics": [{"metric_id": "revenue", "covariates": ["before"]}],
        "planned_units": 20_000,
    }
    return parse_experiment(fields | changes, "test")


def test_the_fixed_plan_is_the_textbooks() -> None:
    """For 80 % power at 5 %, an effect of a tenth of a standard deviation needs 2 x 1,571 units (Cohen 1988: 1,571)."""
    experiment = definition()

    report = plan_methods(experiment, experiment.metrics[0], Baseline(100, 400.0, 250), TargetEffect(2.0))

    fixed = report.methods[0]
    assert fixed.method == "fixed"
    assert fixed.required_units is not None
    assert abs(fixed.required_units - 3_142) <= 2
    assert fixed.days == pytest.approx(fixed.required_units / 250)
    assert report.relative_effect == pytest.approx(0.02)
    assert fixed.minimal_relative_effect == pytest.approx(0.02 * math.sqrt(3_142 / 20_000), rel=1e-3)


def test_methods_cost_units_and_save_days() -> None:
    """Looking more often needs more units, and on average ends earlier than the own plan's end."""
    experiment = definition()

    report = plan_methods(
        experiment, experiment.metrics[0], Baseline(100, 400.0, 250), TargetEffect(0.02, relative=True)
    )

    units = [one.required_units or 0 for one in report.methods]
    assert [one.method for one in report.methods] == ["fixed", "group-sequential", "always-valid"]
    assert units[0] < units[1] < units[2]
    for one in report.methods[1:]:
        assert one.average_days is not None
        assert one.days is not None
        assert one.average_days < one.days
    assert all(one.power is not None and one.power > 0.99 for one in report.methods)


def test_the_variance_of_a_table_is_that_after_covariates() -> None:
    """A covariate that explains three quarters of the variance saves three quarters of the units."""
    random = np.random.default_rng(1)
    before = random.normal(50, 1, 20_000)
    frame = pl.DataFrame(
        {
            "unit_id": range(20_000),
            "revenue": before * math.sqrt(3) + random.normal(0, 1, 20_000),
            "before": before,
        }
    ).lazy()
    needed = []
    for metric in ({"metric_id": "revenue"}, {"metric_id": "revenue", "covariates": ["before"]}):
        experiment = definition(metrics=[metric])
        one = experiment.metrics[0]
        history = read_history(experiment, frame, [one])
        baseline = baseline_of(history.moments(one), history.shape(one))
        needed.append(plan_methods(experiment, one, baseline, TargetEffect(0.1)).methods[0].required_units)

    assert needed[1] == pytest.approx((needed[0] or 0) / 4, rel=0.05)


def test_several_comparisons_and_small_treatments_need_more() -> None:
    """The smallest treatment is planned for, at the first step of the correction."""
    variants = [{"variant_id": "control"}, {"variant_id": "a"}, {"variant_id": "b", "weight": 2}]
    one, several = definition(), definition(variants=variants)

    reports = [
        plan_methods(experiment, experiment.metrics[0], Baseline(100, 400.0), TargetEffect(2.0))
        for experiment in (one, several)
    ]

    assert [report.comparisons for report in reports] == [1, 2]
    needed = [report.methods[0].required_units or 0 for report in reports]
    assert needed[1] > 2 * needed[0]


def test_a_guardrail_is_planned_by_its_margin() -> None:
    """With a margin the smallest margin is told, and no effect needs to be given."""
    metrics = [
        {"metric_id": "revenue"},
        {"metric_id": "visits", "role": "guardrail", "margin": {"relative": 0.02}},
    ]
    experiment = definition(metrics=metrics)

    report = plan_methods(experiment, experiment.metric("visits"), Baseline(10, 9.0, 100), None)

    assert report.margin == "2 %"
    fixed = report.methods[0]
    # One-sided at 5 % with 80 % power: (1.645 + 0.842)^2 x 2 x 9 / 0.2^2 units in each arm; times two, roughly.
    assert fixed.required_units == pytest.approx(2 * 2.486**2 * 2 * 9 / 0.2**2, rel=0.03)
    assert fixed.minimal_relative_effect is not None


def test_what_is_not_known_is_said() -> None:
    """Without planned units, days or effect the figures are missing, each with its reason."""
    experiment = definition(planned_units=None)

    report = plan_methods(experiment, experiment.metrics[0], Baseline(100, 400.0), TargetEffect(2.0))

    fixed = report.methods[0]
    assert (fixed.power, fixed.days, fixed.minimal_effect) == (None, None, None)
    assert "per day" in fixed.reasons["days"]
    assert "plans no number of units" in fixed.reasons["power"]
    with pytest.raises(AnalysisError, match="Which effect"):
        plan_methods(experiment, experiment.metrics[0], Baseline(100, 400.0), None)
    planned = plan_methods(definition(), definition().metrics[0], Baseline(100, 400.0), None)
    assert planned.methods[0].minimal_effect is not None
    assert planned.methods[0].reasons["required_units"] == "no effect is planned for"
    with pytest.raises(AnalysisError, match="above zero"):
        plan_methods(
            experiment, experiment.metrics[0], Baseline(-1, 400.0), TargetEffect(0.02, relative=True)
        )
