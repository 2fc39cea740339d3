"""Simulated members: what they did in an experiment, and what they had done before it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from experiments.stats import MetricShape, Moments, Quantity

Array = NDArray[np.float64]
Random = np.random.Generator
Draw = Callable[[Random, int, float], Array]
"""Takes how many members, and the relative effect on them; returns one row per column."""


@dataclass(frozen=True)
class Population:
    """Members of one kind.

    Attributes:
        name: In words.
        draw: Returns new members' columns.
        mean: The metric's true value without an effect.
        value: Where the metric stands in the columns.
        covariate: Where what was known before stands.
    """

    name: str
    draw: Draw = field(repr=False)
    mean: float
    value: Quantity
    covariate: Quantity

    @property
    def plain(self) -> MetricShape:
        """The metric alone."""
        return MetricShape(self.value)

    @property
    def adjusted(self) -> MetricShape:
        """The metric with its covariate (CUPED)."""
        return MetricShape(self.value, (self.covariate,))


def _normal(random: Random, units: int, effect: float) -> Array:
    level, noise, before = random.standard_normal((3, units))
    return np.stack([(10 + 3 * (0.8 * level + 0.6 * noise)) * (1 + effect), 10 + 2 * level + before])


def _conversion(random: Random, units: int, effect: float) -> Array:
    chance = random.beta(0.4, 19.6, units)
    return np.stack([random.random(units) < chance * (1 + effect), random.binomial(12, chance)]).astype(
        np.float64
    )


def _revenue(random: Random, units: int, effect: float) -> Array:
    # Half of the members buy seldom, half often; a third of all buy at all in a period.
    buys = random.random((2, units)) < np.where(random.random(units) < 0.5, 0.1, 17 / 30)
    level, *noise = random.standard_normal((3, units))
    now, before = buys * np.exp(3 + 0.6 * level + 0.8 * np.stack(noise))
    return np.stack([now * (1 + effect), before])


def _orders(random: Random, units: int, effect: float) -> Array:
    activity, price = random.gamma(1.5, 2.0, units), _prices(random, units)
    orders = random.poisson(activity, (2, units))
    revenue = price * random.gamma(1.2 * orders, 1 / 1.2)
    return np.stack([revenue[0] * (1 + effect), orders[0], revenue[1], orders[1]])


def _prices(random: Random, units: int) -> Array:
    return np.exp(2.5 + 0.38 * random.standard_normal(units))


def single_orders(random: Random, units: int) -> Array:
    """Return the value of each order of members like those of ``ORDER_VALUE``."""
    orders = random.poisson(random.gamma(1.5, 2.0, units))
    return np.repeat(_prices(random, units), orders) * random.gamma(1.2, 1 / 1.2, int(orders.sum()))


NORMAL = Population("normal", _normal, 10.0, Quantity(0), Quantity(1))
CONVERSION = Population("2 % conversion", _conversion, 0.02, Quantity(0), Quantity(1))
REVENUE = Population("heavy-tailed revenue", _revenue, math.exp(3.5) / 3, Quantity(0), Quantity(1))
ORDER_VALUE = Population(
    "revenue per order", _orders, math.exp(2.5 + 0.38**2 / 2), Quantity(0, 1), Quantity(2, 3)
)
POPULATIONS = (NORMAL, CONVERSION, REVENUE, ORDER_VALUE)


def split(random: Random, units: int, share: float = 0.5) -> tuple[int, int]:
    """Return how many units fall to control and treatment, each by its own throw, as assignment does it."""
    control = int(random.binomial(units, share))
    return control, units - control


def two_arms(
    population: Population, random: Random, units: int, share: float = 0.5, effect: float = 0.0
) -> tuple[Moments, Moments]:
    """Return the moments of a control and a treatment, of so many units together."""
    control, treatment = split(random, units, share)
    return (
        Moments.of(*population.draw(random, control, 0.0)),
        Moments.of(*population.draw(random, treatment, effect)),
    )
