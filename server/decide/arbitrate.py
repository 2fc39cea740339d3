"""Arbitration: probability × value × context weight × lever − cost, for every row that can be chosen.

Where a factor is missing: a *probability* that the model does not give is the candidate's prior, or the arbitration's,
moved towards what the evidence says: ``(evidence0 × prior + responses) / (evidence0 + decisions)``. A model whose scores are
no probabilities says how much likelier than on average a response is: that rate is multiplied by the score over the mean
score of the candidates that can be chosen and that the model knows, where scores below 0 are first moved up so that the
lowest is 0; it stays at most 1. A *value* is the arbitration's ``default_value``. A *lever* or *context weight* is 1, a *cost*
0. Equal scores are ordered by popularity, then as the catalogue lists them.

The action model knows what an action earns more than not doing it: then the *value* is that effect, and the *probability* 1, if the
formula has both. *No action* earns 0.

A value may be below 0, where a response costs more than it earns; then the likelier response is the greater loss.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from experiments.rules import Rule
from server.catalogue import Arbitration, ContextWeight
from server.decide.context import Evidence
from server.decide.rules import CHANNEL
from server.decide.score import Scored
from server.decide.table import CandidateTable, Floats, Places, evidence_by_row

PROBABILITY_UNCALIBRATED = "PROBABILITY_UNCALIBRATED"

Weights = tuple[tuple[ContextWeight, Rule], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """What of the formula the catalogue alone decides, over all rows of a table."""

    values: Floats
    levers: Floats
    costs: Floats
    gains: Floats
    cost_free: bool


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """The rows that can be chosen, weighed.

    Attributes:
        scores: float64[n], what the arbitration makes of each.
        probabilities: float64[n], of a response; 1 where the formula leaves it out.
        contexts: float64[rows of the table], the context weights; ``None`` if none applies.
        places: int64[n], which rows they are.
        degradations: What was missing.
        terms: The other factors, over all rows.
        trials: float64[rows], decisions that a probability rests on, the prior's included.
        effects: float64[n], effects by the action model; NaN where it does not know the row, nothing where it knows none.
    """

    scores: Floats
    probabilities: Floats
    contexts: Floats | None
    places: Places
    degradations: tuple[str, ...]
    terms: _Terms
    trials: Floats
    effects: Floats | None = None

    def deviations(self, left: Places) -> Floats:
        """Return the standard deviations of some scores, from those of Beta posteriors with the trials as their weight.

        Args:
            left: Positions among the rows that can be chosen.
        """
        rows, p = self.places[left], self.probabilities[left]
        gains = (
            self.terms.gains[rows] if self.contexts is None else self.terms.gains[rows] * self.contexts[rows]
        )
        deviations: Floats = np.sqrt(p * (1 - p) / (self.trials[rows] + 1)) * np.abs(gains)
        return deviations

    def factors(self, position: int) -> dict[str, float]:
        """Return the factors of one row by name."""
        row = int(self.places[position])
        effect = float("nan") if self.effects is None else float(self.effects[position])
        return {
            "probability": float(self.probabilities[position]),
            "value": float(self.terms.values[row]) if math.isnan(effect) else effect,
            "context": 1.0 if self.contexts is None else float(self.contexts[row]),
            "lever": float(self.terms.levers[row]),
            "cost": float(self.terms.costs[row]),
        }


def weigh(
    arbitration: Arbitration,
    weights: Weights,
    scored: Scored,
    attributes: Mapping[str, object],
    evidence: Evidence,
    *,
    levers: bool,
    effects: Floats | None = None,
) -> Weighed:
    """Weigh the rows that can be chosen.

    Args:
        arbitration: The formula.
        weights: Its context weights with their rules.
        scored: The rows, with what the model says of them.
        attributes: What rules may ask about.
        evidence: What is known of responses.
        levers: Whether levers and context weights count; the arm ``no_levers`` leaves them out.
        effects: float64[n], what the action model says of the rows; NaN where it does not know one.

    Returns:
        The scores and what they are made of.
    """
    table, places = scored.table, scored.places
    terms = _terms(table, arbitration, levers=levers)
    rates, trials = _rates(table, arbitration, evidence)
    contexts = None
    if levers and weights and "context" in arbitration.factors:
        contexts = _contexts(table, weights, attributes)
    if contexts is None:
        gains = terms.gains[places]
    else:
        gains = terms.values[places] * contexts[places] * terms.levers[places]
    probabilities: Floats = np.ones(len(places))
    degradations: tuple[str, ...] = ()
    if "probability" in arbitration.factors:
        probabilities, degradations = _probabilities(scored, rates[places])
        gains *= probabilities
        if "value" not in arbitration.factors:
            effects = None
    else:
        effects = None
    if effects is not None:
        known = ~np.isnan(effects)
        weight = terms.levers[places] if contexts is None else terms.levers[places] * contexts[places]
        gains = np.where(known, effects * weight, gains)
        probabilities = np.where(known, 1.0, probabilities)
    if not terms.cost_free:
        gains -= terms.costs[places]
    return Weighed(gains, probabilities, contexts, places, degradations, terms, trials, effects)


def _probabilities(scored: Scored, rates: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Return float64[n] probabilities, and what was missing."""
    if not scored.from_model:
        return rates, ()
    scores = scored.scores.astype(np.float64)
    learned = None if scored.table.all_known else scored.table.columns[scored.places] >= 0
    if scored.calibrated:
        found = np.clip(scores, 0.0, 1.0)
        return found if learned is None else np.where(learned, found, rates), ()
    known = scores if learned is None else scores[learned]
    if not len(known):
        return rates, ()
    lowest = float(known.min())
    if lowest < 0:
        scores -= lowest
        known = scores if learned is None else scores[learned]
    mean = float(known.mean())
    if mean > 0:
        scores /= mean
        scores *= rates
        np.minimum(scores, 1.0, out=scores)
    else:
        scores = np.minimum(rates, 1.0)
    lifted = scores if learned is None else np.where(learned, scores, rates)
    return lifted, (PROBABILITY_UNCALIBRATED,)


