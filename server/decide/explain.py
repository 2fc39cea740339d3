"""Why a decision was made: for each candidate the gate that removed it, in plain words, or the factors of its score."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from experiments.rules import describe
from server.catalogue import Candidate, Cap, Limited
from server.catalogue.rules import SEGMENTS
from server.decide.choice import Considered
from server.decide.context import DecisionContext
from server.decide.gates import Gate
from server.decide.rules import CHANNEL
from server.decide.snapshot import Snapshot
from server.decide.table import CandidateTable

_RULE_GATES = {
    Gate.NOT_ELIGIBLE: "not eligible",
    Gate.ELIGIBILITY_ERROR: "eligibility is not known",
    Gate.NOT_APPLICABLE: "not applicable now",
    Gate.APPLICABILITY_ERROR: "whether it is applicable is not known",
    Gate.NOT_SUITABLE: "not suitable",
    Gate.SUITABILITY_ERROR: "whether it is suitable is not known",
}
_ERRORS = {Gate.ELIGIBILITY_ERROR, Gate.APPLICABILITY_ERROR, Gate.SUITABILITY_ERROR}
_SENTENCES = {
    Gate.NOT_HERE: "its placements or channels do not include this one",
    Gate.NOT_VALID: "the day lies outside its days of validity",
    Gate.FALLBACK_ONLY: "it is a fallback here, and enough else was left",
    Gate.QUIET_HOURS: "it is quiet hours where the member is",
    Gate.COOL_DOWN: "the member said no lately",
    Gate.BUDGET_SPENT: "a budget or the inventory had not enough left at that time",
    Gate.NOT_OF_TASK: "the placement's task is not about it for this member",
    Gate.NEW_TO_FEW: "it is new, and this member is not among those it is tried on this month",
    Gate.BELOW_LEAST_SCORE: "its score is below the least that the arbitration takes",
    Gate.HELD_OUT: "the member is in the standing arm that gets nothing",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """What a decision made of one candidate.

    Attributes:
        candidate_id: The offer or action.
        channel_id: How it would travel; empty where none matters.
        rank: Its rank in the answer, from 1; 0 if it was not chosen.
        gate: What removed it; ``OPEN`` if nothing did.
        explanation: Why, in plain words; empty if nothing did.
        score: Its score; 0 if it was removed before.
        factors: What the score is made of; ``None`` without an arbitration, and if it was removed before.
    """

    candidate_id: str
    channel_id: str
    rank: int
    gate: Gate
    explanation: str
    score: float
    factors: Mapping[str, float] | None


def explain(snapshot: Snapshot, context: DecisionContext, considered: Considered) -> list[Explained]:
    """Explain every candidate of the catalogue that the placement could decide about.

    Args:
        snapshot: What it was made with.
        context: The decision.
        considered: How the decision came about.

    Returns:
        Those chosen by rank, then the others that could be by falling score, then those removed in the order of the gates.
    """
    table = considered.table
    ranks = {place: rank for rank, place in enumerate(considered.slate.places, start=1)}
    explained = [
        Explained(
            candidate_id=table.candidates[place].candidate_id,
            channel_id=table.channel_ids[place],
            rank=ranks.get(place, 0),
            gate=Gate.OPEN if place in ranks else Gate(code),
            explanation=""
            if place in ranks or not code
            else _sentence(snapshot, context, table, place, code),
            score=considered.score(place),
            factors=considered.factors(place),
        )
        for place, code in enumerate(considered.codes.tolist())
    ]
    explained += [
        Explained(candidate_id, "", 0, gate, _SENTENCES[gate], 0.0, None)
        for candidate_id, gate in table.outside.items()
    ]
    return sorted(explained, key=lambda one: (one.gate, one.rank or len(explained) + 1, -one.score))


def _sentence(
    snapshot: Snapshot, context: DecisionContext, table: CandidateTable, place: int, code: int
) -> str:
    gate, candidate = Gate(code), table.candidates[place]
    if gate in _RULE_GATES:
        return f"{_RULE_GATES[gate]}: {_rule_words(snapshot, context, table, place, gate)}"
    way = table.ways[int(table.way_of_kind[int(table.kinds[place])])]
    if gate is Gate.NO_CONSENT:
        profile = context.state.profile
        lacking = [one for one in way.purposes if not profile.consented(way.channel_id, one)]
        on = f" on {way.channel_id}" if way.channel_id else ""
        return f"the member did not consent to {', '.join(lacking)}{on}"
    if gate is Gate.CONTACT_POLICY:
        policies = ", ".join(one.policy_id for one in snapshot.catalogue.contact_policies)
        return (
            f"the member was contacted on {way.channel_id} as often as the contact policy allows ({policies})"
        )
    if gate is Gate.CAP_REACHED:
        return f"given as often as its caps allow: {'; '.join(_caps(snapshot, candidate))}"
    return _SENTENCES[gate]


def _rule_words(
    snapshot: Snapshot, context: DecisionContext, table: CandidateTable, place: int, gate: Gate
) -> str:
    """Return in words the first rule of a candidate that closed this gate."""
    book = snapshot.compiled.book
    attributes = context.rule_attributes(snapshot.catalogue.zone)
    channel_id = table.channel_ids[place]
    (codes,), segments = book.codes(context, attributes, [channel_id])
    known = {**attributes, SEGMENTS: segments, CHANNEL: channel_id or None}
    for at in book.chain(table.candidates[place].candidate_id):
        if codes[at] == gate:
            rule = book.tests[at].rule
            missing = sorted(name for name in rule.attributes if known.get(name) is None)
            because = (
                f" (not known of the member: {', '.join(missing)})" if gate in _ERRORS and missing else ""
            )
            return f"needs {describe(rule)}{because}"
    return "its rule says so"


def _caps(snapshot: Snapshot, candidate: Candidate) -> Iterator[str]:
    holders: tuple[Limited, ...] = (candidate, *snapshot.catalogue.lineage(candidate.group_id))
    found = [(holder is not candidate, cap) for holder in holders for cap in holder.caps]
    for is_group, cap in found:
        yield _cap_words(cap) + (" in its group" if is_group else "")
    if not found:
        yield "a coupon is redeemed once"


def _cap_words(cap: Cap) -> str:
    times = "once" if cap.most == 1 else f"{cap.most} times"
    window = "" if cap.days is None else f" in {cap.days:g} days"
    return f"{cap.count} {times}{window}"
