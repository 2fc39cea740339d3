"""Every kind of metric from a table with one row per unit, against figures that other libraries computed."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.analysis import analyze_table
from experiments.errors import AnalysisError, DefinitionError
from tests.experiments.analysis.build import analysed, experiment, first, table

RATIO = {"kind": "ratio", "numerator": "revenue", "denominator": "orders"}

# Computed once from the same columns: tea-tasting 1.14 (Mean, RatioOfMeans; the last of clusters' sums), statsmodels
# 0.14 (OLS slopes of two covariates), scipy 1.16 (ttest_ind, unequal variances, of the values named).
CASES: list[tuple[str, dict[str, Any], dict[str, Any], tuple[float, float, float, float]]] = [
    (
        "mean, tea-tasting",
        {"column": "revenue"},
        {},
        (-0.9018514999999994, -2.772269150403191, 0.9685661504031922, 0.3437393757913213),
    ),
    (
        "count, the same",
        {"column": "revenue", "kind": "count"},
        {},
        (-0.9018514999999994, -2.772269150403191, 0.9685661504031922, 0.3437393757913213),
    ),
    (
        "CUPED, tea-tasting",
        {"column": "revenue", "covariates": ["before"]},
        {},
        (-1.0218817564080211, -2.8843872971081552, 0.8406237842921129, 0.2813953744274723),
    ),
    (
        "two covariates, statsmodels and scipy",
        {"column": "revenue", "covariates": ["before", "age"]},
        {},
        (-0.9101034949171627, -2.7171140994386116, 0.8969071096042864, 0.32269273359284256),
    ),
    (
        "a covariate twice changes nothing",
        {"column": "revenue", "covariates": ["before", "before"]},
        {},
        (-1.0218817564080211, -2.8843872971081552, 0.8406237842921129, 0.2813953744274723),
    ),
    (
        "ratio, tea-tasting",
        RATIO,
        {},
        (0.08984369216362342, -0.30889755636648936, 0.4885849406937362, 0.6580204272580362),
    ),
    (
        "ratio with a ratio as covariate, tea-tasting",
        RATIO | {"covariates": [{"numerator": "before", "denominator": "orders_before"}]},
        {},
        (-0.009446145307929754, -0.3461630509557445, 0.327270760339885, 0.9560433970777532),
    ),
    (
        "proportion, scipy",
        {"column": "clicked", "kind": "proportion"},
        {},
        (0.155, 0.06272510580871572, 0.24727489419128423, 0.0010462084703123128),
    ),
    (
        "retention of a table, the same",
        {"column": "clicked", "kind": "retention"},
        {},
        (0.155, 0.06272510580871572, 0.24727489419128423, 0.0010462084703123128),
    ),
    (
        "revenue - 0.5 cost, scipy",
        {"numerator": {"terms": [{"column": "revenue"}, {"column": "cost", "factor": -0.5}]}},
        {},
        (-1.358475999999996, -3.182524106243724, 0.46557210624373213, 0.1439361200109368),
    ),
    (
        "values between the pooled 5 and 95 % quantiles, scipy",
        {"column": "revenue", "winsorize": {"lower_quantile": 0.05, "upper_quantile": 0.95}},
        {},
        (-0.8468487000000025, -2.68157732368896, 0.987879923688955, 0.3647323665736709),
    ),
    (
        "the same bounds fixed by the plan, scipy",
        {"column": "revenue", "winsorize": {"lower": 6.48348, "upper": 36.91582}},
        {},
        (-0.8468487000000025, -2.68157732368896, 0.987879923688955, 0.3647323665736709),
    ),
    (
        "values without null, scipy",
        {"column": "gappy"},
        {},
        (-0.9592737012103925, -2.996339277685927, 1.077791875265142, 0.3549583711906356),
    ),
    (
        "units that met the trigger, scipy",
        {"column": "revenue"},
        {"trigger_column": "met"},
        (0.14655899999999988, -1.254155225808134, 1.5472732258081339, 0.8367346112845708),
    ),
    (
        "stores that were randomised, tea-tasting on their sums",
        {"column": "revenue"},
        {"cluster_column": "store"},
        (-0.9018515000000029, -1.7267188021744775, -0.07698419782552834, 0.03253740653448307),
    ),
]


@pytest.mark.parametrize(
    ("metric", "changes", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_figures_are_those_of_other_libraries(
    metric: dict[str, Any], changes: dict[str, Any], expected: tuple[float, float, float, float]
) -> None:
    """Difference, interval and p-value agree to nine digits."""
    one = first({"metric_id": "m"} | metric, **changes)

    found = (one["estimate"], one["ci_lower"], one["ci_upper"], one["p_value"])
    assert found == pytest.approx(expected, rel=1e-9)
    assert one["treatment_mean"] - one["control_mean"] == pytest.approx(one["estimate"], rel=1e-9)


def test_cuped_gives_the_adjusted_means_and_the_relative_effect() -> None:
    """Both arms' figures are the adjusted ones (tea-tasting 1.14), so that the relative effect belongs to them."""
    one = first({"metric_id": "revenue", "covariates": ["before"]})

    assert one["control_mean"] == pytest.approx(17.03480112820401, rel=1e-9)
    assert one["treatment_mean"] == pytest.approx(16.012919371795988, rel=1e-9)
    assert one["relative_estimate"] == pytest.approx(-0.05998788883517536, rel=1e-9)
    assert one["variance_reduction"] is not None