def _terms(table: CandidateTable, arbitration: Arbitration, *, levers: bool) -> _Terms:
    key = ("terms", arbitration.arbitration_id, levers)
    kept = table.kept.get(key)
    if isinstance(kept, _Terms):
        return kept
    parts, ones = frozenset(arbitration.factors), np.ones(len(table))
    values = _values(table, arbitration) if "value" in parts else ones
    lever = table.levers if levers and "lever" in parts else ones
    costs = table.costs if "cost" in parts else np.zeros(len(table))
    nothing = table.of_nothing(np.arange(len(table)))
    values = np.where(nothing, 0.0, values)
    terms = _Terms(values, lever, costs, values * lever, cost_free=not costs.any())
    table.kept[key] = terms
    return terms


def _rates(table: CandidateTable, arbitration: Arbitration, evidence: Evidence) -> tuple[Floats, Floats]:
    """Return over all rows how likely a response is by prior and evidence, and on how many decisions that rests."""
    key = ("rates", arbitration.default_probability)
    kept = table.kept.get(key)
    if isinstance(kept, tuple) and kept[0] == evidence.state_id:
        return kept[1], kept[2]
    given, answered = evidence_by_row(table, evidence)
    priors = np.where(np.isnan(table.priors), arbitration.default_probability, table.priors)
    trials = table.prior_evidence + given
    rates = (table.prior_evidence * priors + np.minimum(answered, given)) / trials
    table.kept[key] = (evidence.state_id, rates, trials)
    return rates, trials


def _values(table: CandidateTable, arbitration: Arbitration) -> Floats:
    if arbitration.default_value is None:
        return np.nan_to_num(table.values, nan=0.0)
    return np.where(np.isnan(table.values), float(arbitration.default_value.amount), table.values)


def _contexts(table: CandidateTable, weights: Weights, attributes: Mapping[str, object]) -> Floats:
    contexts = np.ones(len(table))
    for channel_id in table.channels:
        asked = {**attributes, CHANNEL: channel_id or None}
        for weight, rule in weights:
            if rule.truth(asked) is True:
                contexts[_weighed_rows(table, weight, channel_id)] *= weight.weight
    return contexts


def _weighed_rows(table: CandidateTable, weight: ContextWeight, channel_id: str) -> Places:
    """Return the rows on a channel that a context weight is about; worked out once for each table."""
    key = ("context", weight.group_ids, channel_id)
    kept = table.kept.get(key)
    if isinstance(kept, np.ndarray):
        return kept
    about = np.ones(len(table), dtype=np.bool_)
    if weight.group_ids:
        about[:] = False
        for group_id in weight.group_ids:
            if group_id in table.group_places:
                about[table.group_places[group_id]] = True
    rows = np.flatnonzero(about & (np.array(table.channel_ids) == channel_id))
    table.kept[key] = rows
    return rows
