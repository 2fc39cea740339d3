"""What a decision must be, one candidate at a time in plain Python: written from the docstrings, not from the code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from server.catalogue import Candidate, Cap, CoolDown, Group, Offer
from tests.server.decide.cases import Case, Event
from tests.server.decide.rules import RULES, SEGMENTS

QUESTIONS = (("eligible", "NOT_ELIGIBLE", "ELIGIBILITY_ERROR"), ("applicable", "NOT_APPLICABLE", "APPLICABILITY_ERROR"),
             ("suitable", "NOT_SUITABLE", "SUITABILITY_ERROR"))  # fmt: skip
NOTHING = "no_action"
BUILT_IN = {
    "tier", "points_balance", "days_to_points_expiry", "purchase_count", "days_since_purchase", "redemption_count",
    "local_hour", "local_weekday", "placement", "basket", "segments", "channel",
}  # fmt: skip
"""What the programme and the moment say; a request has no say in it."""


@dataclass(frozen=True)
class Row:
    """A candidate on a channel; ``candidate`` is none for *no action*."""

    candidate: Candidate | None
    channel_id: str

    @property
    def candidate_id(self) -> str:
        """Its id."""
        return NOTHING if self.candidate is None else self.candidate.candidate_id


def groups_of(case: Case, candidate: Candidate) -> list[Group]:
    """Return its group, the group of that, and so on."""
    by_id = {group.group_id: group for group in case.catalogue.groups}
    found, group_id = [], candidate.group_id
    while group_id:
        found.append(by_id[group_id])
        group_id = by_id[group_id].parent_id
    return found


def outside(case: Case, candidate: Candidate) -> str:
    """Return the gate that keeps a candidate away from this placement today altogether, or nothing."""
    here = not candidate.placements or case.placement.placement_id in candidate.placements
    ways = [case.channel_id] if isinstance(candidate, Offer) else [*case.placement.channels] or [""]
    if not here or not any(_travels(candidate, way) for way in ways):
        return "NOT_HERE"
    today = case.time.astimezone(ZoneInfo(case.catalogue.time_zone)).date()
    return "" if candidate.valid_from <= today <= candidate.valid_until else "NOT_VALID"


def rows(case: Case) -> list[Row]:
    """Return everything that is weighed here, in the order that breaks ties."""
    if case.placement.decides == "offers":
        return [Row(offer, case.channel_id) for offer in case.catalogue.offers if not outside(case, offer)]
    ways = case.placement.channels or ("",)
    return [
        Row(None, ""),
        *(
            Row(action, way)
            for action in case.catalogue.actions
            if not outside(case, action)
            for way in ways
            if _travels(action, way)
        ),
    ]


def gates(case: Case, row: Row) -> set[str]:
    """Return the reason for which it cannot be chosen; several where the order among them is not said; nothing if it can."""
    if row.candidate is None:
        return set()
    return next((found for found in _gates(case, row.candidate, row.channel_id) if found), set())


def _gates(case: Case, candidate: Candidate, channel_id: str) -> Iterator[set[str]]:
    facts = facts_of(case, channel_id)
    holders: list[Candidate | Group] = [candidate, *groups_of(case, candidate)]
    for question, no, error in QUESTIONS:
        said = {RULES[rule](facts) for holder in holders if (rule := getattr(holder, question))}
        yield {no if one is False else error for one in said if one is not True}
    yield _if("NO_CONSENT", not _consented(case, holders, channel_id))
    yield _if("CONTACT_POLICY", bool(channel_id) and _contacted_enough(case, channel_id))
    yield _if("QUIET_HOURS", bool(channel_id) and _quiet(case, channel_id))
    yield _if(
        "COOL_DOWN", any(_rests(case, cool, candidate, channel_id) for cool in case.catalogue.cool_downs)
    )
    yield _if("CAP_REACHED", _capped(case, candidate))
    yield _if("BUDGET_SPENT", candidate.candidate_id in case.closed)


def facts_of(case: Case, channel_id: str) -> dict[str, Any]:
    """Return what rules may ask about a candidate on a channel; what the programme says outweighs the request."""
    profile = case.profile
    local = case.time.astimezone(ZoneInfo(profile.time_zone or case.catalogue.time_zone))
    bought = [event.time for event in case.events if event.kind == "purchase"]
    said = {**profile.attributes, **case.attributes}
    facts: dict[str, Any] = {name: value for name, value in said.items() if name not in BUILT_IN}
    facts["purchase_count"] = len(bought)
    facts["redemption_count"] = sum(event.kind == "redemption" for event in case.events)
    facts["local_hour"], facts["local_weekday"] = local.hour, local.weekday() + 1
    facts["placement"], facts["basket"] = case.placement.placement_id, case.basket
    if profile.tier:
        facts["tier"] = profile.tier
    if profile.points_balance is not None:
        facts["points_balance"] = profile.points_balance
    if profile.points_expire_time is not None:
        facts["days_to_points_expiry"] = (profile.points_expire_time - case.time).days
    if bought:
        facts["days_since_purchase"] = (case.time - max(bought)).days
    if channel_id:
        facts["channel"] = channel_id
    facts["segments"] = [name for name, rule in SEGMENTS.items() if RULES[rule](facts) is True]
    return facts


def scored(case: Case, left: Sequence[Row]) -> list[float]:
    """Return the score of each row that gates leave: the arbitration's, or the model's."""
    model = model_scores(case, left)
    formula = next(
        (one for one in case.catalogue.arbitrations if one.arbitration_id == case.placement.arbitration), None
    )
    if formula is None and case.placement.decides == "offers":
        return [0.0 if model is None else model[row.candidate_id] for row in left]
    parts = ("probability", "value", "context", "lever", "cost") if formula is None else formula.factors
    weighs = case.arm != "no_levers"
    scores = []
    chances = probabilities(case, left, model, 0.01 if formula is None else formula.default_probability)
    for row, chance in zip(left, chances, strict=True):
        if row.candidate is None:
            scores.append(0.0)
            continue
        value = (
            0.0 if formula is None or formula.default_value is None else float(formula.default_value.amount)
        )
        if row.candidate.value is not None:
            value = float(row.candidate.value.amount) - response_cost(row.candidate)
        lever = row.candidate.lever
        for group in groups_of(case, row.candidate):
            lever *= group.lever
        context = 1.0 if formula is None else context_weight(case, row.candidate, row.channel_id)
        factors = {
            "probability": chance,
            "value": value,
            "context": context if weighs else 1.0,
            "lever": lever if weighs else 1.0,
        }
        product = 1.0
        for name in ("value", "lever", "context", "probability"):
            product *= factors[name] if name in parts else 1.0
        cost = row.candidate.cost if "cost" in parts else None
        scores.append(product - (0.0 if cost is None else float(cost.amount)))
    return scores


def model_scores(case: Case, left: Sequence[Row]) -> dict[str, float] | None:
    """Return the model's score of each offer; none without a model, and in the arm without one."""
    if not case.popular or case.placement.decides == "actions" or case.arm == "no_model":
        return None
    popular = case.placement.ranking == "popular" or case.arm == "no_personalisation" or case.trips is None
    own = case.popular if popular else {one: float((case.trips or {}).get(one, 0)) for one in case.popular}
    return {row.candidate_id: own.get(row.candidate_id, 0.0) for row in left}


