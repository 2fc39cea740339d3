"""Bandits: an analysis that holds although the allocation moved, and tomorrow's weights."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from scipy.stats import norm
from typer.testing import CliRunner

from cli.experiment import app
from experiments.analysis import analyze_table
from experiments.analysis.allocation import next_weights
from experiments.definition import load_experiments
from experiments.errors import AnalysisError
from tests.experiments.analysis.build import analysed, experiment
from tests.experiments.analysis.test_days import days

THOMPSON: dict[str, Any] = {"allocation": {"kind": "thompson"}, "time_column": "day"}


def moving() -> pl.DataFrame:
    """Return two days without any effect: on the second, everybody buys more and most are in the treatment."""
    frame = days([(900, 100), (100, 900)], [0, 0])
    return frame.with_columns(
        revenue=pl.col("revenue") + pl.when(pl.col("day") > date(2025, 3, 1)).then(5).otherwise(0),
        before=pl.col("revenue") + pl.when(pl.col("day") > date(2025, 3, 1)).then(5).otherwise(0),
        country=pl.lit("x"),
    )


def test_an_allocation_that_moved_makes_no_effect() -> None:
    """Pooled over days, the treatment looks 4 better; by day there is nothing, and nothing ships."""
    naive = analysed(frame=moving()).results[0]
    by_day = analysed(frame=moving(), **THOMPSON).results[0]

    assert naive.pair is not None
    assert by_day.pair is not None
    assert naive.pair.estimate == pytest.approx(4, abs=0.2)
    assert abs(by_day.pair.estimate) < 4 * by_day.pair.standard_error
    assert by_day.pair.standard_error == pytest.approx(np.sqrt(2 * (1 / 900 + 1 / 100)) / 2, rel=0.1)
    assert not by_day.improved


def test_the_effect_is_the_batched_one() -> None:
    """Days weigh sqrt(n m / (n + m)), and the variance per unit is pooled: all by hand with numpy."""
    counts = [(100, 300), (200, 200), (350, 50)]
    frame = days(counts, [0.3, 0.3, 0.3])
    pair = analysed(frame=frame, **THOMPSON).results[0].pair

    weights = np.array([np.sqrt(n * m / (n + m)) for n, m in counts])
    weights /= weights.sum()
    effects, squares = [], np.zeros((3, 2))
    for place in range(3):
        own = frame.filter(pl.col("day") == date(2025, 3, 1) + timedelta(days=place))
        arms = [own.filter(pl.col("variant") == name)["revenue"].to_numpy() for name in ("control", "new")]
        effects.append(arms[1].mean() - arms[0].mean())
        squares[place] = [((arm - arm.mean()) ** 2).sum() for arm in arms]
    units = np.array(counts, dtype=float)
    per_unit = squares.sum(axis=0) / (units - 1).sum(axis=0)
    variance = max((weights**2 @ (one / units)).sum() for one in (per_unit, per_unit[::-1]))
    assert pair is not None
    assert pair.estimate == pytest.approx(weights @ effects, rel=1e-9)
    assert pair.variance == pytest.approx(variance, rel=1e-9)


def test_days_on_which_a_variant_is_neglected_count() -> None:
    """Which days these are depends on what was seen before: to leave them out would favour what led to the neglect."""
    frame = days([(100, 100), (190, 10), (195, 5)], [0, 1, 1])
    pair = analysed(frame=frame, **THOMPSON).results[0].pair

    assert pair is not None
    assert (pair.control_units, pair.treatment_units) == (485, 115)
    assert pair.estimate > 0.1


def test_covariates_have_one_slope_on_all_days() -> None:
    """Days of two units do not fit slopes of their own: with 40 of them the covariate still takes its share away."""
    frame = days([(40, 2)] * 40, [0] * 40)
    random = np.random.default_rng(3)
    frame = frame.with_columns(before=pl.col("revenue") + random.normal(0, 1, len(frame)))

    plain, adjusted = (
        analysed({"metric_id": "revenue", "covariates": covariates}, frame=frame, **THOMPSON).results[0].pair
        for covariates in ([], ["before"])
    )

    assert plain is not None
    assert adjusted is not None
    assert adjusted.variance == pytest.approx(plain.variance / 2, rel=0.2)


def test_what_would_pool_over_days_says_nothing() -> None:
    """Segments, quantiles and the imbalance check pool units of different days: reasons stand in place of figures."""
    result = analysed(
        {"metric_id": "revenue", "covariates": ["before"]},
        {"metric_id": "median", "column": "revenue", "kind": "quantile", "quantile": 0.5},
        {"metric_id": "resampled", "column": "revenue", "inference": "bootstrap"},
        frame=moving(),
        segments=["country"],
        **THOMPSON,
    )

    assert result.imbalance is None
    assert all("the allocation moved" in one.refusal for one in result.results[1:])
    assert all("the allocation moved" in one.comparison.refusal for one in result.segments)
    assert result.srm.p_value is None
    assert not result.srm.alarm
    assert result.decision.verdict != "invalid"


def test_without_days_a_bandit_says_nothing() -> None:
    """The reason asks for the time column."""
    one = analysed(frame=moving(), allocation={"kind": "thompson"}).results[0]

    assert "time_column" in one.refusal


@pytest.mark.parametrize("direction", ["increase", "decrease"])
def test_weights_are_the_chances_to_be_the_best(direction: str) -> None:
    """Of two variants the treatment's is the normal probability of its effect over its error, in thousandths."""
    frame = days([(200, 200), (200, 200)], [0.05, 0.05])
    result = analysed({"metric_id": "revenue", "direction": direction}, frame=frame, **THOMPSON)
    pair = result.results[0].pair

    weights = next_weights(result)

    assert pair is not None
    chance = norm.cdf(pair.estimate / pair.standard_error)
    expected = round(1_000 * (chance if direction == "increase" else 1 - chance))
    assert 1 < expected < 999
    assert weights == {"control": 1_000 - expected, "new": expected}


