"""Figure 5: how often the check of the sample ratio alarms, looked at daily, for healthy and for leaking experiments."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import check_sample_ratio
from tests.experiments.error_rates.measuring import Case, Part, at_most, between
from tests.experiments.error_rates.scenarios import Array, Random

FALSE_ALARMS = 0.01
DAYS = 28


def _alarms(
    weights: Mapping[str, int], leak: float, traffic: tuple[int, int], random: Random, runs: int
) -> Mapping[str, Array]:
    """Return whether the check ever alarms; the last variant loses a share of its units.

    The always-valid p-value is the smallest of all days, so that the last day tells of every day before.
    """
    daily, days = traffic
    arriving = np.array(list(weights.values())) * np.array([1.0] * (len(weights) - 1) + [1 - leak])
    found = np.zeros(runs)
    for run in range(runs):
        drawn = random.multinomial(daily, arriving / arriving.sum(), size=days).cumsum(axis=0).tolist()
        by_day = [dict(zip(weights, counts, strict=True)) for counts in drawn]
        found[run] = check_sample_ratio(by_day[-1], weights, by_day).alarm
    return {"alarm": found}


def _case(key: str, what: str, weights: Mapping[str, int], daily: int, days: int) -> Case:
    return Case(
        5,
        f"sample-ratio/{key}",
        f"healthy, {what}: ever an alarm",
        partial(_alarms, weights, 0.0, (daily, days)),
        {"alarm": Part("", at_most(FALSE_ALARMS))},
        looks=days,
    )


_EVEN = {"control": 1, "treatment": 1}

CASES = (
    _case("even", "50:50, 20,000 units a day", _EVEN, 20_000, DAYS),
    _case("uneven", "95:5, 1,000 units a day", {"control": 95, "treatment": 5}, 1_000, DAYS),
    _case("three", "50:30:20, 200 units a day", {"control": 50, "a": 30, "b": 20}, 200, 200),
    Case(
        5,
        "sample-ratio/leak",
        "2 % of one variant's units are lost, 50:50, 560,000 units: an alarm",
        partial(_alarms, _EVEN, 0.02, (20_000, DAYS)),
        {"alarm": Part("", between(0.99, 1.0))},
        fast=500,
        looks=DAYS,
    ),
)
