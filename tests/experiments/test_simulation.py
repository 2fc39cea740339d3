"""A/A simulation on a table: splits, rates and verdicts."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.aa_test import AATest, simulate
from experiments.aa_test.splits import random_splits, scaled
from experiments.definition import ExperimentDefinition, parse_experiment
from experiments.errors import AnalysisError
from experiments.planning import read_history
from experiments.stats import Moments

UNITS = 4_000


def definition(*metrics: dict[str, Any], **changes: Any) -> ExperimentDefinition:
    fields = {
        "experiment_id": "aa",
        "variants": [{"variant_id": "control"}, {"variant_id": "new"}],
        "metrics": list(metrics) or [{"metric_id": "revenue"}],
    }
    return parse_experiment(fields | changes, "test")


def table(units: int = UNITS) -> pl.LazyFrame:
    random = np.random.default_rng(5)
    before = random.normal(10, 3, units)
    orders = random.poisson(2, units)
    return pl.DataFrame(
        {
            "unit_id": np.arange(units),
            "store": np.arange(units) // 4,
            "revenue": before + random.normal(0, 2, units),
            "before": before,
            "orders": orders,
            "spend": random.gamma(2.0 * orders + 1e-9, 5.0),
            "converted": random.random(units) < 0.1,
            "extreme": np.where(np.arange(units) == 7, 1e6, random.random(units)),
        }
    ).lazy()


def test_sums_of_splits_are_the_moments_of_their_units() -> None:
    """At every look the arms' moments are those of the units so far, and both arms together are all of them."""
    values = np.random.default_rng(1).normal(1e6, 1, (900, 3))

    arms = next(
        random_splits(values, pair_units=900, share=0.3, looks=3, runs=5, random=np.random.default_rng(2))
    )

    for run in range(5):
        control, treatment = arms.moments(run, 2)
        whole, expected = control.merge(treatment), Moments.of(*values.T)
        assert whole.count == 900
        assert whole.means == pytest.approx(expected.means, rel=1e-12)
        assert np.allclose(whole.products, expected.products, rtol=1e-9)
        assert [sum(m.count for m in arms.moments(run, look)) for look in range(3)] == [300, 600, 900]
        assert 0.2 < treatment.count / 900 < 0.4


def test_an_effect_scales_the_first_column_only() -> None:
    """With an effect, the treatment's moments are those of its units with larger values."""
    values = np.random.default_rng(1).normal(3, 1, (2, 50))

    found = scaled(Moments.of(*values), 1.1)

    expected = Moments.of(values[0] * 1.1, values[1])
    assert found.means == pytest.approx(expected.means)
    assert np.allclose(found.products, expected.products)


def test_sound_metrics_are_in_order() -> None:
    """Means with CUPED, proportions, ratios and quantiles of ordinary data keep their word."""
    found = simulate(
        definition(
            {"metric_id": "revenue", "covariates": ["before"]},
            {"metric_id": "converted", "kind": "proportion"},
            {
                "metric_id": "order-value",
                "kind": "ratio",
                "numerator": {"column": "spend"},
                "denominator": {"column": "orders"},
            },
            {"metric_id": "median", "kind": "quantile", "quantile": 0.5, "column": "revenue"},
        ),
        table(),
        runs=300,
        looks=5,
    )

    assert [one.sound for one in found.metrics] == [True] * 4
    for one in found.metrics:
        assert one.units == UNITS
        assert one.coverage == pytest.approx(0.95, abs=0.04)
        assert found.sentence(one).endswith("A/A splits significant at 5 %: in order.")
    peeking = [one.rate("fixed-peeking") for one in found.metrics[:3]]
    assert all(rate is not None and rate.rate > 0.08 and rate.sound is None for rate in peeking)
    assert [rate.method for rate in found.metrics[3].rates] == ["fixed"]


