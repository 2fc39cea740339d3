"""Learning how members' attributes become numbers, and turning a table of members into a matrix."""

import numpy as np
import polars as pl

from experiments.uplift.trial import Floats
from training.bundle.encoding import Encoding, LevelsPart, NumberPart, Part

MOST_LEVELS = 20
FEWEST_ROWS = 20
"""A level that fewer members have is pooled with the other rare ones."""


def learn_encoding(features: pl.DataFrame) -> Encoding:
    """Return how the columns of a table become numbers: standardised, or one per frequent level.

    A number's missing values count as its mean, with a flag of their own if at least 20 members have none. Of a text's levels the 20
    most frequent are kept, less the most frequent, which the others are compared with.

    Args:
        features: Numbers, booleans, dates, times or texts; a column of which everything is missing or equal becomes nothing.
    """
    parts = [_part(column) for column in features]
    return Encoding(tuple(part for part in parts if part is not None))


def encode(encoding: Encoding, features: pl.DataFrame) -> Floats:
    """Return float64[n, width], the same numbers as ``Encoding.of_member`` gives one member.

    Args:
        encoding: Learned, maybe from other rows.
        features: A table with its columns.
    """
    matrix = np.zeros((features.height, encoding.width))
    at = 0
    for part in encoding.parts:
        column = features[part.name]
        if isinstance(part, NumberPart):
            values = as_numbers(column)
            missing = ~np.isfinite(values)
            matrix[:, at] = np.where(missing, 0.0, (values - part.mean) / part.deviation)
            if part.flagged:
                matrix[:, at + 1] = missing
        else:
            texts = column.cast(pl.String).fill_null("")
            for place, level in enumerate(part.levels):
                matrix[:, at + place] = (texts == level).to_numpy()
        at += part.width
    return matrix


def is_text(column: pl.Series) -> bool:
    """Tell whether a column is encoded by levels."""
    return isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum)


def as_numbers(column: pl.Series) -> Floats:
    """Return float64[n]: numbers, booleans as 0 and 1, dates and times as days since 1970; NaN where missing."""
    if column.dtype == pl.Date:
        column = column.cast(pl.Int32)
    elif isinstance(column.dtype, pl.Datetime):
        column = column.dt.timestamp("us").cast(pl.Float64) / 86_400e6
    values: Floats = column.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _part(column: pl.Series) -> Part | None:
    if is_text(column):
        counts = (
            column.cast(pl.String)
            .fill_null("")
            .alias("level")
            .value_counts()
            .sort("count", "level", descending=[True, False])
        )
        frequent = counts.filter(pl.col("count") >= FEWEST_ROWS).head(MOST_LEVELS)["level"].to_list()
        rare = counts.height > len(frequent)
        levels = frequent[1:] if frequent and (len(frequent) > 1 or not rare) else frequent
        return LevelsPart(column.name, tuple(levels)) if levels else None
    values = as_numbers(column)
    known = values[np.isfinite(values)]
    flagged = len(values) - len(known) >= FEWEST_ROWS
    deviation = float(known.std()) if len(known) else 0.0
    if deviation <= 1e-12 * max(1.0, float(np.abs(known).max()) if len(known) else 1.0):
        # Only whether it is missing can tell members apart.
        return (
            NumberPart(column.name, float(known.mean()), 1.0, flagged=True)
            if flagged and len(known)
            else None
        )
    return NumberPart(column.name, float(known.mean()), deviation, flagged)
