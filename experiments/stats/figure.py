"""What two variants say about one metric: their figures, and how much these vary by chance.

A figure is a mean or a ratio of two means, with or without covariates. The unit of analysis is the unit of
randomisation; a figure per order is therefore a ratio of sums by unit.

Pairs of figures that were each computed from one variant alone.

What several batches (days) of one experiment know together about their variances.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.errors import AnalysisError
from experiments.stats.moments import Moments

Column = int
"""Index of a column in the moments."""

FEWEST_UNITS_FOR_MEAN = 2
FEWEST_UNITS_FOR_RATIO = 30
# Below this share of what was subtracted, a residual variance is rounding: the figure is the same for every unit.
_RESIDUAL_ROUNDING = 1e-13
# Covariates whose correlation matrix has an eigenvalue below this share of the largest repeat each other.
_COLLINEAR = 1e-10

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A mean of a column, or the ratio of two columns' sums.

    Attributes:
        numerator: Index of the column.
        denominator: Index of the column divided by; none for a mean over units.
    """

    numerator: Column
    denominator: Column | None = None


@dataclass(frozen=True, slots=True)
class MetricShape:
    """How a metric is made of columns.

    Attributes:
        value: The metric.
        covariates: What was known before the treatment began; it explains a part of the metric's variance.
    """

    value: Quantity
    covariates: tuple[Quantity, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """What one variant's units say about a metric.

    Attributes:
        members: Units that it rests on.
        mean: The metric in this variant.
        variance: Of ``mean``, as an estimate (the square of its standard error).
    """

    members: int
    mean: float
    variance: float

    @property
    def standard_error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.variance)


@dataclass(frozen=True, slots=True)
class PairEstimate:
    """A control and a treatment, adjusted alike for covariates.

    Adjusted figures of both arms hold the covariates' mean over both arms, and so vary together; in their
    difference this part cancels.

    Attributes:
        control_mean: The metric under control.
        treatment_mean: The metric under treatment.
        control_variance: Of ``control_mean``, as an estimate.
        treatment_variance: Of ``treatment_mean``, as an estimate.
        covariance: Of the two means, as estimates; zero without covariates.
        own_variances: What the control and the treatment add to the variance of the difference.
        control_units: Units under control.
        treatment_units: Units under treatment.
        variance_reduction: Share of the difference's variance that the covariates took away, at most 1, negative
            if they added some; ``None`` without covariates, or without variance.
    """

    control_mean: float
    treatment_mean: float
    control_variance: float
    treatment_variance: float
    covariance: float
    own_variances: tuple[float, float]
    control_units: int
    treatment_units: int
    variance_reduction: float | None = None

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment_mean - self.control_mean

    @property
    def variance(self) -> float:
        """Variance of the estimate."""
        return self.own_variances[0] + self.own_variances[1]

    @property
    def standard_error(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.variance)

    @property
    def units(self) -> int:
        """Units of both arms."""
        return self.control_units + self.treatment_units

    @property
    def degrees_of_freedom(self) -> float | None:
        """Of the estimate's t distribution (Welch 1947, Satterthwaite 1946); ``None`` without variance.

        https://doi.org/10.1093/biomet/34.1-2.28
        """
        if self.variance == 0:
            return None
        share = self.own_variances[0] / self.variance
        return 1 / (share**2 / (self.control_units - 1) + (1 - share) ** 2 / (self.treatment_units - 1))


def arm_figure(moments: Moments, quantity: Quantity) -> ArmEstimate:
    """Return one variant's own figure, without adjustment.

    A ratio's variance is the delta method's: that of the units' residuals ``numerator - ratio * denominator``, over
    the squared mean denominator (Deng, Knoblich and Lu 2018, https://arxiv.org/abs/1803.06336, section 2).

    Raises:
        AnalysisError: There are too few units, the denominators do not add up to a positive number, or values are
            not finite.
    """
    _check(moments, (quantity,))
    gradient = _gradient(moments, quantity)
    variance = _form(gradient, _covariances(moments)) / moments.count
    return ArmEstimate(moments.count, _value(moments, quantity), variance)


