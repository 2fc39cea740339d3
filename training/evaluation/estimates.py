"""Means and ratios with standard errors over members."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.errors import DatasetError

Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and how sure it is.

    Attributes:
        value: The estimate.
        standard_error: Its standard error over members.
    """

    value: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the normal approximation."""
        return self.value - Z_95 * self.standard_error, self.value + Z_95 * self.standard_error


def ratio_estimate(numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64]) -> Estimate:
    """Estimate a ratio of member sums, with members as clusters.

    The trips of one member are alike, so they are not independent; members are. The standard error is the delta
    method's: that of the mean of ``numerator - ratio * denominator``, over the mean denominator (Deng, Knoblich and Lu,
    *Applying the Delta Method in Metric Analytics*, 2018).

    Args:
        numerators: Sum of each member, for example hits.
        denominators: Count of each member, for example trips; their sum is above 0.

    Raises:
        DatasetError: There are fewer than 2 members or the denominators sum to 0.
    """
    members, total = len(numerators), float(denominators.sum())
    if members < 2 or total <= 0:
        raise DatasetError(f"A ratio over members needs 2 members with trips or more, found {members}.")
    ratio = float(numerators.sum()) / total
    residuals = numerators - ratio * denominators
    spread = float(np.sqrt(np.sum(residuals**2) / (members - 1) / members))
    return Estimate(value=ratio, standard_error=spread / (total / members))


def mean_estimate(values: npt.NDArray[np.float64]) -> Estimate:
    """Estimate a mean over members.

    Raises:
        DatasetError: There are fewer than 2 members.
    """
    return ratio_estimate(values, np.ones(len(values)))
