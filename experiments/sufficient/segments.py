"""Segments that are too many to be told apart."""

from collections.abc import Sequence

import polars as pl

from experiments.errors import AnalysisError

MOST_SEGMENTS = 1000
"""Most values of one segment column."""

MOST_CELLS = 200_000
"""Most cells of variant, day and segments together."""

_HEAD = 10_000
_FEW = 100


def refuse_many_segments(table: pl.LazyFrame, columns: Sequence[str]) -> None:
    """Refuse segment columns with too many values, before their cells fill the memory.

    Raises:
        AnalysisError: A column has more than ``MOST_SEGMENTS`` values, nearly.
    """
    if not columns:
        return
    head = table.select(columns).head(_HEAD).collect()
    # Where the first rows have few values, all rows rarely have too many; those are met at the cells.
    for name in columns:
        if head[name].n_unique() <= _FEW:
            continue
        count = table.select(pl.col(name).approx_n_unique()).collect(engine="streaming").item()
        if count > MOST_SEGMENTS:
            raise AnalysisError(
                f"The segment column {name} has about {count:,} different values; at most {MOST_SEGMENTS:,} are"
                " possible.",
                column=name,
            )


def refuse_many_cells(count: int) -> None:
    """Refuse more cells than can be kept.

    Raises:
        AnalysisError: There are more than ``MOST_CELLS``.
    """
    if count > MOST_CELLS:
        raise AnalysisError(
            f"Variants, days and segments make {count:,} cells; at most {MOST_CELLS:,} are possible. Name fewer"
            " segment columns."
        )