def estimate_pair(
    control: Moments, treatment: Moments, shape: MetricShape, slopes_of: Moments | None = None
) -> PairEstimate:
    """Return both variants' figures with covariates taken into account.

    Regression adjustment with one slope for both arms (CUPED: Deng, Xu, Kohavi and Walker 2013,
    https://doi.org/10.1145/2433396.2433413, section 3): slopes are those of the arms' pooled units; for ratios,
    metric and covariates are linearised by the delta method (Deng, Knoblich and Lu 2018, sections 2 and 4). An
    arm's adjusted figure is ``value - slopes (covariates in the arm - covariates in both arms)``. Covariates that do
    not vary, or repeat others, change nothing.

    Args:
        control: Moments of the control's columns.
        treatment: Moments of the same columns.
        shape: The metric and its covariates.
        slopes_of: Moments that the slopes are taken from, in place of those of both arms: of more units.

    Raises:
        AnalysisError: An arm has too few units (2, or 30 where there is a ratio), denominators do not add up to a
            positive number, or values are not finite.
        ValueError: The moments have different numbers of columns.
    """
    arms, counts = (control, treatment), (control.count, treatment.count)
    for arm in arms:
        _check(arm, (shape.value, *shape.covariates))
    covariances = tuple(_covariances(arm) for arm in arms)
    plain = [_gradient(arm, shape.value) for arm in arms]
    means = [_value(arm, shape.value) for arm in arms]
    unadjusted = [_form(g, s) / n for g, s, n in zip(plain, covariances, counts, strict=True)]
    if not shape.covariates:
        return PairEstimate(
            control_mean=means[0],
            treatment_mean=means[1],
            control_variance=unadjusted[0],
            treatment_variance=unadjusted[1],
            covariance=0.0,
            own_variances=(unadjusted[0], unadjusted[1]),
            control_units=control.count,
            treatment_units=treatment.count,
        )

    merged = control.merge(treatment)
    slopes = _slopes(merged if slopes_of is None else slopes_of, shape)
    shared = slopes @ _gradients(merged, shape.covariates)
    centre = _values(merged, shape.covariates)
    own = [g - slopes @ _gradients(arm, shape.covariates) for g, arm in zip(plain, arms, strict=True)]
    for i, arm in enumerate(arms):
        means[i] -= float(slopes @ (_values(arm, shape.covariates) - centre))
    own_variances = [_form(g, s) / n for g, s, n in zip(own, covariances, counts, strict=True)]
    # What a unit of either arm adds to the covariates' mean over both, and through it to both figures.
    common = [shared * (n / sum(counts)) for n in counts]

    def product(left: list[_Array], right: list[_Array]) -> float:
        return sum(float(left[i] @ covariances[i] @ right[i]) / counts[i] for i in (0, 1))

    control_parts, treatment_parts = [own[0] + common[0], common[1]], [common[0], own[1] + common[1]]
    return PairEstimate(
        control_mean=means[0],
        treatment_mean=means[1],
        control_variance=product(control_parts, control_parts),
        treatment_variance=product(treatment_parts, treatment_parts),
        covariance=product(control_parts, treatment_parts),
        own_variances=(own_variances[0], own_variances[1]),
        control_units=control.count,
        treatment_units=treatment.count,
        variance_reduction=1 - sum(own_variances) / sum(unadjusted) if sum(unadjusted) else None,
    )


def _check(moments: Moments, quantities: tuple[Quantity, ...]) -> None:
    ratio = any(quantity.denominator is not None for quantity in quantities)
    fewest, what = (FEWEST_UNITS_FOR_RATIO, "a ratio") if ratio else (FEWEST_UNITS_FOR_MEAN, "a mean")
    if moments.count < fewest:
        raise AnalysisError(
            f"{moments.count} unit{'' if moments.count == 1 else 's'} in a variant; {what} needs at least {fewest}"
        )
    if not _is_finite(moments, quantities):
        raise AnalysisError("there are values that are not finite numbers, or too large to be squared")
    for i, quantity in enumerate(quantities):
        if quantity.denominator is not None and moments.means[quantity.denominator] <= 0:
            whose = "a covariate's" if i else "the"
            total = moments.total(quantity.denominator)
            raise AnalysisError(f"{whose} denominators add up to {total:g}; a ratio needs a positive sum")


def _is_finite(moments: Moments, quantities: tuple[Quantity, ...]) -> bool:
    """Say whether all that the quantities read are finite numbers."""
    # A finite sum has finite terms, so that the usual case costs one addition by number.
    if math.isfinite(sum(moments.means) + sum(map(sum, moments.products))):
        return True
    used = {c for quantity in quantities for c in (quantity.numerator, quantity.denominator) if c is not None}
    numbers = (number for i in used for number in (moments.means[i], *(moments.products[i][j] for j in used)))
    return all(math.isfinite(number) for number in numbers)


