"""A catalogue in plain words: for each offer and action who may have it, how often, within which budget, at what worth."""

from collections.abc import Iterator
from datetime import date
from math import prod

from experiments.rules import describe
from server.catalogue.base import Money
from server.catalogue.candidates import Candidate, Group, Limited, Offer
from server.catalogue.limits import DECISION, Budget, Cap
from server.catalogue.model import Catalogue
from server.catalogue.rules import compiled, rule_attributes, segment_attributes

_QUESTIONS = {"eligible": "may have it", "applicable": "makes sense", "suitable": "good for the member"}
_AMOUNTS = {
    "value": "a response earns",
    "cost": "giving it costs",
    "response_cost": "a response costs",
    "discount": "takes off",
    "points_liability": "points are worth",
}


def explain_catalogue(catalogue: Catalogue) -> str:
    """Return the segments, offers and actions of a checked catalogue in plain words, a paragraph each."""
    about_member = segment_attributes(catalogue)
    paragraphs = [
        f"segment {segment.segment_id}{_told(segment.description)}\n"
        f"  members of whom {describe(compiled(segment.rule, about_member))}"
        for segment in catalogue.segments
    ]
    paragraphs += [explain_candidate(catalogue, name) for name in catalogue.candidates_by_id]
    return "\n\n".join(paragraphs)


def explain_candidate(catalogue: Catalogue, candidate_id: str) -> str:
    """Return one offer or action of a checked catalogue in plain words, with what it inherits from its groups.

    Raises:
        KeyError: There is no such offer or action.
    """
    candidate = catalogue.candidates_by_id[candidate_id]
    kind = getattr(candidate, "kind", "").replace("_", " ")
    noun = "offer" if isinstance(candidate, Offer) else "action"
    lines = [
        f"{noun} {candidate_id}{_told(candidate.title)} ({kind})",
        *_reach(candidate),
        *_rules(catalogue, candidate),
        *_limits(catalogue, candidate),
        *_worth(catalogue, candidate),
    ]
    return "\n  ".join(lines)


def _reach(candidate: Candidate) -> Iterator[str]:
    bounded_before, bounded_after = candidate.valid_from != date.min, candidate.valid_until != date.max
    if bounded_before or bounded_after:
        begin = f" from {candidate.valid_from}" if bounded_before else ""
        end = f" until {candidate.valid_until}" if bounded_after else ""
        yield f"valid{begin}{end}"
    if candidate.channels:
        yield f"travels by {', '.join(candidate.channels)}"
    if candidate.placements:
        yield f"shown at {', '.join(candidate.placements)}"


def _rules(catalogue: Catalogue, candidate: Candidate) -> Iterator[str]:
    attributes = rule_attributes(catalogue)
    for gate, question in _QUESTIONS.items():
        for part in _line(catalogue, candidate):
            text = getattr(part, gate)
            if text:
                yield f"{gate} ({question}): if {describe(compiled(text, attributes))}{_origin(part)}"
    for part in _line(catalogue, candidate):
        if part.purposes:
            yield f"needs consent to {', '.join(part.purposes)}{_origin(part)}"


def _limits(catalogue: Catalogue, candidate: Candidate) -> Iterator[str]:
    for part in _line(catalogue, candidate):
        for cap in part.caps:
            yield f"{_cap(cap)} for each member{_counted_over(part)}"
        for budget in part.budgets:
            yield f"{_budget(budget)}{_counted_over(part)}"
    if candidate.inventory is not None:
        yield f"{candidate.inventory:,} in stock"


def _worth(catalogue: Catalogue, candidate: Candidate) -> Iterator[str]:
    for name, words in _AMOUNTS.items():
        money: Money | None = getattr(candidate, name, None)
        if money is not None:
            yield f"{words} {_money(money)}"
    if candidate.prior_probability is not None:
        yield (
            f"a response has a probability of {candidate.prior_probability:g} until there is evidence,"
            f" for {candidate.prior_evidence:g} decisions"
        )
    levers = [(part, part.lever) for part in _line(catalogue, candidate) if part.lever != 1]
    if levers:
        parts = " × ".join(f"{lever:g}{_origin(part)}" for part, lever in levers)
        together = f" = {prod(lever for _, lever in levers):g}" if len(levers) > 1 else ""
        yield f"lever {parts}{together}"


def _line(catalogue: Catalogue, candidate: Candidate) -> list[Limited]:
    """Return the candidate and the groups above it."""
    return [candidate, *catalogue.lineage(candidate.group_id)]


def _origin(part: Limited) -> str:
    return f" [group {part.group_id}]" if isinstance(part, Group) else ""


def _counted_over(part: Limited) -> str:
    return f", all of group {part.group_id} together" if isinstance(part, Group) else ""


def _cap(cap: Cap) -> str:
    event = "decision" if cap.count == DECISION else cap.count.replace("_", " ")
    window = "ever" if cap.days is None else f"in {cap.days:g} day{'' if cap.days == 1 else 's'}"
    return f"at most {cap.most} {event}{'' if cap.most == 1 else 's'} {window}"


def _budget(budget: Budget) -> str:
    amounts = [] if budget.money is None else [_money(budget.money)]
    if budget.units is not None:
        amounts.append(f"{budget.units:,} unit{'' if budget.units == 1 else 's'}")
    period = "in total" if budget.period == "total" else f"a {budget.period}"
    pacing = ", let out evenly" if budget.pacing == "even" else ""
    return f"at most {' and '.join(amounts)} {period}{pacing}, reserved for {budget.hold_days:g} days"


def _money(money: Money) -> str:
    return f"{money.amount} {money.currency_code}"


def _told(text: str) -> str:
    return f": {text}" if text else ""
