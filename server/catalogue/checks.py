"""Whether the parts of a catalogue fit together: references, money, pacing. Every problem is named, with its path."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from experiments.errors import Problem
from experiments.rules import RuleError
from server.catalogue.base import Money
from server.catalogue.candidates import NO_ACTION, Action, Candidate, Limited, Offer
from server.catalogue.limits import Budget
from server.catalogue.model import MOMENT_ATTRIBUTES, PROFILE_ATTRIBUTES, Catalogue
from server.catalogue.policy import Arbitration, Placement
from server.catalogue.rules import compiled, place_of, rule_attributes, segment_attributes, segments_asked

GATES = ("eligible", "applicable", "suitable")
"""The fields that hold the rules of a group or candidate, in the order in which they are asked."""


def limited_parts(catalogue: Catalogue) -> Iterator[tuple[str, Limited]]:
    """Yield the groups, offers and actions with their paths."""
    for index, group in enumerate(catalogue.groups):
        yield f"groups[{index}]", group
    yield from candidates(catalogue)


def candidates(catalogue: Catalogue) -> Iterator[tuple[str, Candidate]]:
    """Yield the offers and actions with their paths."""
    for index, offer in enumerate(catalogue.offers):
        yield f"offers[{index}]", offer
    for index, action in enumerate(catalogue.actions):
        yield f"actions[{index}]", action


_AMOUNTS = ("value", "cost", "response_cost", "points_liability")
_MAX_NAMED = 3


def currency_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield amounts below 0 and in other currencies than the catalogue's."""
    first = ""
    for path, money, counts in _money(catalogue):
        if money.amount < 0:
            yield Problem(f"{path}.amount", f"is {money.amount}; must be at least 0")
        if not counts:
            continue
        if not catalogue.currency_code:
            first = first or path
        elif money.currency_code != catalogue.currency_code:
            yield Problem(
                f"{path}.currency_code",
                f"is {money.currency_code}, but the catalogue counts in {catalogue.currency_code}",
            )
    if first:
        yield Problem(
            "currency_code", f"is missing, but {first} is money that counts; write the currency of all of it"
        )


