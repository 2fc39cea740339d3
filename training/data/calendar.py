"""Trips with each product by day over the last year: what seasons are read from when the rows are gone."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

YEAR_DAYS = 364.0
"""A year of whole weeks, so that Saturdays meet Saturdays."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calendar:
    """Trips by day and product.

    Attributes:
        days: int32[entries], days since 1970, ascending.
        products: int32[entries].
        trips: int32[entries], members' trips with the product on that day.
    """

    days: npt.NDArray[np.int32]
    products: npt.NDArray[np.int32]
    trips: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: pl.DataFrame, moment: float) -> Self:
        """Count the rows of the year before a moment; see ``build_history`` for the rows."""
        inside = (pl.col("time") >= year_before(moment)) & (pl.col("time") <= moment)
        counted = (
            rows.lazy()
            .filter(inside)
            .select("member", "product", "trip", day=pl.col("time").floor().cast(pl.Int32))
            .unique()
            .group_by("day", "product")
            .agg(trips=pl.len().cast(pl.Int32))
            .sort("day", "product")
            .collect()
        )
        return cls(*(counted[name].to_numpy() for name in ("day", "product", "trips")))

    def moved(self, places: npt.NDArray[np.int64]) -> "Calendar":
        """Return the same with products at other positions."""
        return Calendar(self.days, places[self.products].astype(np.int32), self.trips)

    def with_rows(self, rows: pl.DataFrame, moment: float) -> "Calendar":
        """Return the year before a later moment, with the rows that came since."""
        since = Calendar.of(rows, moment)
        kept = self.days >= year_before(moment)
        return Calendar(
            np.concatenate([self.days[kept], since.days]),
            np.concatenate([self.products[kept], since.products]),
            np.concatenate([self.trips[kept], since.trips]),
        )

    def season(self, moment: float, days: int, product_count: int) -> Floats:
        """Return float64[products], trips in the whole days a year before those after a moment.

        Args:
            moment: In days since 1970.
            days: How many days, the moment's own a year before included.
            product_count: Number of products.
        """
        start = year_before(moment)
        inside = (self.days >= start) & (self.days < start + days)
        weights = self.trips[inside]
        return np.bincount(self.products[inside], weights, minlength=product_count).astype(np.float64)


def season_trips(rows: pl.DataFrame, moment: float, days: int, product_count: int) -> Floats | None:
    """Return what ``Calendar.season`` does, from the rows; ``None`` where they do not reach back a year."""
    start = year_before(moment)
    first = rows["time"].min()
    if first is None or np.floor(float(first)) > start:  # type: ignore[arg-type]  # a float column
        return None
    window = rows.filter(pl.col("time") < start + days)
    return Calendar.of(window, moment).season(moment, days, product_count)


def year_before(moment: float) -> float:
    """Return the day a year before a moment, in whole days since 1970."""
    return float(np.floor(moment - YEAR_DAYS))