def test_missing_values_are_left_out_and_counted() -> None:
    """A null is not a unit of the metric (57 of 400), whatever the kind of metric, and the document says so."""
    frame = table().with_columns(nan=pl.col("gappy").fill_null(math.nan))
    result = analysed(
        {"metric_id": "gappy"},
        {"metric_id": "nan"},
        {"metric_id": "median", "column": "gappy", "kind": "quantile", "quantile": 0.5},
        {"metric_id": "resampled", "column": "nan", "inference": "bootstrap"},
        {"metric_id": "ratio", "kind": "ratio", "numerator": "revenue", "denominator": "gappy"},
        frame=frame,
    )

    assert [
        (figure.members, one.refusal) for figure, one in zip(result.figures[::2], result.results, strict=True)
    ] == [(172, "")] * 5
    assert result.units == {"control": 200, "new": 200}
    assert result.diagnostics.counts["missing_gappy"] == 57
    values = frame.filter(pl.col("variant") == "control")["gappy"].drop_nulls().to_numpy()
    assert result.figures[4].mean == pytest.approx(np.quantile(values, 0.5), rel=1e-12)
    assert result.figures[6].mean == pytest.approx(values.mean(), rel=1e-12)


def test_quantiles_have_their_figure_and_the_error_of_their_neighbours() -> None:
    """Medians are numpy's; the error is half the way between the ranks 1.96 errors to both sides, by 1.96."""
    result = analysed({"metric_id": "m", "column": "revenue", "kind": "quantile", "quantile": 0.5})

    assert [figure.mean for figure in result.figures] == pytest.approx([14.17905, 13.21935], rel=1e-9)
    values = table().filter(pl.col("variant") == "control")["revenue"].to_numpy()
    beside = 1.959963984540054 * math.sqrt(0.25 / 200)
    lower, upper = np.quantile(values, [0.5 - beside, 0.5 + beside])
    assert result.figures[0].standard_error == pytest.approx(
        (upper - lower) / 2 / 1.959963984540054, rel=1e-9
    )
    assert result.results[0].always_valid is not None
    assert "smooth" in result.results[0].always_valid.reasons["ci_lower"]


def test_the_bootstrap_of_a_mean_is_near_the_formula() -> None:
    """The figure is the mean; its interval is that of Welch's t but for chance (scipy: 0.712 and 0.632)."""
    result = analysed({"metric_id": "m", "column": "revenue", "inference": "bootstrap"})

    assert [figure.standard_error for figure in result.figures] == pytest.approx([0.712, 0.632], rel=0.06)
    one = result.to_json()["results"][0]
    assert (one["ci_lower"], one["ci_upper"]) == pytest.approx((-2.77, 0.97), abs=0.2)
    assert one["p_value"] == pytest.approx(0.344, abs=0.05)
    assert "percentile bootstrap" in one["method"]


@pytest.mark.parametrize("kind", ["mean", "ratio"])
def test_the_bootstrap_counts_the_units_that_the_formula_counts(kind: str) -> None:
    """Triggers, bounds and clusters hold for resampled figures as for those by formula."""
    source: dict[str, Any] = {"column": "revenue", "kind": "mean"} if kind == "mean" else RATIO
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"trigger_column": "met"}, {}),
        ({}, {"winsorize": {"upper": 20.0}}),
        ({"cluster_column": "store"}, {}),
    ]
    for changes, more in cases:
        formula, resampled = (
            analysed({"metric_id": "m", **source, **more, **way}, **changes)
            for way in ({}, {"inference": "bootstrap"})
        )
        for one, other in zip(formula.figures, resampled.figures, strict=True):
            assert one.members == other.members
            assert other.mean == pytest.approx(one.mean, rel=1e-12)
            assert other.standard_error == pytest.approx(one.standard_error, rel=0.15)


