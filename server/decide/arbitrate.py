"""Arbitration: probability × value × context weight × lever − cost, for every row that can be chosen.

Where a factor is missing: a *probability* that the model does not give is the candidate's prior, or the arbitration's,
moved towards what the evidence says: ``(evidence0 × prior + responses) / (evidence0 + decisions)``. A model whose scores are
no probabilities says how much likelier than on average a response is: the score, from the lowest up, over the mean of
all that can be chosen, times that rate; at most 1. A *value* is the arbitration's ``default_value``. A *lever* or *context
weight* is 1, a *cost* 0. *No action* has the value 0 whatever the formula. Equal scores are ordered by popularity, then as the catalogue lists them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.rules import Rule
from server.catalogue import NO_ACTION, Arbitration, ContextWeight
from server.decide.evidence import Evidence
from server.decide.score import Scored
from server.decide.table import Floats, Table

PROBABILITY_UNCALIBRATED = "PROBABILITY_UNCALIBRATED"


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """The rows that can be chosen, weighed.

    Attributes:
        scores: float64[n], what the arbitration makes of each.
        probabilities: float64[n], of a response.
        values: float64[n] or one number; likewise the others.
        contexts: The context weights.
        levers: The levers.
        costs: What giving it costs.
        evidence: float64[n], decisions that the probability rests on, the prior's included.
        degradations: What was missing.
    """

    scores: Floats
    probabilities: Floats
    values: Floats
    contexts: Floats
    levers: Floats
    costs: Floats
    evidence: Floats
    degradations: tuple[str, ...]

    @property
    def gains(self) -> Floats:
        """float64[n], the score that a probability of 1 would give, before the cost."""
        return self.values * self.contexts * self.levers

    def factors(self, place: int) -> dict[str, float]:
        """Return the factors of one row by name."""
        return {
            "probability": float(self.probabilities[place]),
            "value": float(self.values[place]),
            "context": float(self.contexts[place]),
            "lever": float(self.levers[place]),
            "cost": float(self.costs[place]),
        }


def weigh(
    arbitration: Arbitration,
    weights: tuple[tuple[ContextWeight, Rule], ...],
    scored: Scored,
    attributes: Mapping[str, object],
    evidence: Evidence,
    *,
    levers: bool,
    model: bool,
) -> Weighed:
    """Weigh the rows that can be chosen.

    Args:
        arbitration: The formula.
        weights: Its context weights with their rules.
        scored: The rows, with what the model says of them.
        attributes: What rules may ask about.
        evidence: What is known of responses.
        levers: Whether levers and context weights count; the arm ``no_levers`` leaves them out.
        model: Whether the model counts; the arm ``no_model`` leaves it out.
    """
    table, places, parts = scored.table, scored.places, frozenset(arbitration.factors)
    ones = np.ones(len(places))
    probabilities, known, degradations = _probabilities(arbitration, scored, evidence, model=model)
    values = _values(table, arbitration)[places] if "value" in parts else ones
    if NO_ACTION in table.places:
        values = np.where(table.of_nothing(places), 0.0, values)
    costs = table.costs[places] if "cost" in parts else np.zeros(len(places))
    lever = table.levers[places] if levers and "lever" in parts else ones
    context = _contexts(table, weights, attributes)[places] if levers and "context" in parts else ones
    if "probability" not in parts:
        probabilities = ones
    scores = probabilities * (values * context * lever) - costs
    return Weighed(scores, probabilities, values, context, lever, costs, known, degradations)


def _probabilities(
    arbitration: Arbitration, scored: Scored, evidence: Evidence, *, model: bool
) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Return float64[n] probabilities, the decisions each rests on, and what was missing."""
    rates, known = _rates(scored.table, arbitration, evidence)
    rates, known = rates[scored.places], known[scored.places]
    columns = scored.table.columns[scored.places]
    if not model or not scored.from_model:
        return rates, known, ()
    learned = columns >= 0
    scores = scored.scores.astype(np.float64)
    if scored.calibrated:
        return np.where(learned, np.clip(scores, 0.0, 1.0), rates), known, ()
    if not learned.any():
        return rates, known, ()
    scores -= min(0.0, float(scores[learned].min()))
    mean = float(scores[learned].mean())
    lifts = scores / mean if mean > 0 else np.ones(len(scores))
    lifted = np.minimum(rates * lifts, 1.0)
    return np.where(learned, lifted, rates), known, (PROBABILITY_UNCALIBRATED,)


def _rates(table: Table, arbitration: Arbitration, evidence: Evidence) -> tuple[Floats, Floats]:
    key = ("rates", arbitration.default_probability)
    kept = table.kept.get(key)
    if isinstance(kept, tuple) and kept[0] == evidence.state_id:
        return kept[1], kept[2]
    given, answered = evidence.of(table)
    priors = np.where(np.isnan(table.priors), arbitration.default_probability, table.priors)
    known = table.prior_evidence + given
    rates = (table.prior_evidence * priors + np.minimum(answered, given)) / known
    table.kept[key] = (evidence.state_id, rates, known)
    return rates, known


def _values(table: Table, arbitration: Arbitration) -> Floats:
    if arbitration.default_value is None:
        return np.nan_to_num(table.values, nan=0.0)
    return np.where(np.isnan(table.values), float(arbitration.default_value.amount), table.values)


def _contexts(
    table: Table, weights: tuple[tuple[ContextWeight, Rule], ...], attributes: Mapping[str, object]
) -> npt.NDArray[np.float64]:
    contexts = np.ones(len(table))
    for weight, rule in weights:
        if rule.truth(attributes) is not True:
            continue
        if not weight.group_ids:
            contexts *= weight.weight
            continue
        found = [table.group_places[one] for one in weight.group_ids if one in table.group_places]
        if found:
            contexts[np.unique(np.concatenate(found))] *= weight.weight
    return contexts