def value_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield arbitrations that count value where candidates have none.

    One that a placement names is asked about the candidates of that placement. One that no placement names waits for
    experiments, which may use it at any placement.
    """
    used = {placement.arbitration for placement in catalogue.placements}
    for index, arbitration in enumerate(catalogue.arbitrations):
        named = arbitration.arbitration_id in used
        for placement in catalogue.placements:
            if named and placement.arbitration != arbitration.arbitration_id:
                continue
            missing = without_value(catalogue, arbitration, placement)
            if missing:
                yield Problem(
                    f"arbitrations[{index}].default_value",
                    f"is needed, because value counts and {_listed(missing)} at placement {placement.placement_id!r}"
                    f" {'has' if len(missing) == 1 else 'have'} none",
                )


def without_value(catalogue: Catalogue, arbitration: Arbitration, placement: Placement) -> list[str]:
    """Return the ids of the candidates that an arbitration could not weigh at a placement for want of a value.

    Args:
        catalogue: The catalogue.
        arbitration: The formula.
        placement: The placement.
    """
    if "value" not in arbitration.factors or arbitration.default_value is not None:
        return []
    decided: tuple[Candidate, ...] = catalogue.offers if placement.decides == "offers" else catalogue.actions
    return [
        one.candidate_id
        for one in decided
        if one.value is None
        and one.candidate_id != NO_ACTION
        and (not one.placements or placement.placement_id in one.placements)
    ]


def _money(catalogue: Catalogue) -> Iterator[tuple[str, Money, bool]]:
    """Yield all money with its path, and whether it counts: a discount does where it stands for the cost of a response."""
    for index, arbitration in enumerate(catalogue.arbitrations):
        if arbitration.default_value is not None:
            yield f"arbitrations[{index}].default_value", arbitration.default_value, True
    for path, part in limited_parts(catalogue):
        for index, budget in enumerate(part.budgets):
            if budget.money is not None:
                yield f"{path}.budgets[{index}].money", budget.money, True
    discounts_count = bool(catalogue.currency_code) or bool(catalogue.arbitrations)
    for path, candidate in candidates(catalogue):
        for name in _AMOUNTS:
            money = getattr(candidate, name)
            if money is not None:
                yield f"{path}.{name}", money, True
        if isinstance(candidate, Offer) and candidate.discount is not None:
            yield f"{path}.discount", candidate.discount, discounts_count and candidate.response_cost is None


def _listed(names: list[str]) -> str:
    listing = ", ".join(repr(name) for name in names[:_MAX_NAMED])
    more = len(names) - _MAX_NAMED
    return f"{listing} and {more:,} more" if more > 0 else listing


def limit_problems(catalogue: Catalogue) -> Iterator[Problem]:
    """Yield what is wrong with the budgets of groups, offers and actions."""
    for path, part in limited_parts(catalogue):
        for index, budget in enumerate(part.budgets):
            yield from _budget_problems(f"{path}.budgets[{index}]", budget, part)


def paced_days(budget: Budget, part: Limited) -> tuple[date | None, date | None]:
    """Return the first and last day over which a paced total is spread; ``None`` where nobody says.

    Args:
        budget: The budget.
        part: The group or candidate that has it; the validity of a candidate stands in.
    """
    first, last = budget.first_day, budget.last_day
    if isinstance(part, Candidate):
        if first is None and part.valid_from != date.min:
            first = part.valid_from
        if last is None and part.valid_until != date.max:
            last = part.valid_until
    return first, last


def _budget_problems(path: str, budget: Budget, part: Limited) -> Iterator[Problem]:
    if budget.pacing != "even" or budget.period != "total":
        for name in ("first_day", "last_day"):
            if getattr(budget, name) is not None:
                yield Problem(f"{path}.{name}", "counts for a total with even pacing only; leave it out")
        return
    first, last = paced_days(budget, part)
    for name, day, validity in (("first_day", first, "valid_from"), ("last_day", last, "valid_until")):
        if day is None:
            own = f", or {validity} beside the budget" if isinstance(part, Candidate) else ""
            yield Problem(
                f"{path}.{name}", f"even pacing of a total needs its first and last day; give this one{own}"
            )
    if first is not None and last is not None and first > last:
        yield Problem(
            f"{path}.pacing", f"the total would be spread from {first} to {last}, which is before it"
        )


_CEL_WORDS = frozenset(
    {
        "as", "attributes", "bool", "break", "bytes", "const", "continue", "double", "dyn", "else", "false", "for",
        "function", "if", "import", "in", "int", "let", "list", "loop", "map", "namespace", "null", "null_type", "package",
        "return", "string", "true", "type", "uint", "var", "void", "while",
    }
)  # fmt: skip
_FREE_FIELDS = frozenset({"action_id", "kind", "title", "description", "category", "creative", "attributes"})
"""What *no action* may say of itself: words only, since it is always possible and costs nothing."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The ids of one kind that others may name."""

    noun: str
    ids: frozenset[str]

    def problem(self, path: str, wanted: str) -> Problem | None:
        if wanted in self.ids:
            return None
        near = get_close_matches(wanted, self.ids, n=1)
        if near:
            hint = f"did you mean {near[0]!r}?"
        elif self.ids:
            hint = f"there are {', '.join(sorted(self.ids)[:8])}{' and more' if len(self.ids) > 8 else ''}"
        else:
            hint = "the catalogue has none"
        return Problem(path, f"there is no {self.noun} {wanted!r}; {hint}")

    def problems(self, path: str, wanted: Sequence[str]) -> Iterator[Problem]:
        for index, name in enumerate(wanted):
            if problem := self.problem(f"{path}[{index}]", name):
                yield problem


def catalogue_problems(catalogue: Catalogue) -> list[Problem]:
    """Return everything that is wrong with a catalogue as a whole, in the order of its fields; nothing if it can be used."""
    return [
        *_attribute_problems(catalogue),
        *_identity_problems(catalogue),
        *_reference_problems(catalogue),
        *_cycle_problems(catalogue),
        *_rule_problems(catalogue),
        *limit_problems(catalogue),
        *currency_problems(catalogue),
        *value_problems(catalogue),
    ]