def test_quantiles_count_clusters_and_triggers() -> None:
    """A quantile over rows of clusters rests on the clusters; without the trigger a row does not count."""
    median = {"metric_id": "m", "column": "revenue", "kind": "quantile", "quantile": 0.5}
    frame = table()

    clustered = analysed(median, cluster_column="store")
    triggered = analysed(median, trigger_column="met")

    assert [figure.members for figure in clustered.figures] == [40, 40]
    assert [figure.mean for figure in clustered.figures] == pytest.approx([14.17905, 13.21935], rel=1e-9)
    met = frame.filter((pl.col("variant") == "control") & pl.col("met"))["revenue"].to_numpy()
    assert triggered.figures[0].members == 100
    assert triggered.figures[0].mean == pytest.approx(np.quantile(met, 0.5), rel=1e-12)
    mixed = frame.with_columns(
        store=pl.when(pl.col("unit_id") == "u001").then(pl.lit("s0-0")).otherwise("store")
    )
    assert [figure.members for figure in analysed(median, frame=mixed, cluster_column="store").figures] == [
        39,
        40,
    ]
    resampled = first(median | {"inference": "bootstrap"}, cluster_column="store")
    assert "over clusters" in resampled["reasons"]["p_value"]


@pytest.mark.parametrize("dtype", [pl.Boolean, pl.Int8, pl.Float64, pl.Categorical, pl.String])
def test_variants_are_found_whatever_the_type_of_their_column(dtype: Any) -> None:
    """0, 0.0, false and "0" are the variant 0, for figures by formula and for those of single values alike."""
    number = (pl.col("variant") == "new").cast(pl.Int8)
    text = number.cast(pl.String)
    frame = table().with_columns(
        variant=text.cast(dtype) if dtype in (pl.Categorical, pl.String) else number.cast(dtype)
    )
    result = analysed(
        {"metric_id": "revenue"},
        {"metric_id": "median", "column": "revenue", "kind": "quantile", "quantile": 0.5},
        frame=frame,
        variants=[{"variant_id": 0}, {"variant_id": 1}],
    )

    assert result.units == {"0": 200, "1": 200}
    assert [figure.mean for figure in result.figures] == pytest.approx(
        [16.974786, 16.0729345, 14.17905, 13.21935], rel=1e-9
    )


def test_bounds_are_pooled_and_recorded() -> None:
    """The bounds that quantiles gave (numpy's, over all variants) are in the document."""
    document = analysed(
        {"metric_id": "revenue", "winsorize": {"lower_quantile": 0.05, "upper_quantile": 0.95}}
    ).to_json()

    assert document["diagnostics"]["bounds"]["revenue"] == pytest.approx([6.48348, 36.91582], rel=1e-9)


def test_overridden_units_never_count() -> None:
    """A unit whose variant was chosen by hand is left out; a unit column that is not there is named."""
    result = analysed(overrides={"u000": "new", "u001": "control"})

    assert result.units == {"control": 199, "new": 199}
    for dtype in (pl.Int32, pl.Float64):
        numbered = table().with_columns(unit_id=pl.int_range(400).cast(dtype))
        assert analysed(frame=numbered, overrides={"7": "new"}).units == {"control": 200, "new": 199}
    with pytest.raises(AnalysisError, match="no column member"):
        analyze_table(experiment(overrides={"u000": "new"}, unit_column="member"), table())


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (table().with_columns(revenue=pl.lit(None)), "0 units in a variant"),
        (table().with_columns(revenue=pl.lit(math.nan)), "0 units in a variant"),
        (table().with_columns(revenue=pl.lit(math.inf)), "infinite"),
        (table().with_columns(revenue=pl.lit("much")), "“much” is not a number"),
        (table().filter(pl.col("variant") == "control"), "new: 0 units in a variant"),
        (
            table().filter((pl.col("variant") == "control") | (pl.col("unit_id") == "u001")),
            "new: 1 unit in a variant",
        ),
        (table().head(1), "1 unit in a variant"),
        (table().with_columns(revenue=pl.lit(1e200) * (1 + pl.col("revenue"))), "squares are beyond"),
    ],
    ids=["null", "nan", "infinite", "text", "empty arm", "one unit in an arm", "one unit", "too large"],
)
def test_tables_that_say_nothing_are_refused_with_a_reason(frame: pl.DataFrame, reason: str) -> None:
    """There is a document without figures, each with the same reason, and nothing ships."""
    result = analysed(frame=frame)

    one = result.to_json()["results"][0]
    assert one["estimate"] is one["p_value"] is one["always_valid_ci_lower"] is None
    assert reason in one["reasons"]["estimate"]
    assert result.decision.verdict == "invalid"
    assert result.sentence().startswith("No winner can be named.")


