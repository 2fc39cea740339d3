"""Figure 7: how often a treatment that is worse by just the margin passes for not worse."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import PairEstimate, estimate_pair
from experiments.stats.non_inferiority import NonInferiorityMargin, non_inferiority
from tests.experiments.error_rates.looking import ever, growing_arms
from tests.experiments.error_rates.measuring import ALPHA, Case, Part, around, at_most
from tests.experiments.error_rates.scenarios import (
    POPULATIONS,
    REVENUE,
    Array,
    Population,
    Random,
    two_arms,
)

MARGIN = 0.02
UNITS = 8_000
"""Of both arms."""
LOOKS = np.unique(np.geomspace(400, 40_000, 40).round().astype(np.int64))
"""Units of both arms at each look of the always-valid test."""


def _passes(population: Population, random: Random, runs: int) -> Mapping[str, Array]:
    """Return whether the fixed test passes, with a relative and with an absolute margin, and where less is better."""
    margins = {
        "relative": (NonInferiorityMargin(relative=MARGIN), -1),
        "absolute": (NonInferiorityMargin(absolute=MARGIN * population.mean), -1),
        "less-is-better": (NonInferiorityMargin(relative=MARGIN), 1),
    }
    found = {name: np.zeros(runs) for name in margins}
    for run in range(runs):
        for name, (margin, sign) in margins.items():
            arms = two_arms(population, random, UNITS, effect=sign * MARGIN)
            pair = estimate_pair(*arms, population.adjusted)
            found[name][run] = non_inferiority(pair, margin, ALPHA, higher_is_better=sign < 0).passed
    return found


def _ever_passes(population: Population, random: Random, runs: int) -> Mapping[str, Array]:
    """Return whether the always-valid test passes at any look."""
    margin = NonInferiorityMargin(relative=MARGIN)

    def passes(pair: PairEstimate) -> bool:
        return non_inferiority(
            pair, margin, ALPHA, higher_is_better=True, always_valid=True, planned_units=5_000
        ).passed

    found = np.zeros(runs)
    for run in range(runs):
        arms = growing_arms(population, random, LOOKS, effect=-MARGIN)
        # The standard error of the shifted difference is a little smaller: 1.5 is within it all the same.
        found[run] = ever(
            arms, population.adjusted, passes, beyond=1.5, shift=lambda c: -MARGIN * c, fewest=100
        )
    return {"always-valid": found}


_PARTS = {
    "relative": Part("relative margin of 2 %", around(ALPHA)),
    "absolute": Part("absolute margin", around(ALPHA)),
    "less-is-better": Part("relative margin of 2 %, less is better", around(ALPHA)),
}

CASES = (
    *(
        Case(
            7,
            f"non-inferiority/{population.name}",
            f"{population.name}, 4,000 units in each arm, CUPED",
            partial(_passes, population),
            _PARTS,
            fast=1_000 if population is REVENUE else 0,
        )
        for population in POPULATIONS
    ),
    Case(
        7,
        "non-inferiority/always-valid",
        "heavy-tailed revenue, CUPED, relative margin of 2 %, ever passes",
        partial(_ever_passes, REVENUE),
        {"always-valid": Part("", at_most(ALPHA))},
        fast=200,
        full=2_000,
        looks=len(LOOKS),
    ),
)
