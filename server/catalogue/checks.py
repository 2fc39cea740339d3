"""Whether the parts of a catalogue fit together; every problem is named, with its path."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from experiments.errors import Problem
from experiments.rules import RuleError
from server.catalogue.candidates import NO_ACTION, Action, Candidate
from server.catalogue.limit_checks import limit_problems
from server.catalogue.model import MOMENT_ATTRIBUTES, PROFILE_ATTRIBUTES, Catalogue
from server.catalogue.money_checks import currency_problems, value_problems
from server.catalogue.rules import compiled, place_of, rule_attributes, segment_attributes, segments_asked
from server.catalogue.walk import GATES, candidates, limited_parts

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
