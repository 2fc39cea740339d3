"""Factorial designs against statsmodels."""

from typing import Any

import polars as pl
import pytest

from experiments.analysis import ExperimentResult
from tests.experiments.analysis.build import analysed, table


def cells(factors: int) -> pl.DataFrame:
    """Return the common table in cells of different sizes: 144, 96, 96 and 64 units, halved by a third factor."""
    row = pl.int_range(400)
    levels = [(row % 10 < 4), (row // 10 % 5 < 2), (row // 50 % 2 == 1)][:factors]
    return table().with_columns(
        variant=pl.concat_str([level.cast(pl.Int8).cast(pl.String) for level in levels], separator=".")
    )


def crossed(factors: int, **changes: Any) -> ExperimentResult:
    """Return the analysis of a design with factors a, b, … of two levels each."""
    levels = [{"level_id": "0"}, {"level_id": "1"}]
    metric = {"metric_id": "revenue"} | changes.pop("metric", {})
    names = [
        f"{a}.{b}" if factors == 2 else f"{a}.{b}.{c}"
        for a in "01"
        for b in "01"
        for c in "01"[: factors - 1]
    ]
    return analysed(
        metric,
        frame=cells(factors),
        variants=[{"variant_id": name, "weight": 1} for name in dict.fromkeys(names)],
        factors=[{"factor_id": name, "levels": levels} for name in "abc"[:factors]],
        **changes,
    )


# statsmodels 0.14: OLS on all products of -1 and 1 coded factors, covariance HC2; a main effect is twice, an
# interaction of two factors four times its coefficient. CUPED: of revenue less the pooled slope times the covariate.
@pytest.mark.parametrize(
    ("factors", "metric", "expected"),
    [
        (
            2,
            {},
            {
                ("a=1",): (-0.16634461805555795, 0.9896304143595748),
                ("b=1",): (-0.14842065972221694, 0.9896304143595746),
                ("a=1", "b=1"): (-2.1627128472222252, 1.9792608287191513),
            },
        ),
        (
            3,
            {},
            {
                ("a=1",): (-0.16634461805555026, 0.9949014919899092),
                ("b=1",): (-0.1484206597222127, 0.9949014919899088),
                ("c=1",): (0.04172291666666217, 0.9949014919899087),
                ("a=1", "b=1"): (-2.1627128472222266, 1.9898029839798193),
                ("a=1", "c=1"): (0.6460854166666605, 1.9898029839798166),
                ("b=1", "c=1"): (0.023066666666652746, 1.9898029839798168),
            },
        ),
        (
            2,
            {"covariates": ["before"]},
            {
                ("a=1",): (-0.1842453215209711, 0.9856649584445916),
                ("b=1",): (-0.12807672450202243, 0.9856649584445913),
                ("a=1", "b=1"): (-2.228217585295148, 1.971329916889185),
            },
        ),
    ],
    ids=["two factors", "three factors", "two factors, CUPED"],
)
def test_effects_are_those_of_statsmodels(
    factors: int, metric: dict[str, Any], expected: dict[tuple[str, ...], tuple[float, float]]
) -> None:
    """Main effects average over the other factors' levels evenly; interactions are differences of differences."""
    result = crossed(factors, metric=metric)

    found = {}
    for one in result.factors:
        pair = one.comparison.pair
        assert pair is not None
        assert one.effect == ("main" if len(one.levels) == 1 else "interaction")
        found[one.levels] = (pair.estimate, pair.standard_error)
    assert list(found) == list(expected)
    for levels, figures in expected.items():
        assert found[levels] == pytest.approx(figures, rel=1e-9), levels


def test_effects_of_a_metric_are_corrected_for_each_other() -> None:
    """Holm over the three effects of a 2 x 2 design, by hand."""
    result = crossed(2, correction="holm")

    p_values = [one.comparison.fixed.p_value for one in result.factors if one.comparison.fixed]
    adjusted = [one.comparison.adjusted.p_value for one in result.factors if one.comparison.adjusted]
    smallest = min(p for p in p_values if p is not None)
    assert min(p for p in adjusted if p is not None) == pytest.approx(3 * smallest, rel=1e-12)
    assert {one.comparison.correction for one in result.factors} == {"Holm over 3"}


def test_a_cell_without_units_gives_reasons_not_figures() -> None:
    """Effects over all combinations need each; the document says which one is missing."""
    levels = [{"level_id": "0"}, {"level_id": "1"}]
    frame = cells(2).filter(pl.col("variant") != "1.1")
    result = analysed(
        frame=frame,
        variants=[{"variant_id": name} for name in ("0.0", "0.1", "1.0", "1.1")],
        factors=[{"factor_id": name, "levels": levels} for name in "ab"],
    )

    assert all(one.comparison.pair is None and one.comparison.refusal for one in result.factors)


def test_a_metric_of_single_values_has_no_factor_effects() -> None:
    """Quantiles of cells do not add up to effects; the cells are still compared with the control."""
    result = crossed(2, metric={"kind": "quantile", "quantile": 0.5})

    assert result.factors == ()
    assert len(result.results) == 3