def _value(moments: Moments, quantity: Quantity) -> float:
    below = 1.0 if quantity.denominator is None else moments.means[quantity.denominator]
    return moments.means[quantity.numerator] / below


def _values(moments: Moments, quantities: tuple[Quantity, ...]) -> _Array:
    return np.array([_value(moments, quantity) for quantity in quantities])


def _gradient(moments: Moments, quantity: Quantity) -> _Array:
    """Return the derivative of the quantity by each column's mean."""
    gradient = np.zeros(len(moments.means))
    if quantity.denominator is None:
        gradient[quantity.numerator] = 1.0
        return gradient
    below = moments.means[quantity.denominator]
    gradient[quantity.numerator] = 1 / below
    gradient[quantity.denominator] -= _value(moments, quantity) / below
    return gradient


def _gradients(moments: Moments, quantities: tuple[Quantity, ...]) -> _Array:
    return np.array([_gradient(moments, quantity) for quantity in quantities])


def _covariances(moments: Moments) -> _Array:
    """Return the sample covariances of the columns; zero for a column that varies by rounding only."""
    matrix = np.array(moments.products) / (moments.count - 1)
    constant = [i for i in range(len(moments.means)) if moments.variance(i) == 0]
    if constant:
        matrix[constant, :] = matrix[:, constant] = 0.0
    # A column that the metric does not use may hold anything, and takes part with weight zero.
    if not math.isfinite(matrix.sum()):
        matrix[~np.isfinite(matrix)] = 0.0
    return matrix


def _form(gradient: _Array, covariances: _Array) -> float:
    """Return the variance of a unit's linearised figure; zero if it is rounding."""
    variance = float(gradient @ covariances @ gradient)
    return variance if variance > _RESIDUAL_ROUNDING * float(gradient**2 @ covariances.diagonal()) else 0.0


def _slopes(merged: Moments, shape: MetricShape) -> _Array:
    """Return the slopes of the metric on its covariates over all units."""
    covariances = _covariances(merged)
    covariates = _gradients(merged, shape.covariates)
    spreads = np.sqrt([_form(gradient, covariances) for gradient in covariates])
    scale = np.divide(1.0, spreads, out=np.zeros_like(spreads), where=spreads > 0)
    within = (covariates @ covariances @ covariates.T) * np.outer(scale, scale)
    with_metric = (covariates @ covariances @ _gradient(merged, shape.value)) * scale
    if len(scale) == 1:
        return with_metric * scale
    solution: _Array = np.linalg.pinv(within, rcond=_COLLINEAR, hermitian=True) @ with_metric * scale
    return solution


def independent_pair(control: ArmEstimate, treatment: ArmEstimate) -> PairEstimate:
    """Return two variants' own figures as a pair: quantiles, bootstrapped figures, whatever has no covariates."""
    return PairEstimate(
        control_mean=control.mean,
        treatment_mean=treatment.mean,
        control_variance=control.variance,
        treatment_variance=treatment.variance,
        covariance=0.0,
        own_variances=(control.variance, treatment.variance),
        control_units=control.members,
        treatment_units=treatment.members,
    )


Array = NDArray[np.float64]


def within(parts: Sequence[Moments]) -> Moments:
    """Return how columns vary together within the parts: moments of all units, each part moved to the common means.

    Args:
        parts: Moments of the same columns over different units; at least one.
    """
    counts = np.array([part.count for part in parts], dtype=np.float64)
    means = counts @ np.array([part.means for part in parts]) / counts.sum()
    products = np.sum([part.products for part in parts], axis=0)
    return Moments(int(counts.sum()), tuple(means.tolist()), tuple(tuple(row) for row in products.tolist()))


def arm_units(batches: Sequence[PairEstimate]) -> Array:
    """Return the units of control and treatment, one row per batch."""
    return np.array([(b.control_units, b.treatment_units) for b in batches], dtype=np.float64)


def pooled_unit_variances(batches: Sequence[PairEstimate]) -> Array:
    """Return each arm's variance per unit, pooled over the batches.

    A batch's own estimate moves with its mean where values are skewed: a day on which a small arm has not converted
    once has no variance, and weighted by that it would count as certain.
    """
    units = arm_units(batches)
    own = np.array([b.own_variances for b in batches])
    pooled: Array = ((units - 1) * units * own).sum(axis=0) / (units - 1).sum(axis=0)
    return pooled
