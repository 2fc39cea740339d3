"""Cells that partition the units, and the moments of one metric in them.

Segments that are too many to be told apart.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from experiments.errors import AnalysisError
from experiments.stats.moments import Moments

_Held = TypeVar("_Held")

NO_VALUE = "(none)"
"""The segment of units that have no value in the segment column."""

MIXED = "(mixed)"
"""The segment of a cluster whose members have different values."""


class Cell(NamedTuple):
    """Units that belong together: one variant, one day, one value of each segment column.

    Attributes:
        variant_id: The variant.
        day: Day of first exposure in UTC; None without a time column or where the unit has no time.
        segments: Value of each segment column, in the order of ``Statistics.segment_columns``.
    """

    variant_id: str
    day: date | None
    segments: tuple[str, ...]


class Bounds(NamedTuple):
    """The limits at which a metric's numerator was capped; None is not a limit."""

    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class MetricStatistics:
    """Moments of one metric in each cell.

    Attributes:
        metric_id: The metric.
        columns: What the moments' columns are, in their order, as messages name them. Of clusters the last one is
            the count of members that have all values.
        cells: Moments of the units that have all values; a cell without such a unit is not there.
        bounds: Limits that the numerator was capped at; None where nothing was capped.
        refused: Why there are no moments, as a sentence; None where there are.
    """

    metric_id: str
    columns: tuple[str, ...]
    cells: Mapping[Cell, Moments]
    bounds: Bounds | None = None
    refused: str | None = None


def pooled(parts: Iterable[Moments], size: int) -> Moments:
    """Return the moments of all parts together; the same as merging them one by one, in one step.

    Args:
        parts: Moments of the same columns over different units.
        size: Number of columns, for the case that there is no part.
    """
    filled = [part for part in parts if part.count]
    if len(filled) < 2:
        return filled[0] if filled else Moments(0, (0.0,) * size, ((0.0,) * size,) * size)
    counts = np.array([part.count for part in filled], dtype=np.float64)
    means = np.array([part.means for part in filled])
    centre = means[0] + counts @ (means - means[0]) / counts.sum()
    steps = means - centre
    products = np.sum([part.products for part in filled], axis=0) + (steps * counts[:, None]).T @ steps
    return Moments(
        sum(part.count for part in filled),
        tuple(centre.tolist()),
        tuple(tuple(row) for row in ((products + products.T) / 2).tolist()),
    )


def cells_of(cells: Mapping[Cell, _Held], variant_id: str) -> Iterator[tuple[Cell, _Held]]:
    """Return the cells of one variant with what they hold."""
    return ((cell, held) for cell, held in cells.items() if cell.variant_id == variant_id)


def merged_metric(left: MetricStatistics, right: MetricStatistics) -> MetricStatistics:
    """Return the moments of both parts together, refused if one part is.

    Raises:
        AnalysisError: The parts differ in columns or caps.
    """
    name = f"the metric {left.metric_id}"
    check_same(f"columns of {name}", left.columns, right.columns)
    refused = left.refused or right.refused
    if refused is not None:
        return MetricStatistics(left.metric_id, left.columns, {}, None, refused)
    check_same(f"caps of {name}", left.bounds, right.bounds)
    cells = dict(left.cells)
    for cell, moments in right.cells.items():
        cells[cell] = cells[cell].merge(moments) if cell in cells else moments
    return MetricStatistics(left.metric_id, left.columns, cells, left.bounds)


def check_same(what: str, left: object, right: object) -> None:
    """Refuse to merge what differs, naming it.

    Args:
        what: What is compared.
        left: One side.
        right: The other side.

    Raises:
        AnalysisError: The two differ.
    """
    if left != right:
        raise AnalysisError(f"Statistics with different {what} cannot be merged: {left} and {right}.")


MAX_SEGMENTS = 1000
"""Most values of one segment column."""

MAX_CELLS = 200_000
"""Most cells of variant, day and segments together."""

_HEAD = 10_000
_FEW = 100


def refuse_many_segments(table: pl.LazyFrame, columns: Sequence[str]) -> None:
    """Refuse segment columns with too many values, before their cells fill the memory.

    Raises:
        AnalysisError: A column has more than ``MAX_SEGMENTS`` values, nearly.
    """
    if not columns:
        return
    head = table.select(columns).head(_HEAD).collect()
    # Where the first rows have few values, all rows rarely have too many; those are met at the cells.
    for name in columns:
        if head[name].n_unique() <= _FEW:
            continue
        count = table.select(pl.col(name).approx_n_unique()).collect(engine="streaming").item()
        if count > MAX_SEGMENTS:
            raise AnalysisError(
                f"The segment column {name} has about {count:,} different values; at most {MAX_SEGMENTS:,} are"
                " possible.",
                column=name,
            )


def refuse_many_cells(count: int) -> None:
    """Refuse more cells than can be kept.

    Raises:
        AnalysisError: There are more than ``MAX_CELLS``.
    """
    if count > MAX_CELLS:
        raise AnalysisError(
            f"Variants, days and segments make {count:,} cells; at most {MAX_CELLS:,} are possible. Name fewer"
            " segment columns."
        )
