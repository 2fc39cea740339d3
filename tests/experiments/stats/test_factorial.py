"""Effects of factors and of their combinations."""

import math

import numpy as np
import pytest

from experiments.errors import AnalysisError
from experiments.stats import MetricShape, Moments, PairEstimate, Quantity, estimate_pair, fixed_effect
from experiments.stats.factorial import Cell, Cells, adjusted_cells, contrast, interaction, main_effect
from experiments.stats.figure import ArmEstimate

MEAN = MetricShape(Quantity(0))
ADJUSTED = MetricShape(Quantity(0), (Quantity(1),))

SQUARE = Cells(
    {
        ("low", "red"): ArmEstimate(40, 10.0, 0.4),
        ("low", "blue"): ArmEstimate(50, 12.0, 0.3),
        ("high", "red"): ArmEstimate(60, 15.0, 0.2),
        ("high", "blue"): ArmEstimate(70, 20.0, 0.1),
    }
)


def table(first: int, second: int) -> dict[Cell, Moments]:
    """Return the moments of a made-up table, which the reference computed from the same formula."""
    cells: dict[Cell, Moments] = {}
    for a in range(first):
        for b in range(second):
            k = len(cells)
            values = [(i * i * (k + 2)) % 17 + 3 * a + 2 * b + a * b for i in range(30 + 7 * k)]
            cells[f"a{a}", f"b{b}"] = Moments.of(values)
    return cells


def assert_effect(pair: PairEstimate, estimate: float, standard_error: float) -> None:
    """The pair's difference is the reference's."""
    assert pair.estimate == pytest.approx(estimate, rel=1e-9)
    assert pair.standard_error == pytest.approx(standard_error, rel=1e-9)


def test_two_by_two_by_hand() -> None:
    """Main effects average over the other factor; together the levels do 3 more than the sum of what each does."""
    first = main_effect(SQUARE, 0, "high", "low")
    second = main_effect(SQUARE, 1, "blue", "red")
    both = interaction(SQUARE, (0, 1), ("high", "blue"), ("low", "red"))

    assert (first.control_mean, first.treatment_mean, first.estimate) == (11.0, 17.5, 6.5)
    assert first.variance == pytest.approx(1.0 / 4)
    assert (first.control_units, first.treatment_units) == (90, 130)
    assert (second.control_mean, second.treatment_mean, second.estimate) == (12.5, 16.0, 3.5)
    assert (both.control_mean, both.treatment_mean, both.estimate) == (17.0, 20.0, 3.0)
    assert both.variance == pytest.approx(1.0)


def test_two_by_two_agrees_with_least_squares() -> None:
    """Effects and errors are those of OLS ``y ~ C(a, Sum) * C(b, Sum)`` with HC2, statsmodels 0.15, same table."""
    cells = adjusted_cells(table(2, 2), MEAN)

    assert_effect(main_effect(cells, 0, "a1", "a0"), 3.3966216216216174, 0.8156194784039424)
    assert_effect(main_effect(cells, 1, "b1", "b0"), 2.403378378378374, 0.8156194784039419)
    assert_effect(
        interaction(cells, (0, 1), ("a1", "b1"), ("a0", "b0")), 1.6932432432432452, 1.6312389568078831
    )


def test_two_by_three_agrees_with_least_squares() -> None:
    """The same with three levels of the second factor, each compared with its first."""
    cells = adjusted_cells(table(2, 3), MEAN)

    assert_effect(main_effect(cells, 0, "a1", "a0"), 4.049737137668177, 0.5971931878007485)
    assert_effect(main_effect(cells, 1, "b1", "b0"), 2.252516309412861, 0.7406800233488398)
    assert_effect(main_effect(cells, 1, "b2", "b0"), 4.728846153846173, 0.7795033928472583)
    assert_effect(
        interaction(cells, (0, 1), ("a1", "b1"), ("a0", "b0")), 1.3915191053122098, 1.48136004669768
    )
    assert_effect(
        interaction(cells, (0, 1), ("a1", "b2"), ("a0", "b0")), 2.357692307692291, 1.5590067856945136
    )


def test_interaction_averages_over_further_factors() -> None:
    """With a third factor, the interaction of the first two is the mean of it at each level of the third."""
    figures = {
        (*cell, third): ArmEstimate(arm.members, arm.mean * factor, arm.variance)
        for third, factor in (("day", 1.0), ("night", 2.0))
        for cell, arm in SQUARE.figures.items()
    }

    pair = interaction(Cells(figures), (0, 1), ("high", "blue"), ("low", "red"))

    assert pair.estimate == pytest.approx((3.0 + 6.0) / 2)
    assert pair.variance == pytest.approx(2 * 1.0 / 4)
    assert main_effect(Cells(figures), 2, "night", "day").estimate == pytest.approx(57 / 4)