def _attribute_problems(catalogue: Catalogue) -> Iterator[Problem]:
    for name in catalogue.attributes:
        path = f"attributes.{name}"
        if name in PROFILE_ATTRIBUTES or name in MOMENT_ATTRIBUTES:
            yield Problem(path, "is built in and need not be declared; choose another name for your own")
        elif name in _CEL_WORDS:
            yield Problem(
                path, "cannot be used in rules, since CEL keeps this word for itself; choose another name"
            )


def _identity_problems(catalogue: Catalogue) -> Iterator[Problem]:
    ids = [
        ("channels", "channel_id", [one.channel_id for one in catalogue.channels]),
        ("placements", "placement_id", [one.placement_id for one in catalogue.placements]),
        ("groups", "group_id", [one.group_id for one in catalogue.groups]),
        ("segments", "segment_id", [one.segment_id for one in catalogue.segments]),
        ("contact_policies", "policy_id", [one.policy_id for one in catalogue.contact_policies]),
        ("arbitrations", "arbitration_id", [one.arbitration_id for one in catalogue.arbitrations]),
    ]
    for listing, field, names in ids:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                yield Problem(f"{listing}[{index}].{field}", f"two {listing} have the same {field}, {name!r}")
            seen.add(name)
    owners: dict[str, str] = {}
    for path, candidate in candidates(catalogue):
        field = "action_id" if isinstance(candidate, Action) else "offer_id"
        name = candidate.candidate_id
        owner = owners.setdefault(name, path)
        if owner != path:
            yield Problem(f"{path}.{field}", f"{field} {name!r} is there twice; {owner} has it too")
        is_nothing = isinstance(candidate, Action) and candidate.kind == NO_ACTION
        if (name == NO_ACTION) != is_nothing:
            yield Problem(
                f"{path}.{field}",
                f"{name!r}: the id {NO_ACTION!r} and the kind {NO_ACTION!r} belong together",
            )
        if is_nothing:
            yield from _nothing_problems(path, candidate)


def _nothing_problems(path: str, candidate: Candidate) -> Iterator[Problem]:
    message = "no action is always possible, costs nothing and earns nothing; leave this out"
    for name, field in type(candidate).model_fields.items():
        if name in _FREE_FIELDS or getattr(candidate, name) == field.get_default(call_default_factory=True):
            continue
        yield Problem(f"{path}.{name}", message)


def _reference_problems(catalogue: Catalogue) -> Iterator[Problem]:
    channels = _Known("channel", frozenset(catalogue.channels_by_id))
    groups = _Known("group", frozenset(catalogue.groups_by_id))
    placements = _Known("placement", frozenset(catalogue.placements_by_id))
    for index, policy in enumerate(catalogue.contact_policies):
        yield from channels.problems(f"contact_policies[{index}].channels", policy.channels)
    for index, quiet in enumerate(catalogue.quiet_hours):
        yield from channels.problems(f"quiet_hours[{index}].channels", quiet.channels)
    for index, group in enumerate(catalogue.groups):
        if group.parent_id and (problem := groups.problem(f"groups[{index}].parent_id", group.parent_id)):
            yield problem
    for index, arbitration in enumerate(catalogue.arbitrations):
        for place, weight in enumerate(arbitration.context_weights):
            path = f"arbitrations[{index}].context_weights[{place}].group_ids"
            yield from groups.problems(path, weight.group_ids)
    for path, candidate in candidates(catalogue):
        if candidate.group_id and (problem := groups.problem(f"{path}.group_id", candidate.group_id)):
            yield problem
        yield from channels.problems(f"{path}.channels", candidate.channels)
        yield from placements.problems(f"{path}.placements", candidate.placements)
    yield from _placement_problems(catalogue, channels)


