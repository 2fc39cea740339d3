"""Who gains and who loses: a revision against what is in force today, over the same requests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from server.whatif.run import Run
from server.whatif.tally import OfMember

EVERYBODY, SEGMENT, TIER = "everybody", "segment", "tier"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A group of members. Money is expected, in the catalogue's currency.

    Attributes:
        kind: ``everybody``, ``segment`` or ``tier``.
        name: The segment or tier; empty for everybody.
        members: How many of it asked.
        reached_today: How many of them get something today.
        reached_new: How many would with the revision.
        value_today: Of all their decisions.
        value_new: The same with the revision.
        losing: Members who get something today and would get nothing.
        gaining: Members who get nothing today and would get something.
    """

    kind: str
    name: str
    members: int
    reached_today: int
    reached_new: int
    value_today: float
    value_new: float
    losing: int
    gaining: int


@dataclass(frozen=True, slots=True)
class CandidateChange:
    """An offer or action whose reach changes.

    Attributes:
        candidate_id: The offer or action.
        members_today: Who get it today.
        members_new: Who would.
        decisions_today: Answers with it today.
        decisions_new: The same with the revision.
    """

    candidate_id: str
    members_today: int
    members_new: int
    decisions_today: int
    decisions_new: int


def group_changes(today: Run, new: Run) -> tuple[GroupChange, ...]:
    """Return the change for everybody, for each segment of the new catalogue and each tier.

    Segments and tiers are those of a member's first request, as the new catalogue sees her.
    """
    groups = [(EVERYBODY, "", list(new.tally.members))]
    segment_ids = [one.segment_id for one in new.snapshot.catalogue.segments]
    groups += [(SEGMENT, name, _of(new, lambda one: one.segments, name)) for name in segment_ids]
    tiers = sorted({one.tier for one in new.tally.members.values() if one.tier})
    groups += [(TIER, name, _of(new, lambda one: (one.tier,), name)) for name in tiers]
    return tuple(_change(kind, name, ids, today, new) for kind, name, ids in groups)


def candidate_changes(today: Run, new: Run) -> tuple[CandidateChange, ...]:
    """Return the offers and actions whose reach changes, those that lose most members first."""
    found = []
    for candidate_id in {**today.tally.given, **new.tally.given}:
        (members_today, decisions_today), (members_new, decisions_new) = (
            _count(today, candidate_id),
            _count(new, candidate_id),
        )
        found.append(
            CandidateChange(candidate_id, members_today, members_new, decisions_today, decisions_new)
        )
    changed = [
        one
        for one in found
        if (one.members_today, one.decisions_today) != (one.members_new, one.decisions_new)
    ]
    return tuple(
        sorted(
            changed,
            key=lambda one: (
                one.members_new - one.members_today,
                one.decisions_new - one.decisions_today,
                one.candidate_id,
            ),
        )
    )


def _of(new: Run, names: Callable[[OfMember], Sequence[str]], name: str) -> list[str]:
    return [member_id for member_id, one in new.tally.members.items() if name in names(one)]


def _change(kind: str, name: str, ids: Sequence[str], today: Run, new: Run) -> GroupChange:
    before, after = _reached(today.tally.members, ids), _reached(new.tally.members, ids)
    return GroupChange(
        kind=kind,
        name=name,
        members=len(ids),
        reached_today=len(before),
        reached_new=len(after),
        value_today=sum(today.tally.members[one].value for one in ids),
        value_new=sum(new.tally.members[one].value for one in ids),
        losing=len(before - after),
        gaining=len(after - before),
    )


def _reached(members: Mapping[str, OfMember], ids: Iterable[str]) -> set[str]:
    return {one for one in ids if members[one].answers}


def _count(done: Run, candidate_id: str) -> tuple[int, int]:
    given = done.tally.given.get(candidate_id)
    return (0, 0) if given is None else (len(given.member_ids), given.decisions)