def test_every_variant_keeps_a_weight() -> None:
    """A hopeless variant keeps one thousandth; three variants share in the order of the definition."""
    frame = days([(200, 200), (200, 200)], [3, 3])
    third = frame.filter(pl.col("variant") == "control").with_columns(
        variant=pl.lit("old"), revenue=pl.col("revenue") - 3
    )
    result = analysed(
        frame=pl.concat([frame, third]),
        variants=[{"variant_id": "old"}, {"variant_id": "control"}, {"variant_id": "new"}],
        **THOMPSON,
    )

    assert next_weights(result) == {"old": 1, "control": 1, "new": 1_000}


def test_only_a_bandit_with_a_metric_of_means_has_weights() -> None:
    """A fixed allocation, a quantile and a table without days are refused in words."""
    frame = days([(200, 200), (200, 200)], [0, 0])
    median = {"metric_id": "revenue", "kind": "quantile", "quantile": 0.5}

    with pytest.raises(AnalysisError, match="allocation is fixed"):
        next_weights(analysed(frame=frame, time_column="day"))
    with pytest.raises(AnalysisError, match="take a mean or a ratio"):
        next_weights(analysed(median, frame=frame, **THOMPSON))
    with pytest.raises(AnalysisError, match="time_column"):
        next_weights(analyze_table(experiment(allocation={"kind": "thompson"}), frame))


def test_the_written_definition_is_sound(tmp_path: Path) -> None:
    """`allocate --out` writes the same experiment with the new weights as its next revision, which loads."""
    frame = days([(200, 200), (200, 200)], [0.05, 0.05])
    frame.write_parquet(tmp_path / "units.parquet")
    raw = {
        "experiment_id": "bandit",
        "hypothesis": "h",
        "owner": "o",
        "placements": ["home"],
        "state": "running",
        "start_date": date(2025, 3, 1),
        "end_date": date(2025, 4, 1),
        "variants": [
            {"variant_id": "control"},
            {"variant_id": "new", "parameters": {"price": 1.5, "on": True}},
        ],
        "metrics": [
            {"metric_id": "revenue", "winsorize": {"upper": 100}},
            {"metric_id": "costs", "role": "guardrail", "column": "revenue", "margin": {"relative": 0.1}},
        ],
        "analysis": {"method": "group-sequential", "looks": 5},
        "planned_units": 10_000,
        "overrides": {"7": "new"},
        "attributes": {"tier": "string"},
        "targeting": 'tier == "gold"',
        "layer": {"layer_id": "home", "slots": ["0-99", "200"]},
        "money": {"metric_id": "revenue", "units_per_month": 1_000},
        **THOMPSON,
    }
    source, target = tmp_path / "bandit.yaml", tmp_path / "next.yaml"
    source.write_text(yaml.safe_dump(raw), encoding="utf-8")

    ran = CliRunner().invoke(
        app,
        [
            "allocate",
            str(source),
            "--data",
            str(tmp_path / "units.parquet"),
            "--out",
            str(target),
            "--json",
            "-",
        ],
        catch_exceptions=False,
    )

    told = json.loads(ran.stdout)
    before, after = load_experiments(source)[0], load_experiments(target)[0]
    assert told == {"experiment_id": "bandit", "weights": {v.variant_id: v.weight for v in after.variants}}
    assert after.revision == 2
    assert sum(told["weights"].values()) == 1_000
    old = {v.variant_id: v.weight for v in before.variants}
    restored = after.model_copy(
        update={
            "revision": 1,
            "variants": tuple(v.model_copy(update={"weight": old[v.variant_id]}) for v in after.variants),
        }
    )
    assert restored == before
