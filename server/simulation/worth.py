"""What giving a candidate is expected to bring: the parts of its score that are money."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from server.decide.choice import Considered
from server.decide.table import response_cost

UNKNOWN_PROBABILITY = 0.01
"""Of a response where neither model nor candidate nor arbitration says how likely it is."""


@dataclass(frozen=True, slots=True)
class Worth:
    """One candidate of one answer.

    Attributes:
        probability: Of a response.
        value: Expected, probability × value − cost, in the catalogue's currency, as the arbitration has them; levers and
            context weights set priorities and are no money, so they are left out. None where no arbitration weighed
            probability and value.
        cost: Expected: of giving it, and of a response times its probability.
    """

    probability: float
    value: float | None
    cost: float


def worth_of(considered: Considered, place: int, parts: Sequence[str]) -> Worth:
    """Return what a row of the slate is worth.

    Args:
        considered: How the choice came about.
        place: Row of the table.
        parts: The factors that the arbitration counts; those that it leaves out stand as 1 in its scores.
    """
    table = considered.table
    factors = considered.factors(place)
    weighed = factors is not None and "probability" in parts
    probability = factors["probability"] if factors and weighed else _probability(considered, place)
    cost = float(table.costs[place])
    value = probability * factors["value"] - cost if factors and weighed and "value" in parts else None
    return Worth(probability, value, cost + probability * float(response_cost(table.candidates[place])))


def _probability(considered: Considered, place: int) -> float:
    scored, table = considered.scored, considered.table
    if scored is not None and scored.calibrated and table.columns[place] >= 0 and considered.score(place):
        return min(max(considered.score(place), 0.0), 1.0)
    prior = float(table.priors[place])
    return UNKNOWN_PROBABILITY if np.isnan(prior) else prior
