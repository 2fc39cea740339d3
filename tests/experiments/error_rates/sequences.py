"""Figure 3: how often an always-valid interval ever excludes zero without an effect, and how wide it is."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import Alternative, PairEstimate, confidence_sequence, estimate_pair, fixed_effect
from tests.experiments.error_rates.looking import ever, growing_arms
from tests.experiments.error_rates.measuring import ALPHA, Case, Part, at_most, between
from tests.experiments.error_rates.scenarios import (
    CONVERSION,
    NORMAL,
    ORDER_VALUE,
    REVENUE,
    Array,
    Population,
    Random,
    two_arms,
)

UNITS = np.unique(np.geomspace(200, 40_000, 120).round().astype(np.int64))
"""Units of both arms at each look."""


# An always-valid interval at 5 % reaches farther at any number of units.
NOTHING_WITHIN = 2.0


def _ever(
    population: Population, share: float, planned: int, random: Random, runs: int
) -> Mapping[str, Array]:
    def finds(pair: PairEstimate) -> bool:
        return confidence_sequence(pair, ALPHA, planned).excludes_zero

    found = {"plain": np.zeros(runs), "cuped": np.zeros(runs)}
    for run in range(runs):
        arms = growing_arms(population, random, UNITS, share)
        found["plain"][run] = ever(arms, population.plain, finds, beyond=NOTHING_WITHIN, fewest=100)
        found["cuped"][run] = ever(arms, population.adjusted, finds, beyond=NOTHING_WITHIN, fewest=100)
    return found


def _ever_one_sided(population: Population, random: Random, runs: int) -> Mapping[str, Array]:
    found = {alternative.value: np.zeros(runs) for alternative in (Alternative.GREATER, Alternative.LESS)}
    for run in range(runs):
        arms = growing_arms(population, random, UNITS)
        for name, values in found.items():
            finds = partial(_excludes_on_one_side, alternative=Alternative(name))
            values[run] = ever(arms, population.plain, finds, beyond=NOTHING_WITHIN - 0.2, fewest=100)
    return found


def _excludes_on_one_side(pair: PairEstimate, alternative: Alternative) -> bool:
    return confidence_sequence(pair, ALPHA, 5_000, alternative).excludes_zero


def _width(random: Random, runs: int) -> Mapping[str, Array]:
    """Return how much wider the always-valid interval is than the fixed one, at the planned size."""
    found = []
    for _ in range(runs):
        pair = estimate_pair(*two_arms(NORMAL, random, 4_000), NORMAL.adjusted)
        widths = []
        for interval in (confidence_sequence(pair, ALPHA, 4_000), fixed_effect(pair, ALPHA)):
            assert interval.ci_lower is not None
            assert interval.ci_upper is not None
            widths.append(interval.ci_upper - interval.ci_lower)
        found.append(widths[0] / widths[1])
    return {"width": np.array(found)}


_LOOKS = len(UNITS)
_PARTS = {"plain": Part("", at_most(ALPHA)), "cuped": Part("CUPED", at_most(ALPHA))}


def _case(population: Population, share: float, split: str, planned: int, fast: int) -> Case:
    return Case(
        3,
        f"always-valid/{population.name}/{split}/{planned}",
        f"{population.name}, split {split}, tuned at {planned:,} of 40,000 units, ever excludes zero",
        partial(_ever, population, share, planned),
        _PARTS,
        fast=fast,
        full=2_000,
        looks=_LOOKS,
    )


CASES = (
    _case(NORMAL, 0.5, "50:50", 5_000, 300),
    _case(CONVERSION, 0.5, "50:50", 5_000, 0),
    _case(REVENUE, 0.5, "50:50", 5_000, 300),
    _case(ORDER_VALUE, 0.5, "50:50", 5_000, 0),
    _case(NORMAL, 0.5, "50:50", 500, 0),
    _case(REVENUE, 0.9, "90:10", 5_000, 0),
    _case(CONVERSION, 0.9, "90:10", 5_000, 300),
    _case(ORDER_VALUE, 0.9, "90:10", 5_000, 300),
    *(
        Case(
            3,
            f"always-valid/{population.name}/one-sided",
            f"{population.name}, split 50:50, tuned at 5,000 of 40,000 units, ever excludes zero",
            partial(_ever_one_sided, population),
            {
                name: Part(f"one-sided ({name})", at_most(ALPHA))
                for name in (Alternative.GREATER.value, Alternative.LESS.value)
            },
            fast=0,
            full=2_000,
            looks=_LOOKS,
        )
        for population in (NORMAL, REVENUE)
    ),
    Case(
        3,
        "always-valid/width",
        "width at the planned units over that of the fixed interval",
        _width,
        {"width": Part("", between(1.0, 1.6))},
        fast=100,
        full=1_000,
    ),
)