def probabilities(
    case: Case, left: Sequence[Row], model: Mapping[str, float] | None, default: float
) -> list[float]:
    """Return how likely a response to each row is: prior and evidence, lifted by a model that does not say it itself."""
    rates = []
    for row in left:
        prior, weight = default, 100.0
        if row.candidate is not None:
            weight = row.candidate.prior_evidence
            if row.candidate.prior_probability is not None:
                prior = row.candidate.prior_probability
        given, answered = case.evidence.get(row.candidate_id, (0, 0))
        rates.append((weight * prior + answered) / (weight + given))
    if model is None:
        return rates
    learned = [model[row.candidate_id] for row in left if row.candidate_id in case.popular]
    if not learned:
        return rates
    mean = sum(learned) / len(learned)
    return [
        min(model[row.candidate_id] / mean * rate if mean > 0 else rate, 1.0)
        if row.candidate_id in case.popular
        else rate
        for row, rate in zip(left, rates, strict=True)
    ]


def response_cost(candidate: Candidate) -> float:
    """Return what a response costs."""
    named = candidate.response_cost or (candidate.discount if isinstance(candidate, Offer) else None)
    return sum(float(one.amount) for one in (named, candidate.points_liability) if one is not None)


def context_weight(case: Case, candidate: Candidate, channel_id: str) -> float:
    """Return the product of the context weights that apply."""
    formula = next(
        one for one in case.catalogue.arbitrations if one.arbitration_id == case.placement.arbitration
    )
    facts, product = facts_of(case, channel_id), 1.0
    names = {group.group_id for group in groups_of(case, candidate)}
    for weight in formula.context_weights:
        if RULES[weight.rule](facts) is True and (not weight.group_ids or names & set(weight.group_ids)):
            product *= weight.weight
    return product


def best_slate(case: Case) -> list[Row]:
    """Return the answer where nothing is left to chance: the best first, at most so many of a category, then the fallback."""
    fallback_ids = case.placement.fallback_offer_ids
    everything = rows(case)
    able = [row for row in everything if not gates(case, row)]
    left = [row for row in able if row.candidate_id not in fallback_ids]
    scores = scored(case, left)
    formula = next(
        (one for one in case.catalogue.arbitrations if one.arbitration_id == case.placement.arbitration), None
    )
    least = None if formula is None else formula.least_score
    popular = {} if case.arm == "no_model" else case.popular
    order = sorted(
        (
            place
            for place in range(len(left))
            if least is None or left[place].candidate is None or scores[place] >= least
        ),
        key=lambda place: (-scores[place], -popular.get(left[place].candidate_id, 0.0), place),
    )
    count = 1 if case.placement.decides == "actions" else case.count
    by_id = {row.candidate_id: row for row in able}
    fallback = [by_id[one] for one in fallback_ids if one in by_id]
    slate: list[Row] = []
    for row in [*(left[place] for place in order), *fallback]:
        if len(slate) < count and has_room(case, slate, row):
            slate.append(row)
    return slate


