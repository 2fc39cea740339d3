"""Factorial experiments: effects of single factors, and of two together, from the figures of the cells.

A cell is one combination of levels. All cells of the other factors weigh the same, whatever share of the units they
got (effects of the saturated model with sum-to-zero coding; Montgomery, *Design and Analysis of Experiments*, ch. 5).
Every effect comes as a pair of figures, so that all methods for pairs judge it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from experiments.errors import AnalysisError
from experiments.stats.figure import ArmEstimate, MetricShape, PairEstimate, estimate_pair
from experiments.stats.moments import Moments

Cell = tuple[str, ...]
"""One level of each factor, in the order of the factors."""

FEWEST_UNITS_PER_CELL = 30
"""A pair counts its sides' units, so that a cell of a few units among large ones would look more certain than it is."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The figures of all cells.

    Attributes:
        figures: By cell; the variances are what each cell adds to a difference of cells.
        common_variance: Variance that all figures share, and that cancels in differences; zero without covariates.
    """

    figures: Mapping[Cell, ArmEstimate]
    common_variance: float = 0.0


@dataclass(frozen=True, slots=True)
class Contrast:
    """A weighted sum of cells.

    Attributes:
        estimate: The sum.
        variance: Of the estimate.
        degrees_of_freedom: Satterthwaite's, over all cells with weight; ``None`` without variance.
        units: Units of the cells with weight.
    """

    estimate: float
    variance: float
    degrees_of_freedom: float | None
    units: int

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.variance)


def adjusted_cells(moments: Mapping[Cell, Moments], shape: MetricShape) -> Cells:
    """Return the figures of the cells, adjusted for covariates with one slope for all cells.

    Args:
        moments: Of the same columns in each cell; at least two cells.
        shape: The metric and its covariates.

    Raises:
        AnalysisError: As for pairs, or there is one cell only.
    """
    if len(moments) < 2:
        raise AnalysisError(f"{len(moments)} cell in a factorial experiment; it needs at least two")
    figures: dict[Cell, ArmEstimate] = {}
    shared = []
    for cell, own in moments.items():
        # A cell against all others pools the same units for the slopes, whichever cell it is.
        first, *rest = (other for key, other in moments.items() if key != cell)
        for other in rest:
            first = first.merge(other)
        pair = estimate_pair(own, first, shape)
        figures[cell] = ArmEstimate(pair.control_units, pair.control_mean, pair.own_variances[0])
        shared.append(pair.covariance)
    return Cells(figures, max(0.0, sum(shared) / len(shared)))


def contrast(cells: Mapping[Cell, ArmEstimate], weights: Mapping[Cell, float]) -> Contrast:
    """Return a weighted sum of cells; a cell without weight is left out.

    Raises:
        AnalysisError: A cell with weight is not there.
    """
    parts = [(weight, _figure(cells, cell)) for cell, weight in weights.items() if weight]
    variances = [weight * weight * figure.variance for weight, figure in parts]
    variance = sum(variances)
    freedom = None
    if variance > 0:
        terms = zip(variances, parts, strict=True)
        freedom = 1 / sum((v / variance) ** 2 / (figure.members - 1) for v, (_, figure) in terms)
    return Contrast(
        estimate=math.fsum(weight * figure.mean for weight, figure in parts),
        variance=variance,
        degrees_of_freedom=freedom,
        units=sum(figure.members for _, figure in parts),
    )


def main_effect(cells: Cells, factor: int, level: str, base: str) -> PairEstimate:
    """Return what a level of a factor does compared with another, on average over the cells of the other factors.

    Args:
        cells: All cells.
        factor: Position of the factor in the cells, from 0.
        level: The level of interest: its average is the treatment.
        base: The level compared with: its average is the control.

    Raises:
        AnalysisError: A cell is missing or small, or there is no such level.
        ValueError: A level is compared with itself.
    """
    others = _combinations(cells, without=(factor,))
    control, treatment = (
        {_placed(other, {factor: one}): 1 / len(others) for other in others} for one in (base, level)
    )
    return _pair(cells, control, treatment)


def interaction(
    cells: Cells, factors: tuple[int, int], levels: tuple[str, str], bases: tuple[str, str]
) -> PairEstimate:
    """Return what two levels do together beyond the sum of what each does alone.

    The treatment is the cell with both levels; the control is what this cell would show if the levels' effects simply
    added up: one level, plus the other, minus neither. On average over the cells of further factors.

    Args:
        cells: All cells.
        factors: Positions of the two factors in the cells.
        levels: The level of interest of each.
        bases: The level of each that is compared with.

    Raises:
        AnalysisError: A cell is missing or small, or there is no such level.
        ValueError: A level is compared with itself.
    """
    others = _combinations(cells, without=factors)
    share = 1 / len(others)
    first, second = factors
    parts = {
        (levels[0], bases[1]): share,
        (bases[0], levels[1]): share,
        (bases[0], bases[1]): -share,
    }
    control = {
        _placed(other, {first: one, second: two}): weight
        for other in others
        for (one, two), weight in parts.items()
    }
    treatment = {_placed(other, {first: levels[0], second: levels[1]}): share for other in others}
    return _pair(cells, control, treatment)


def _combinations(cells: Cells, without: tuple[int, ...]) -> list[dict[int, str]]:
    """Return all levels of the other factors, by position, each combination once."""
    rest = {tuple((i, one) for i, one in enumerate(cell) if i not in without): None for cell in cells.figures}
    return [dict(combination) for combination in rest]


def _placed(other: Mapping[int, str], levels: Mapping[int, str]) -> Cell:
    both = {**other, **levels}
    return tuple(both[i] for i in range(len(both)))


def _figure(cells: Mapping[Cell, ArmEstimate], cell: Cell) -> ArmEstimate:
    if cell not in cells:
        raise AnalysisError(
            f"no unit has the combination {' × '.join(cell)}; an effect over all combinations needs it"
        )
    return cells[cell]


def _pair(cells: Cells, control: Mapping[Cell, float], treatment: Mapping[Cell, float]) -> PairEstimate:
    if control.keys() & treatment.keys():
        raise ValueError("an effect compares two different levels")
    for cell in (*control, *treatment):
        members = _figure(cells.figures, cell).members
        if members < FEWEST_UNITS_PER_CELL:
            raise AnalysisError(
                f"{members} unit{'' if members == 1 else 's'} with the combination {' × '.join(cell)}; an effect"
                f" over combinations needs at least {FEWEST_UNITS_PER_CELL} in each"
            )
    base, other = contrast(cells.figures, control), contrast(cells.figures, treatment)
    # Both sides' weights add up to one, so that each holds the common part once.
    return PairEstimate(
        control_mean=base.estimate,
        treatment_mean=other.estimate,
        control_variance=base.variance + cells.common_variance,
        treatment_variance=other.variance + cells.common_variance,
        covariance=cells.common_variance,
        own_variances=(base.variance, other.variance),
        control_units=base.units,
        treatment_units=other.units,
    )