def test_degrees_of_freedom_of_a_contrast() -> None:
    """With equal variances and sizes, Satterthwaite's degrees of freedom are those of all cells together."""
    cells: dict[Cell, ArmEstimate] = {
        (name,): ArmEstimate(11, mean, 0.5) for name, mean in zip("abcd", (1.0, 2.0, 3.0, 5.0), strict=True)
    }

    found = contrast(cells, {("a",): -1.0, ("b",): -1.0, ("c",): 1.0, ("d",): 1.0})

    assert (found.estimate, found.units) == (5.0, 44)
    assert found.standard_error == pytest.approx(math.sqrt(2.0))
    assert found.degrees_of_freedom == pytest.approx(40)


def test_one_factor_with_two_levels_is_an_ordinary_pair() -> None:
    """Two cells give what comparing two variants gives, with and without a covariate."""
    random = np.random.default_rng(2)
    before = [random.normal(5, 2, n) for n in (300, 500)]
    moments = [Moments.of(x + random.normal(i, 1, len(x)), x) for i, x in enumerate(before)]

    for shape in (MEAN, ADJUSTED):
        cells = adjusted_cells({("old",): moments[0], ("new",): moments[1]}, shape)
        pair, expected = main_effect(cells, 0, "new", "old"), estimate_pair(moments[0], moments[1], shape)
        assert pair.control_mean == pytest.approx(expected.control_mean, rel=1e-12)
        assert pair.treatment_mean == pytest.approx(expected.treatment_mean, rel=1e-12)
        assert pair.variance == pytest.approx(expected.variance, rel=1e-12)
        assert pair.covariance == pytest.approx(expected.covariance, rel=1e-9)
        assert pair.control_variance == pytest.approx(expected.control_variance, rel=0.05)


def test_coverage_with_a_covariate() -> None:
    """Relative 95 % intervals of a main effect hold the truth in 93 to 97 % of 1,000 experiments, unequal cells."""
    random = np.random.default_rng(12)
    sizes = {("a0", "b0"): 400, ("a0", "b1"): 100, ("a1", "b0"): 150, ("a1", "b1"): 250}
    hits = 0
    for _ in range(1_000):
        moments: dict[Cell, Moments] = {}
        for (a, b), n in sizes.items():
            before = random.gamma(4, 2, n)
            moments[a, b] = Moments.of(
                (before + random.normal(0, 2, n)) * (1.1 if a == "a1" else 1.0) + 2 * (b == "b1"), before
            )
        pair = main_effect(adjusted_cells(moments, ADJUSTED), 0, "a1", "a0")
        interval = fixed_effect(pair, 0.05)
        assert interval.relative_ci_lower is not None
        assert interval.relative_ci_upper is not None
        # The control's true figure is 8 + 1; the treatment adds a tenth of 8.
        hits += interval.relative_ci_lower < 0.8 / 9 < interval.relative_ci_upper

    assert 0.93 < hits / 1_000 < 0.97


def test_a_missing_or_small_cell_is_named() -> None:
    """An effect over all combinations needs all of them, with enough units."""
    missing = Cells({cell: arm for cell, arm in SQUARE.figures.items() if cell != ("high", "blue")})
    small = Cells({**SQUARE.figures, ("low", "red"): ArmEstimate(29, 10.0, 0.4)})

    with pytest.raises(AnalysisError, match="no unit has the combination high × blue"):
        main_effect(missing, 0, "high", "low")
    with pytest.raises(AnalysisError, match=r"29 units with the combination low × red; .* at least 30"):
        main_effect(small, 0, "high", "low")
    with pytest.raises(AnalysisError, match="no unit has the combination middle × red"):
        main_effect(SQUARE, 0, "middle", "low")
    with pytest.raises(AnalysisError, match="1 cell in a factorial experiment"):
        adjusted_cells({("a",): Moments.of([1.0, 2.0])}, MEAN)


def test_a_level_is_not_compared_with_itself() -> None:
    """Comparing a level with itself is a mistake of the caller."""
    with pytest.raises(ValueError, match="two different levels"):
        main_effect(SQUARE, 0, "low", "low")