def has_room(case: Case, slate: Sequence[Row], row: Row) -> bool:
    """Tell whether one more of its category, and of its groups with what they were given before, may follow these."""
    most = case.placement.most_per_category
    if most is not None and sum(category(one) == category(row) for one in slate) >= most:
        return False
    return row.candidate is None or all(
        _events_of(case, cap, members_of(case, group))
        + sum(one.candidate_id in members_of(case, group) for one in slate)
        < cap.most
        for group in groups_of(case, row.candidate)
        for cap in group.caps
        if cap.count == "decision"
    )


def members_of(case: Case, group: Group) -> set[str]:
    """Return the candidates of a group and of the groups in it."""
    everything = case.catalogue.candidates_by_id.values()
    return {
        one.candidate_id
        for one in everything
        if group.group_id in [holder.group_id for holder in groups_of(case, one)]
    }


def category(row: Row) -> str:
    """Return what diversity counts by."""
    one = row.candidate
    return NOTHING if one is None else one.category or one.group_id or one.candidate_id


def _travels(candidate: Candidate, channel_id: str) -> bool:
    return not channel_id or not candidate.channels or channel_id in candidate.channels


def _if(gate: str, closed: bool) -> set[str]:
    return {gate} if closed else set()


def _consented(case: Case, holders: Sequence[Candidate | Group], channel_id: str) -> bool:
    purposes = {purpose for holder in holders for purpose in holder.purposes}
    purposes |= {
        one
        for channel in case.catalogue.channels
        if channel.channel_id == channel_id
        for one in channel.purposes
    }
    consents = case.profile.consents
    return all(consents.get((channel_id, one), consents.get(("", one), False)) for one in purposes)


def _contacted_enough(case: Case, channel_id: str) -> bool:
    outbound = {channel.channel_id for channel in case.catalogue.channels if channel.outbound}
    return any(
        channel_id in (counted := set(policy.channels) or outbound)
        and sum(
            event.kind == "decision" and bool(event.candidate_id) and event.channel_id in counted
            for event in _within(case, policy.days)
        )
        >= policy.most
        for policy in case.catalogue.contact_policies
    )


def _quiet(case: Case, channel_id: str) -> bool:
    outbound = {channel.channel_id for channel in case.catalogue.channels if channel.outbound}
    local = case.time.astimezone(ZoneInfo(case.profile.time_zone or case.catalogue.time_zone))
    minute = local.hour * 60 + local.minute
    for quiet in case.catalogue.quiet_hours:
        start, end = (int(one[:2]) * 60 + int(one[3:]) for one in (quiet.start, quiet.end))
        # Minutes since the quiet began, going round midnight.
        if channel_id in (set(quiet.channels) or outbound) and (minute - start) % 1440 < (end - start) % 1440:
            return True
    return False


def _rests(case: Case, cool: CoolDown, candidate: Candidate, channel_id: str) -> bool:
    group_of = {one.candidate_id: one.group_id for one in case.catalogue.candidates_by_id.values()}
    mine = {group.group_id for group in groups_of(case, candidate)}
    for event in _within(case, cool.days):
        if event.kind not in cool.outcome_types:
            continue
        itself = event.candidate_id == candidate.candidate_id
        if (
            cool.scope == "everything"
            or (cool.scope == "channel" and channel_id and event.channel_id in ("", channel_id))
            or (cool.scope == "candidate" and itself)
            or (cool.scope == "group" and (itself or group_of.get(event.candidate_id, "") in mine))
        ):
            return True
    return False


def _capped(case: Case, candidate: Candidate) -> bool:
    lineage = groups_of(case, candidate)
    own = list(candidate.caps)
    every = [*own, *(cap for group in lineage for cap in group.caps)]
    redeemed_once = Cap(most=1, count="redemption")
    if (
        isinstance(candidate, Offer)
        and candidate.kind == "coupon"
        and all(cap.count != "redemption" for cap in every)
    ):
        own.append(redeemed_once)
    if any(_events_of(case, cap, {candidate.candidate_id}) >= cap.most for cap in own):
        return True
    for group in lineage:
        if any(_events_of(case, cap, members_of(case, group)) >= cap.most for cap in group.caps):
            return True
    return False


def _events_of(case: Case, cap: Cap, candidate_ids: set[str]) -> int:
    events = case.events if cap.days is None else _within(case, cap.days)
    return sum(event.kind == cap.count and event.candidate_id in candidate_ids for event in events)


def _within(case: Case, days: float) -> list[Event]:
    since: datetime = case.time - timedelta(days=days)
    return [event for event in case.events if event.time > since]
