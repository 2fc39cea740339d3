"""Mistakes that other tools make, measured beside our methods, so that the difference can be seen."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.errors import AnalysisError
from experiments.stats import Moments, PairEstimate, estimate_pair, fixed_effect
from experiments.stats.bayes import NormalPrior, posterior
from tests.experiments.error_rates.looking import ever, growing_arms
from tests.experiments.error_rates.measuring import ALPHA, Case, Part, at_full, between
from tests.experiments.error_rates.scenarios import (
    CONVERSION,
    NORMAL,
    REVENUE,
    Array,
    Population,
    Random,
    single_orders,
    split,
)

UNITS = np.arange(1, 101, dtype=np.int64) * 400
"""Units of both arms at each of a hundred looks."""


def _peeking(population: Population, random: Random, runs: int) -> Mapping[str, Array]:
    def finds(pair: PairEstimate) -> bool:
        return fixed_effect(pair, ALPHA).excludes_zero

    found = [
        ever(growing_arms(population, random, UNITS), population.plain, finds, beyond=1.9)
        for _ in range(runs)
    ]
    return {"fixed": np.array(found, dtype=np.float64)}


def _bayes_peeking(
    population: Population, prior: NormalPrior, random: Random, runs: int
) -> Mapping[str, Array]:
    def finds(pair: PairEstimate) -> bool:
        try:
            return not 0.05 <= posterior(pair, prior).probability_positive <= 0.95
        except AnalysisError:  # nobody has converted yet
            return False

    found = [
        ever(growing_arms(population, random, UNITS), population.plain, finds, beyond=1.0)
        for _ in range(runs)
    ]
    return {"posterior": np.array(found, dtype=np.float64)}


def _single_orders(random: Random, runs: int) -> Mapping[str, Array]:
    found = np.zeros(runs)
    for run in range(runs):
        control, treatment = (Moments.of(single_orders(random, size)) for size in split(random, 4_000))
        found[run] = fixed_effect(estimate_pair(control, treatment, NORMAL.plain), ALPHA).excludes_zero
    return {"orders": found}


def _winsorised_apart(random: Random, runs: int) -> Mapping[str, Array]:
    found = np.zeros(runs)
    for run in range(runs):
        arms = [REVENUE.draw(random, size, 0.0)[0] for size in split(random, 4_000)]
        control, treatment = (Moments.of(np.minimum(arm, np.quantile(arm, 0.99))) for arm in arms)
        found[run] = fixed_effect(estimate_pair(control, treatment, REVENUE.plain), ALPHA).excludes_zero
    return {"apart": found}


_NAIVE = at_full(between(0.33, 0.41), between(0.25, 0.5), 2_000)
_FLAT = at_full(between(0.55, 0.63), between(0.45, 0.73), 2_000)

CASES = (
    *(
        Case(
            0,
            f"mistake/peeking/{population.name}",
            f"{population.name}: the test for one look read at every look, ever significant",
            partial(_peeking, population),
            {"fixed": Part("", _NAIVE)},
            fast=fast,
            full=2_000,
            looks=len(UNITS),
        )
        for population, fast in ((NORMAL, 200), (CONVERSION, 0), (REVENUE, 0))
    ),
    *(
        Case(
            0,
            f"mistake/bayes-peeking/{population.name}/{name}",
            f"{population.name}: posterior with {what}, ever above 95 % or below 5 %",
            partial(_bayes_peeking, population, prior),
            {"posterior": Part("", asked)},
            fast=fast,
            full=2_000,
            looks=len(UNITS),
        )
        for population, name, prior, what, asked, fast in (
            (NORMAL, "flat", NormalPrior(), "a flat prior", _FLAT, 100),
            (CONVERSION, "flat", NormalPrior(), "a flat prior", _FLAT, 0),
            (REVENUE, "flat", NormalPrior(), "a flat prior", _FLAT, 0),
            (REVENUE, "default", NormalPrior(0.0, 0.3), "the prior N(0, 30 %)", between(0.3, 0.63), 0),
        )
    ),
    Case(
        0,
        "mistake/orders",
        "revenue per order: orders of one member taken as independent",
        _single_orders,
        {"orders": Part("", between(0.1, 0.17))},
        fast=1_000,
    ),
    Case(
        0,
        "mistake/winsorised-apart",
        "heavy-tailed revenue, 2,000 units in each arm: winsorised at each arm's own 99th percentile",
        _winsorised_apart,
        {"apart": Part("", between(0.07, 0.12))},
        fast=1_000,
    ),
)