def test_a_metric_of_one_extreme_unit_is_not_trusted() -> None:
    """Where one unit makes up the variance, the rate is out of its band, and winsorising is advised, and helps."""
    wild = {"metric_id": "extreme"}
    capped = {"metric_id": "extreme", "winsorize": {"upper": 1.0}}

    found, cured = (simulate(definition(metric), table(), runs=200, looks=2) for metric in (wild, capped))

    assert not found.sound
    assert "cannot be trusted on your data" in found.sentence(found.metrics[0])
    assert "winsorise it" in found.sentence(found.metrics[0])
    assert cured.sound


def test_an_effect_is_found_and_covered() -> None:
    """With an effect in the treatment, tests find it and intervals hold it; no false findings are judged."""
    found = simulate(definition({"metric_id": "revenue"}), table(), runs=200, looks=4, effect=0.05)

    one = found.metrics[0]
    fixed, always = one.rate("fixed"), one.rate("always-valid")
    assert fixed is not None
    assert always is not None
    assert fixed.rate > 0.9
    assert 0.5 < always.rate < fixed.rate
    assert one.coverage == pytest.approx(0.95, abs=0.05)
    assert one.relative_coverage == pytest.approx(0.95, abs=0.05)
    assert one.sound is None
    assert one.uniformity is None
    assert "with an effect of +5 %" in found.sentence(one)


def test_the_same_seed_gives_the_same_result() -> None:
    """Results depend on the seed only."""

    def run(seed: int) -> AATest:
        return simulate(definition(), table(500), runs=100, looks=2, seed=seed)

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_variants_with_other_shares_are_split_by_them() -> None:
    """Each share of treatments is simulated at its own size, once for all treatments that have it."""
    variants = [
        {"variant_id": "control", "weight": 2},
        {"variant_id": "a", "weight": 1},
        {"variant_id": "b", "weight": 1},
        {"variant_id": "c", "weight": 4},
        {"variant_id": "closed", "weight": 0},
    ]

    found = simulate(definition(variants=variants), table(), runs=100, looks=2)

    assert [(one.variant_ids, one.units) for one in found.metrics] == [(("a", "b"), 1_500), (("c",), 3_000)]
    assert found.label(found.metrics[0]) == "revenue (a, b)"


def test_missing_values_and_clusters_count_as_in_an_analysis() -> None:
    """Units without a value are left out, and clusters are split as wholes."""
    gaps = table().with_columns(revenue=pl.when(pl.col("unit_id") >= 1_000).then("revenue"))

    assert simulate(definition(), gaps, runs=100, looks=2).metrics[0].units == 3_000
    clustered = definition(cluster_column="store")
    assert simulate(clustered, table(), runs=100, looks=2).metrics[0].units == UNITS // 4


def test_what_cannot_be_split_is_named() -> None:
    """Unknown columns, too few splits and the bootstrap are refused in words."""
    with pytest.raises(AnalysisError, match="at least 100"):
        simulate(definition(), table(), runs=10)
    with pytest.raises(AnalysisError, match="nothing-like-it"):
        simulate(definition({"metric_id": "nothing-like-it"}), table(), runs=100)
    slow = definition({"metric_id": "revenue", "inference": "bootstrap"})
    found = simulate(slow, table(), runs=100)
    assert found.sentence(found.metrics[0]) == (
        "revenue: not simulated; the bootstrap of every split would take hours."
    )
    assert found.sound


def test_history_reads_values_as_the_analysis_does() -> None:
    """The values that are split have the moments that the analysis collects, caps and clusters included."""
    metric = {
        "metric_id": "revenue",
        "winsorize": {"lower_quantile": 0.01, "upper_quantile": 0.99},
        "covariates": ["before"],
    }
    for more in ({}, {"cluster_column": "store"}):
        experiment = definition(metric, **more)
        history = read_history(experiment, table(), list(experiment.metrics))

        found = Moments.of(*history.values(experiment.metrics[0]).T)

        expected = history.moments(experiment.metrics[0])
        assert found.count == expected.count
        assert found.means == pytest.approx(expected.means, rel=1e-12)
        assert np.allclose(found.products, expected.products, rtol=1e-9)
