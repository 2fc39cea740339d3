"""Figure 4: how often planned looks find an effect where there is none, as planned, with more and with less traffic."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from experiments.stats import (
    MetricShape,
    PairEstimate,
    SequentialPlan,
    Spending,
    group_sequential_interval,
)
from tests.experiments.error_rates.looking import ever, growing_arms
from tests.experiments.error_rates.measuring import (
    ALPHA,
    Asked,
    Case,
    Part,
    around,
    at_full,
    at_most,
    between,
)
from tests.experiments.error_rates.scenarios import (
    CONVERSION,
    NORMAL,
    ORDER_VALUE,
    REVENUE,
    Array,
    Population,
    Random,
)

LOOKS = 28
DAILY_UNITS = 400
"""Units of both arms between two looks."""
RUNS = 20_000
# The bounds of several looks at 5 % together are farther out.
NOTHING_WITHIN = 1.9

# At 20,000 runs the figure asks for 4.5 to 5.5 %; fewer cannot tell so well.
_AS_PLANNED = at_full(between(0.045, 0.055), around(ALPHA), RUNS)


def _ever(
    population: Population, shape: MetricShape, looks: tuple[Spending, int], random: Random, runs: int
) -> Mapping[str, Array]:
    spending, days = looks
    plan = SequentialPlan.evenly(LOOKS * DAILY_UNITS, LOOKS, spending)
    units = np.arange(1, days + 1, dtype=np.int64) * DAILY_UNITS

    def finds(pair: PairEstimate) -> bool:
        return group_sequential_interval(pair, ALPHA, plan, with_p_value=False).interval.excludes_zero

    found = [
        ever(growing_arms(population, random, units), shape, finds, beyond=NOTHING_WITHIN)
        for _ in range(runs)
    ]
    return {"ever": np.array(found, dtype=np.float64)}


def _case(
    key: str,
    population: Population,
    asked: Asked,
    *,
    fast: int = 0,
    days: int = LOOKS,
    cuped: bool = False,
    spending: Spending = Spending.OBRIEN_FLEMING,
) -> Case:
    traffic = {LOOKS: "traffic as planned", 2 * LOOKS: "twice the traffic", LOOKS // 2: "half the traffic"}
    what = (
        f"{population.name}{', CUPED' if cuped else ''}, {LOOKS} looks planned ({spending}), {traffic[days]}"
    )
    shape = population.adjusted if cuped else population.plain
    return Case(
        4,
        f"group-sequential/{key}",
        f"{what}, ever excludes zero",
        partial(_ever, population, shape, (spending, days)),
        {"ever": Part("", asked)},
        fast=fast,
        full=RUNS,
        looks=days,
    )


CASES = (
    _case("planned/normal", NORMAL, _AS_PLANNED),
    _case("planned/revenue", REVENUE, _AS_PLANNED, fast=500, cuped=True),
    _case("planned/revenue-per-order", ORDER_VALUE, _AS_PLANNED),
    _case("planned/conversion", CONVERSION, _AS_PLANNED, fast=500, spending=Spending.POCOCK),
    _case("twice/normal", NORMAL, at_most(ALPHA), days=2 * LOOKS),
    _case("twice/revenue", REVENUE, at_most(ALPHA), fast=300, days=2 * LOOKS),
    _case("half/revenue", REVENUE, at_most(ALPHA), fast=300, days=LOOKS // 2),
)