def _placement_problems(catalogue: Catalogue, channels: _Known) -> Iterator[Problem]:
    arbitrations = _Known("arbitration", frozenset(catalogue.arbitrations_by_id))
    offers = _Known("offer", frozenset(catalogue.offers_by_id))
    for index, placement in enumerate(catalogue.placements):
        path = f"placements[{index}]"
        yield from channels.problems(f"{path}.channels", placement.channels)
        name = placement.arbitration
        if name and (problem := arbitrations.problem(f"{path}.arbitration", name)):
            yield problem
        if placement.exploration.method == "thompson" and placement.decides == "offers" and not name:
            yield Problem(
                f"{path}.exploration.method",
                "thompson needs to know how uncertain a score is, which only an arbitration tells; name one, or choose"
                " epsilon or softmax",
            )
        if placement.decides == "actions" and placement.fallback_offer_ids:
            yield Problem(
                f"{path}.fallback_offer_ids",
                "a placement that decides actions needs none: no action is always possible; leave this out",
            )
            continue
        for place, offer_id in enumerate(placement.fallback_offer_ids):
            where = f"{path}.fallback_offer_ids[{place}]"
            if problem := offers.problem(where, offer_id):
                yield problem
                continue
            allowed = catalogue.offers_by_id[offer_id].placements
            if allowed and placement.placement_id not in allowed:
                yield Problem(
                    where, f"offer {offer_id!r} may not be shown at placement {placement.placement_id!r}"
                )
            if offer_id in placement.fallback_offer_ids[:place]:
                yield Problem(where, f"{offer_id!r} is there twice")


def _cycle_problems(catalogue: Catalogue) -> Iterator[Problem]:
    parents = {group.group_id: group.parent_id for group in catalogue.groups}
    for index, group in enumerate(catalogue.groups):
        seen = [group.group_id]
        above = group.parent_id
        while above in parents and above not in seen:
            seen.append(above)
            above = parents[above]
        # Only the groups on the cycle are named, not those that lead to it.
        if above == group.group_id:
            chain = " → ".join([*seen, above])
            yield Problem(f"groups[{index}].parent_id", f"a group cannot belong to itself: {chain}")


def _rule_problems(catalogue: Catalogue) -> Iterator[Problem]:
    about_member, about_all = segment_attributes(catalogue), rule_attributes(catalogue)
    for index, segment in enumerate(catalogue.segments):
        path = f"segments[{index}].rule"
        try:
            compiled(segment.rule, about_member)
        except RuleError as error:
            yield from _at(path, error.problems)
    segments = _Known("segment", frozenset(segment.segment_id for segment in catalogue.segments))
    # Thousands of offers share few rules; what is wrong with each is found once.
    found: dict[str, list[Problem]] = {}
    for path, text in _rules(catalogue):
        if text not in found:
            try:
                rule = compiled(text, about_all)
            except RuleError as error:
                found[text] = list(error.problems)
            else:
                named = ((name, place_of(text, name)) for name in segments_asked(rule))
                wrong = (segments.problem(place, name) for name, place in named)
                found[text] = [problem for problem in wrong if problem]
        yield from _at(path, found[text])


def _rules(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for index, arbitration in enumerate(catalogue.arbitrations):
        for place, weight in enumerate(arbitration.context_weights):
            yield f"arbitrations[{index}].context_weights[{place}].rule", weight.rule
    for path, part in limited_parts(catalogue):
        for gate in GATES:
            text = getattr(part, gate)
            if text:
                yield f"{path}.{gate}", text


def _at(path: str, problems: Sequence[Problem]) -> Iterator[Problem]:
    for problem in problems:
        yield Problem(f"{path}, {problem.path}", problem.message)


def channel_problems(catalogue: Catalogue, named: Iterable[tuple[str, str]]) -> list[Problem]:
    """Return what is wrong with the channels that a request names; a catalogue without channels takes any.

    Args:
        catalogue: The catalogue in force.
        named: Field paths and the channels in them; empty ones are passed over.

    Returns:
        One problem per unknown channel.
    """
    known = catalogue.channels_by_id
    if not known:
        return []
    return [
        Problem(path, f"the catalogue has no channel {channel_id!r}; it has {', '.join(known)}")
        for path, channel_id in named
        if channel_id and channel_id not in known
    ]
