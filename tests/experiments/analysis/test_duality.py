"""Every p-value is below its level exactly when its interval excludes the null: any data, method and correction."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.analysis import ExperimentResult
from experiments.stats import Interval
from tests.experiments.analysis.build import analysed, check_document

ALTERNATIVES = ("two-sided", "greater", "less")
CORRECTIONS = ("holm", "benjamini-hochberg", "none")


def frame(seed: int, units: int, effect: float) -> pl.DataFrame:
    """Return units of three variants, with metrics that the effect moves more or less."""
    random = np.random.default_rng(seed)
    variant = random.integers(0, 3, units)
    value = random.gamma(2, 2, units)
    return pl.DataFrame(
        {
            "variant": np.array(["control", "one", "two"])[variant],
            "skewed": value * (1 + effect * (variant == 1)),
            "flat": random.normal(0.3, 1, units) - effect * (variant == 2),
            "orders": 1.0 + random.poisson(2, units),
            "yes": random.random(units) < 0.3 + effect / 5 * (variant == 1),
            "before": value + random.normal(0, 1, units),
        }
    )


def metrics(alternative: str) -> list[dict[str, Any]]:
    """Return metrics of all kinds that are fast."""
    found: list[dict[str, Any]] = [
        {"metric_id": "skewed", "covariates": ["before"]},
        {"metric_id": "flat"},
        {"metric_id": "yes", "kind": "proportion"},
        {"metric_id": "ratio", "kind": "ratio", "numerator": "skewed", "denominator": "orders"},
        {"metric_id": "median", "column": "skewed", "kind": "quantile", "quantile": 0.5},
    ]
    guards: list[dict[str, Any]] = [
        {"metric_id": "held", "column": "skewed", "role": "guardrail", "margin": {"relative": 0.05}},
        {
            "metric_id": "kept",
            "column": "flat",
            "role": "guardrail",
            "margin": {"absolute": 0.1},
            "direction": "decrease",
        },
    ]
    rise = {"greater": "increase", "less": "decrease"}.get(alternative, "increase")
    return [one | {"alternative": alternative, "direction": rise} for one in found] + guards


def check_interval(interval: Interval | None, alpha: float) -> None:
    """Assert the duality of one interval; alpha is the error of the p-value, the level that of the interval."""
    if interval is None or interval.p_value is None:
        return
    found = interval.p_value < alpha
    if interval.ci_lower is not None or interval.ci_upper is not None:
        assert found is interval.excludes_zero, interval
    relative = [(interval.relative_ci_lower, 1), (interval.relative_ci_upper, -1)]
    if any(end is not None for end, _ in relative):
        assert found is any(end is not None and sign * end > 0 for end, sign in relative), interval


def check_all(result: ExperimentResult) -> None:
    """Assert the duality of every interval and of every margin of a result."""
    alpha = result.definition.alpha
    comparisons = [
        *result.results,
        *(one.comparison for one in result.segments),
        *(one.comparison for one in result.factors),
    ]
    for one in comparisons:
        for interval in (one.fixed, one.always_valid, one.adjusted, one.decisive):
            check_interval(interval, alpha)
        if one.sequential is not None:
            check_interval(one.sequential.interval, alpha)
        margin = one.margin
        if margin is not None and margin.p_value is not None:
            assert margin.passed is (margin.p_value < alpha)
            if margin.bound is not None:
                beyond = margin.bound > margin.limit if margin.limit < 0 else margin.bound < margin.limit
                assert margin.passed is beyond, margin
    check_document(result.to_json())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    units=st.sampled_from([40, 400, 1_500]),
    effect=st.sampled_from([0.0, 0.08, 0.15, 0.6]),
    method=st.sampled_from(["fixed", "always-valid"]),
    correction=st.sampled_from(CORRECTIONS),
    alternative=st.sampled_from(ALTERNATIVES),
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
)
def test_p_values_and_intervals_say_the_same(
    *, seed: int, units: int, effect: float, method: str, correction: str, alternative: str, alpha: float
) -> None:
    """One look and any number of looks, whatever is looked for and however comparisons are corrected."""
    check_all(
        analysed(
            *metrics(alternative),
            frame=frame(seed, units, effect),
            variants=[{"variant_id": "control"}, {"variant_id": "one"}, {"variant_id": "two"}],
            analysis=method,
            correction=correction,
            alpha=alpha,
        )
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    planned=st.sampled_from([500, 900, 2_000, 6_000]),
    spending=st.sampled_from(["obrien-fleming", "pocock", "power"]),
    correction=st.sampled_from(CORRECTIONS),
    alternative=st.sampled_from(ALTERNATIVES),
    effect=st.sampled_from([0.0, 0.15, 0.6]),
)
def test_planned_looks_say_the_same(
    *, seed: int, planned: int, spending: str, correction: str, alternative: str, effect: float
) -> None:
    """Before, at and beyond the planned size: repeated intervals, and the sequence that follows them."""
    check_all(
        analysed(
            *metrics(alternative)[:2],
            *metrics(alternative)[-1:],
            frame=frame(seed, 900, effect),
            variants=[{"variant_id": "control"}, {"variant_id": "one"}, {"variant_id": "two"}],
            analysis={"method": "group-sequential", "spending": spending, "looks": 3},
            correction=correction,
            planned_units=planned,
        )
    )


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_the_bootstrap_says_the_same(seed: int, correction: str) -> None:
    """The percentile bootstrap of means, ratios and medians, corrected or not."""
    for alternative in ALTERNATIVES:
        chosen = [metrics(alternative)[place] | {"inference": "bootstrap"} for place in (1, 3)]
        check_all(
            analysed(
                *chosen,
                frame=frame(seed, 150, 0.4),
                variants=[{"variant_id": "control"}, {"variant_id": "one"}, {"variant_id": "two"}],
                correction=correction,
            )
        )


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    correction=st.sampled_from(CORRECTIONS),
    method=st.sampled_from(["fixed", "always-valid"]),
)
def test_segments_and_factors_say_the_same(seed: int, correction: str, method: str) -> None:
    """Within segments, and for main effects and interactions."""
    cells = frame(seed, 1_200, 0.3).with_columns(
        variant=pl.format("{}.{}", pl.int_range(1_200) % 2, pl.int_range(1_200) // 2 % 2),
        country=pl.col("variant"),
    )
    levels = [{"level_id": "0"}, {"level_id": "1"}]
    check_all(
        analysed(
            *metrics("two-sided")[:2],
            frame=cells,
            variants=[{"variant_id": name} for name in ("0.0", "0.1", "1.0", "1.1")],
            factors=[{"factor_id": "colour", "levels": levels}, {"factor_id": "size", "levels": levels}],
            segments=["country"],
            correction=correction,
            analysis=method,
        )
    )
