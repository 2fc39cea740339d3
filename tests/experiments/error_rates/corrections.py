"""Figure 6: how often corrections for many metrics let a false finding through."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import MetricShape, Moments, Quantity, estimate_pair
from experiments.stats.corrections import Adjusted, benjamini_hochberg, holm
from tests.experiments.error_rates.measuring import ALPHA, Case, Part, at_most
from tests.experiments.error_rates.scenarios import Array, Random
from tests.experiments.error_rates.type_one import p_of

METRICS = 20
UNITS = 200
"""In each arm."""
# A true effect of three standard errors: found about every second time after a correction.
EFFECT = 3 * np.sqrt(2 / UNITS)
_SHAPE = MetricShape(Quantity(0))


def _errors(true_effects: int, correlation: float, random: Random, runs: int) -> Mapping[str, Array]:
    """Return whether Holm found anything false, and which share of Benjamini and Hochberg's findings was false."""
    false_found, false_share = np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        shared = random.standard_normal((2, 1, UNITS)) * np.sqrt(correlation)
        arms = shared + random.standard_normal((2, METRICS, UNITS)) * np.sqrt(1 - correlation)
        arms[1, :true_effects] += EFFECT
        values = [
            p_of(estimate_pair(Moments.of(control), Moments.of(treatment), _SHAPE))
            for control, treatment in zip(*arms, strict=True)
        ]
        false_found[run] = any(_found(holm(values, ALPHA))[true_effects:])
        found = _found(benjamini_hochberg(values, ALPHA))
        false_share[run] = sum(found[true_effects:]) / max(1, sum(found))
    return {"holm": false_found, "bh": false_share}


def _found(adjusted: list[Adjusted]) -> list[bool]:
    return [one.p_value is not None and one.p_value < ALPHA for one in adjusted]


_PARTS = {
    "holm": Part("Holm: any false finding", at_most(ALPHA)),
    "bh": Part("Benjamini-Hochberg: mean share of findings that are false", at_most(ALPHA)),
}

CASES = tuple(
    Case(
        6,
        f"corrections/{true_effects}/{correlation:g}",
        f"{METRICS} metrics {how}, {true_effects} with a true effect",
        partial(_errors, true_effects, correlation),
        _PARTS,
        fast=fast,
    )
    for true_effects, correlation, how, fast in (
        (0, 0.0, "independent", 500),
        (6, 0.0, "independent", 500),
        (0, 0.5, "correlated by 0.5", 0),
        (6, 0.5, "correlated by 0.5", 0),
    )
)
