"""Trips with each product by day over the last year: what seasons are read from when the rows are gone."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl

from training.data.histories import YEAR_DAYS


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
        inside = (pl.col("time") > np.floor(moment - YEAR_DAYS)) & (pl.col("time") <= moment)
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
        kept = self.days >= np.floor(moment - YEAR_DAYS)
        return Calendar(
            np.concatenate([self.days[kept], since.days]),
            np.concatenate([self.products[kept], since.products]),
            np.concatenate([self.trips[kept], since.trips]),
        )

    def season(self, moment: float, days: float, product_count: int) -> npt.NDArray[np.float64]:
        """Return float64[products], trips in the days a year before those after a moment; whole days, unlike ``season_trips``.

        Args:
            moment: In days since 1970.
            days: How many days after it.
            product_count: Number of products.
        """
        start = np.floor(moment - YEAR_DAYS)
        inside = (self.days >= start) & (self.days < start + days)
        return np.bincount(self.products[inside], weights=self.trips[inside], minlength=product_count).astype(
            np.float64
        )
