"""Figure 2: how often 95 % intervals hold the true effect."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import estimate_pair, fixed_effect
from tests.experiments.error_rates.measuring import (
    ALPHA,
    FAST_RUNS,
    FULL_RUNS,
    Case,
    Part,
    around,
    at_full,
    between,
)
from tests.experiments.error_rates.scenarios import POPULATIONS, Array, Population, Random, two_arms


def _covered(population: Population, effect: float, random: Random, runs: int) -> Mapping[str, Array]:
    names = [f"{method}-{scale}" for method in ("welch", "cuped") for scale in ("difference", "relative")]
    found = {name: np.zeros(runs) for name in names}
    difference = population.mean * effect
    for run in range(runs):
        arms = two_arms(population, random, 4_000, effect=effect)
        for method, shape in (("welch", population.plain), ("cuped", population.adjusted)):
            interval = fixed_effect(estimate_pair(*arms, shape), ALPHA)
            found[f"{method}-difference"][run] = _holds(interval.ci_lower, difference, interval.ci_upper)
            found[f"{method}-relative"][run] = _holds(
                interval.relative_ci_lower, effect, interval.relative_ci_upper
            )
    return found


def _holds(lower: float | None, truth: float, upper: float | None) -> bool:
    return lower is not None and upper is not None and lower <= truth <= upper


_ASKED = at_full(between(0.94, 0.96), around(0.95), FULL_RUNS)
_PARTS = {
    f"{method}-{scale}": Part(f"{label}, {scale}", _ASKED)
    for method, label in (("welch", "Welch"), ("cuped", "CUPED"))
    for scale in ("difference", "relative")
}

CASES = tuple(
    Case(
        2,
        f"coverage/{population.name}/{effect:g}",
        f"{population.name}, 2,000 units in each arm, effect {100 * effect:g} %",
        partial(_covered, population, effect),
        _PARTS,
        fast=FAST_RUNS if effect == 0.1 else 0,
    )
    for population in POPULATIONS
    for effect in (0.0, 0.02, 0.1)
)
