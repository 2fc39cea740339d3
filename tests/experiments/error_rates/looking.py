"""Experiments that are looked at while they grow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.stats import MetricShape, Moments, PairEstimate, Quantity, estimate_pair
from tests.experiments.error_rates.scenarios import Array, Population, Random

# Of the looks at which nothing can be found, every so many is asked all the same.
_ASKED_ALL_THE_SAME = 50

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class GrowingArm:
    """One arm at several looks: counts, means (looks x columns) and products (looks x columns x columns)."""

    counts: Counts
    means: Array
    products: Array

    @classmethod
    def of(cls, columns: Array, counts: Counts) -> "GrowingArm":
        """Return the first units of an arm, for each of several numbers of units in ascending order."""
        width = len(columns)
        away = columns - columns.mean(axis=1, keepdims=True)
        upper = np.triu_indices(width)
        rows = np.concatenate([columns, away, away[upper[0]] * away[upper[1]]])[:, : counts[-1]]
        # What lies between two looks is added up at once, then carried on; where nobody came, reduceat adds one unit.
        arrived = np.diff(counts, prepend=0)
        batches = np.add.reduceat(rows, np.minimum(counts - arrived, counts[-1] - 1), axis=1)
        totals = (batches * (arrived > 0)).cumsum(axis=1)
        slips = totals[width : 2 * width].T
        products = np.empty((len(counts), width, width))
        products[:, upper[0], upper[1]] = products[:, upper[1], upper[0]] = totals[2 * width :].T
        products -= slips[:, :, None] * slips[:, None, :] / counts[:, None, None]
        return cls(counts, totals[:width].T / counts[:, None], products)

    def at(self, look: int) -> Moments:
        """Return the moments at a look."""
        return Moments(
            int(self.counts[look]),
            tuple(self.means[look].tolist()),
            tuple(map(tuple, self.products[look].tolist())),
        )

    def merged(self, other: "GrowingArm") -> "GrowingArm":
        """Return both arms as one."""
        counts = self.counts + other.counts
        step = other.means - self.means
        weight = self.counts * other.counts / counts
        return GrowingArm(
            counts,
            (self.means * self.counts[:, None] + other.means * other.counts[:, None]) / counts[:, None],
            self.products + other.products + step[:, :, None] * step[:, None, :] * weight[:, None, None],
        )


def growing_arms(
    population: Population, random: Random, units: Counts, share: float = 0.5, effect: float = 0.0
) -> tuple[GrowingArm, GrowingArm]:
    """Return a control and a treatment at looks at so many units of both together."""
    control = random.binomial(np.diff(units, prepend=0), share).cumsum()
    treatment = units - control
    return (
        GrowingArm.of(population.draw(random, int(control[-1]), 0.0), control),
        GrowingArm.of(population.draw(random, int(treatment[-1]), effect), treatment),
    )


def ever(
    arms: tuple[GrowingArm, GrowingArm],
    shape: MetricShape,
    finds: Callable[[PairEstimate], bool],
    *,
    beyond: float,
    shift: Callable[[float], float] = lambda _: 0.0,
    fewest: int = 1,
) -> bool:
    """Say whether any look finds something; as in life, who has found it looks no more.

    To save time, looks at which nothing can be found are passed over, but for every fiftieth: those whose difference is
    within so few standard errors of the null, by a computation of the test's own, that no method finds it. At the
    looks that are asked, the engine must come to the same difference and standard error.

    Args:
        arms: At all looks.
        shape: The metric.
        finds: What is asked at a look.
        beyond: Standard errors within which nothing can be found.
        shift: From the control's figure to the difference under the null.
        fewest: Looks at fewer units in an arm are passed over.
    """
    differences, errors, controls = _differences(arms, shape)
    far = np.abs(differences - np.array([shift(c) for c in controls])) > beyond * errors
    far[::_ASKED_ALL_THE_SAME] = True
    far &= (np.minimum(arms[0].counts, arms[1].counts) >= fewest) & (errors > 0)
    for look in np.flatnonzero(far).tolist():
        pair = estimate_pair(arms[0].at(look), arms[1].at(look), shape)
        expected = (differences[look], errors[look])
        assert np.allclose((pair.estimate, pair.standard_error), expected, rtol=1e-6, atol=1e-9)
        if finds(pair):
            return True
    return False


def _differences(arms: tuple[GrowingArm, GrowingArm], shape: MetricShape) -> tuple[Array, Array, Array]:
    """Return the difference, its standard error and the control's figure at each look."""
    figures, gradients = zip(*(_figure(arm, shape.value) for arm in arms), strict=True)
    differences = figures[1] - figures[0]
    whole = arms[0].merged(arms[1])
    for covariate in shape.covariates:
        before, slopes_of_before = zip(*(_figure(arm, covariate) for arm in arms), strict=True)
        pooled = [_figure(whole, quantity)[1] for quantity in (shape.value, covariate)]
        spread = _form(pooled[1], whole.products, pooled[1])
        theta = _form(pooled[0], whole.products, pooled[1]) / np.where(spread > 0, spread, np.inf)
        differences = differences - theta * (before[1] - before[0])
        gradients = tuple(g - theta[:, None] * s for g, s in zip(gradients, slopes_of_before, strict=True))
    variance = sum(
        _form(g, arm.products, g) / (arm.counts - 1) / arm.counts
        for g, arm in zip(gradients, arms, strict=True)
    )
    # A column of equal values varies by rounding, which may be below zero.
    return differences, np.sqrt(np.maximum(variance, 0.0)), figures[0]


def _figure(arm: GrowingArm, quantity: Quantity) -> tuple[Array, Array]:
    """Return the figure and its derivative by the columns' means, at each look."""
    gradient = np.zeros_like(arm.means)
    value = arm.means[:, quantity.numerator]
    if quantity.denominator is None:
        gradient[:, quantity.numerator] = 1.0
        return value, gradient
    below = arm.means[:, quantity.denominator]
    gradient[:, quantity.numerator] = 1 / below
    gradient[:, quantity.denominator] = -value / below**2
    return value / below, gradient


def _form(left: Array, products: Array, right: Array) -> Array:
    form: Array = np.einsum("li,lij,lj->l", left, products, right)
    return form
