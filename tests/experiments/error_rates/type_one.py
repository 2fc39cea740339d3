"""Figure 1: how often a test with one look finds an effect where there is none."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import Moments, PairEstimate, estimate_pair, fixed_effect
from experiments.stats.bootstrap import bootstrap_interval, resample, weighted_mean
from experiments.stats.figure import independent_pair
from experiments.stats.quantile import quantile_estimate
from tests.experiments.error_rates.measuring import ALPHA, Case, Part, around, between
from tests.experiments.error_rates.scenarios import (
    POPULATIONS,
    REVENUE,
    Array,
    Population,
    Random,
    split,
    two_arms,
)


def p_of(pair: PairEstimate) -> float:
    """Return the p-value of the test with one look; 1 if nothing varies, so that there is none."""
    value = fixed_effect(pair, ALPHA).p_value
    return 1.0 if value is None else value


def _tests(
    population: Population, units: int, share: float, random: Random, runs: int
) -> Mapping[str, Array]:
    found = np.empty((2, runs))
    for run in range(runs):
        arms = two_arms(population, random, units, share)
        for i, shape in enumerate((population.plain, population.adjusted)):
            found[i, run] = p_of(estimate_pair(*arms, shape))
    return {"welch": found[0], "cuped": found[1]}


def _small_tests(population: Population, units: int, random: Random, runs: int) -> Mapping[str, Array]:
    return {
        name: (values < ALPHA).astype(np.float64)
        for name, values in _tests(population, units, 0.5, random, runs).items()
    }


def _revenues(random: Random, units: int) -> list[Array]:
    return [REVENUE.draw(random, size, 0.0)[0] for size in split(random, units)]


def _winsorised(random: Random, runs: int) -> Mapping[str, Array]:
    found = []
    for _ in range(runs):
        arms = _revenues(random, 4_000)
        bound = np.quantile(np.concatenate(arms), 0.99)
        control, treatment = (Moments.of(np.minimum(arm, bound)) for arm in arms)
        found.append(p_of(estimate_pair(control, treatment, REVENUE.plain)))
    return {"pooled": np.array(found)}


def _quantiles(random: Random, runs: int) -> Mapping[str, Array]:
    found = []
    for _ in range(runs):
        control, treatment = (quantile_estimate(arm, 0.9) for arm in _revenues(random, 4_000))
        found.append(p_of(independent_pair(control, treatment)))
    return {"quantile": np.array(found)}


def _bootstrapped(random: Random, runs: int) -> Mapping[str, Array]:
    found = []
    for _ in range(runs):
        control, treatment = (
            resample([arm], weighted_mean, seed=int(random.integers(2**31)), count=399)
            for arm in _revenues(random, 1_000)
        )
        found.append(bootstrap_interval(control, treatment, ALPHA).p_value)
    return {"bootstrap": (np.array(found) < ALPHA).astype(np.float64)}


_UNIFORM = {
    "welch": Part("Welch", around(ALPHA), uniform=True),
    "cuped": Part("CUPED", around(ALPHA), uniform=True),
}
# Few units with a heavy tail find less than they may; more they must not.
_SMALL = {
    "welch": Part("Welch", between(0.0, 0.066)),
    "cuped": Part("CUPED", between(0.0, 0.066)),
}


def _cases(population: Population) -> list[Case]:
    name = population.name
    return [
        Case(
            1,
            f"type-one/{name}/200",
            f"{name}, 200 units in each arm",
            partial(_small_tests, population, 400),
            _SMALL,
        ),
        Case(
            1,
            f"type-one/{name}/2000",
            f"{name}, 2,000 units in each arm",
            partial(_tests, population, 4_000, 0.5),
            _UNIFORM,
        ),
        Case(
            1,
            f"type-one/{name}/20000",
            f"{name}, 20,000 units in each arm",
            partial(_tests, population, 40_000, 0.5),
            _UNIFORM,
            fast=0,
            full=2_000,
        ),
        Case(
            1,
            f"type-one/{name}/2000:6000",
            f"{name}, 2,000 and 6,000 units",
            partial(_tests, population, 8_000, 0.25),
            _UNIFORM,
            fast=0,
        ),
    ]


CASES = (
    *(case for population in POPULATIONS for case in _cases(population)),
    Case(
        1,
        "type-one/winsorised",
        "heavy-tailed revenue, 2,000 units in each arm",
        _winsorised,
        {"pooled": Part("winsorised at the 99th percentile of both arms", around(ALPHA), uniform=True)},
    ),
    Case(
        1,
        "type-one/quantile",
        "heavy-tailed revenue, 2,000 units in each arm",
        _quantiles,
        {"quantile": Part("90th percentile", around(ALPHA), uniform=True)},
    ),
    Case(
        1,
        "type-one/bootstrap",
        "heavy-tailed revenue, 500 units in each arm",
        _bootstrapped,
        {"bootstrap": Part("bootstrap", between(0.0, 0.066))},
        fast=0,
        full=2_000,
    ),
)
