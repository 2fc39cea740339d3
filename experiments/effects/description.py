"""Who the members of a group are: the features in which they differ most from the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from experiments.number_format import plain
from experiments.uplift.trial import Bools, Floats

_MOST_TEXTS = 20
_WORTH_SAYING = 0.1


@dataclass(frozen=True, slots=True)
class FeatureDifference:
    """How a feature differs between a group and all other members.

    Attributes:
        feature: The column.
        value: Which of its values is counted, for text and booleans; none for numbers.
        inside: Mean in the group; for a value, its share.
        outside: The same of the others.
        standardised: Their difference over the root of the mean of the two variances (Cohen's d); infinite where neither side
            varies.
    """

    feature: str
    value: str | None
    inside: float
    outside: float
    standardised: float

    @property
    def words(self) -> str:
        """The difference in plain words: ``history higher (380 against 190)``, ``channel is Web (70 % against 40 %)``."""
        if self.value is None:
            decimals = _decimals(self.inside, self.outside)
            way = "higher" if self.standardised > 0 else "lower"
            return f"{self.feature} {way} ({plain(self.inside, decimals)} against {plain(self.outside, decimals)})"
        shares = f"({plain(100 * self.inside)} % against {plain(100 * self.outside)} %)"
        way = "more often" if self.standardised > 0 else "less often"
        named = self.feature if self.value == "yes" else f"{self.feature} is {self.value}"
        return f"{named} {way} {shares}"


def describe(features: pl.DataFrame, chosen: Bools) -> tuple[FeatureDifference, ...]:
    """Return the features in which some members differ from the others, the strongest first, one line per feature.

    Numbers are compared by their means, booleans and 0/1 by their shares, text by the share of the value that differs most. Nulls
    and NaN are left out of a number, and a value of their own ("unknown") in a text. Columns of other types, and text with more
    than 20 values, are passed over.

    Args:
        features: n rows.
        chosen: bool[n], the group.
    """
    if chosen.all() or not chosen.any():
        return ()
    found = [one for column in features for one in [_difference(column, chosen)] if one is not None]
    return tuple(sorted(found, key=lambda one: (-abs(one.standardised), one.feature)))


def in_words(differences: Sequence[FeatureDifference], most: int = 2) -> str:
    """Return the strongest differences as a phrase; says so where there is nothing worth saying (below 0.1).

    Args:
        differences: Of `describe`.
        most: How many features to name.
    """
    named = [one.words for one in differences[:most] if abs(one.standardised) >= _WORTH_SAYING]
    return "; ".join(named) if named else "like everybody else in all features"


def _difference(column: pl.Series, chosen: Bools) -> FeatureDifference | None:
    if column.dtype == pl.Boolean:
        return _compared(column.name, "yes", column.cast(pl.Float64).to_numpy(), chosen)
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).to_numpy()
        known = values[~np.isnan(values)]
        flag = len(known) > 0 and bool(np.isin(known, (0.0, 1.0)).all())
        return _compared(column.name, "yes" if flag else None, values, chosen)
    if column.dtype in {pl.String, pl.Categorical, pl.Enum}:
        texts = column.cast(pl.String).fill_null("unknown")
        values_of = sorted(texts.unique().to_list())
        if len(values_of) > _MOST_TEXTS:
            return None
        each = [
            _compared(column.name, value, (texts == value).cast(pl.Float64).to_numpy(), chosen)
            for value in values_of
        ]
        return max((one for one in each if one), key=lambda one: abs(one.standardised), default=None)
    return None


def _compared(name: str, value: str | None, values: Floats, chosen: Bools) -> FeatureDifference | None:
    known = ~np.isnan(values)
    inside, outside = values[known & chosen], values[known & ~chosen]
    if not len(inside) or not len(outside):
        return None
    apart = float(inside.mean() - outside.mean())
    spread = math.sqrt((float(inside.var()) + float(outside.var())) / 2)
    standardised = apart / spread if spread > 0 else math.copysign(math.inf, apart) if apart else 0.0
    return FeatureDifference(name, value, float(inside.mean()), float(outside.mean()), standardised)


def _decimals(*values: float) -> int:
    """Return the decimals that show three digits of the larger value: 0 from 100 on, 2 for 1.23."""
    largest = max(abs(value) for value in values)
    return min(max(0, 2 - math.floor(math.log10(largest))), 6) if largest > 0 else 0
