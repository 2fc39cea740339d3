"""Sufficient statistics: all that the tests need to know about the members of a variant.

Moments are kept as deviations from their own mean, never as raw sums of squares, so that a mean of 1e9 with a
deviation of 1 keeps its variance. Two parts merge by the update of Chan, Golub and LeVeque (1983,
https://doi.org/10.1080/00031305.1983.10483115).
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, means and cross products of one or more columns over the same units.

    Attributes:
        count: Units in which no column is missing.
        means: Mean of each column; zeros if there is no unit.
        products: ``products[i][j]`` is the sum over units of the deviations of columns i and j multiplied.
    """

    count: int
    means: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, *columns: ArrayLike) -> Self:
        """Return the moments of columns of equal length; a unit with NaN in any column is left out."""
        table = np.asarray(columns, dtype=np.float64)
        table = table[:, ~np.isnan(table).any(axis=0)]
        count = table.shape[1]
        if count == 0:
            size = len(columns)
            return cls(0, (0.0,) * size, ((0.0,) * size,) * size)
        means = table.mean(axis=1)
        deviations = table - means[:, None]
        slips = deviations.sum(axis=1)
        return cls(
            count,
            tuple((means + slips / count).tolist()),
            _tuples(deviations @ deviations.T - np.outer(slips, slips) / count),
        )

    def merge(self, other: Self) -> Self:
        """Return the moments of both parts together.

        Raises:
            ValueError: The parts have different numbers of columns.
        """
        if len(self.means) != len(other.means):
            raise ValueError(f"cannot merge moments of {len(self.means)} and {len(other.means)} columns")
        count = self.count + other.count
        if count == 0:
            return self
        step = np.subtract(other.means, self.means)
        means = np.asarray(self.means) + step * (other.count / count)
        products = np.add(self.products, other.products)
        products += np.outer(step, step) * (self.count / count * other.count)
        return type(self)(count, tuple(means.tolist()), _tuples(products))

    def total(self, column: int = 0) -> float:
        """Return the sum of a column."""
        return self.means[column] * self.count

    def variance(self, column: int = 0) -> float:
        """Return the sample variance of a column; NaN for fewer than two units.

        Zero if the deviations are not larger than the rounding of the column's own values.
        """
        if self.count < 2:
            return math.nan
        variance = self.products[column][column] / (self.count - 1)
        rounding = 4 * np.finfo(np.float64).eps * abs(self.means[column])
        return variance if variance > rounding**2 else 0.0

    def covariance(self, left: int, right: int) -> float:
        """Return the sample covariance of two columns; NaN for fewer than two units."""
        return self.products[left][right] / (self.count - 1) if self.count > 1 else math.nan


def _tuples(matrix: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())