def test_what_does_not_vary_has_a_difference_but_no_interval() -> None:
    """Zero variance is not a certainty: no interval, no p-value, no finding, by every method."""
    frame = table().with_columns(revenue=pl.when(pl.col("variant") == "new").then(2.0).otherwise(1.0))
    for method in ("fixed", "always-valid", "group-sequential"):
        for way in ({}, {"inference": "bootstrap"}):
            one = first({"metric_id": "revenue", **way}, frame=frame, analysis=method, planned_units=400)

            assert (one["estimate"], one["standard_error"]) == (1.0, 0.0)
            assert one["ci_lower"] is one["p_value"] is one["decision_ci_lower"] is None
            assert "same value" in one["reasons"]["ci_lower"]


def test_a_mean_of_a_thousand_million_keeps_its_variance() -> None:
    """Adding 1e9 to every value changes no difference and no interval beyond what the values' digits carry."""
    shifted = first(frame=table().with_columns(revenue=pl.col("revenue") + 1e9))

    assert (
        shifted["estimate"],
        shifted["ci_lower"],
        shifted["ci_upper"],
        shifted["p_value"],
    ) == pytest.approx((-0.9018515, -2.77226915, 0.96856615, 0.343739376), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "frame", "sentence"),
    [
        ({}, table().rename({"revenue": "revenu"}), "no column revenue .* did you mean revenu"),
        ({}, table().rename({"variant": "arm"}), "names no variant_column"),
        ({}, pl.concat([table(), table().head(2)]), "u000|u001"),
        ({}, table().with_columns(variant="unit_id"), "No row has a known variant"),
        ({}, table().head(0), "no rows"),
        ({"time_column": "segment"}, table(), "segment"),
        ({"segments": ["country"]}, table(), "no column country"),
        ({"trigger_column": "segment"}, table(), "trigger column segment holds"),
        ({"cluster_column": "shop"}, table(), "no column shop"),
    ],
)
def test_tables_that_do_not_fit_are_refused_in_a_sentence(
    changes: dict[str, Any], frame: pl.DataFrame, sentence: str
) -> None:
    """Unknown columns, duplicate units, ids as variants: one error that names them."""
    with pytest.raises(AnalysisError, match=sentence):
        analyze_table(experiment(**changes), frame)
    with pytest.raises(AnalysisError, match=sentence):
        analyze_table(experiment(**changes), frame.lazy())


def test_a_million_variants_are_refused_quickly() -> None:
    """A variant column full of ids is refused with examples, not grouped."""
    frame = pl.DataFrame({"variant": pl.int_range(1_000_000, eager=True).cast(pl.String), "revenue": 1.0})

    with pytest.raises(AnalysisError, match="No row has a known variant"):
        analyze_table(experiment(), frame)


def test_metrics_that_fail_leave_the_others_alone() -> None:
    """One metric of text and one with infinite values are refused by name; the third has its figures."""
    frame = table().with_columns(
        text=pl.lit("x"), broken=pl.when(pl.col("clicked") == 1).then(math.inf).otherwise(1.0)
    )
    result = analysed({"metric_id": "revenue"}, {"metric_id": "text"}, {"metric_id": "broken"}, frame=frame)

    assert [bool(one.refusal) for one in result.results] == [False, True, True]
    assert result.decision.verdict != "invalid"


def test_too_small_an_alpha_for_the_bootstrap_is_a_reason_not_a_failure() -> None:
    """Where 1,999 replicates cannot reach the level, the interval is missing and says why; so among many metrics."""
    bootstrap = {"column": "revenue", "inference": "bootstrap"}
    alone = first({"metric_id": "m", **bootstrap}, {"metric_id": "revenue"}, alpha=0.0005)
    many = analysed(
        *({"metric_id": f"m{i}", "column": "revenue"} for i in range(60)),
        {"metric_id": "m", **bootstrap},
        correction="holm",
    ).to_json()["results"][-1]

    assert "too few" in alone["reasons"]["ci_lower"]
    assert many["ci_lower"] is not None
    assert many["adjusted_ci_lower"] is None
    assert "too few" in many["reasons"]["adjusted_ci_lower"]
    assert many["adjusted_p_value"] == 1.0


@pytest.mark.parametrize(
    "metric",
    [
        {"metric_id": "revenue", "alternative": "greater"},
        {"metric_id": "cost", "role": "guardrail", "margin": {"absolute": 1}},
    ],
)
def test_one_side_cannot_err_in_half_of_all_cases(metric: dict[str, Any]) -> None:
    """An alpha of 0.5 and more is refused with the definition where a test has one side."""
    with pytest.raises(DefinitionError, match="alpha: must be below"):
        experiment({"metric_id": "revenue"}, metric | {"metric_id": "other", "column": "cost"}, alpha=0.6)
    assert first(alpha=0.6)["p_value"] is not None
