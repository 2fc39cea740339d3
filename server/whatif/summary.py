"""What a run comes to: reach, budgets, contacts, answers, money."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from server.catalogue import NO_ACTION, Catalogue
from server.decide.gates import Gate
from server.whatif.run import BudgetDay, Run

OUTRANKED = "OUTRANKED"
"""Stands where no gate kept a candidate: it could be chosen, and others were better."""


@dataclass(frozen=True, slots=True)
class Reach:
    """An offer or action that was given. Money is expected, in the catalogue's currency.

    Attributes:
        candidate_id: The offer or action.
        title: For people.
        members: How many got it.
        member_share: Of those who asked.
        decisions: Answers that had it.
        first_day: The first day that it was given.
        last_day: The last one.
        value: See ``Worth.value``.
        cost: See ``Worth.cost``.
    """

    candidate_id: str
    title: str
    members: int
    member_share: float
    decisions: int
    first_day: date
    last_day: date
    value: float
    cost: float


@dataclass(frozen=True, slots=True)
class Unreached:
    """An offer or action that was never given.

    Attributes:
        candidate_id: The offer or action.
        title: For people.
        gate: What kept it most often, placements and channels that it does not name left aside; ``OUTRANKED`` if it could be
            chosen most often, empty if no decision came near it.
        decisions: How often that was.
    """

    candidate_id: str
    title: str
    gate: str
    decisions: int


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """An account, day by day. Money in the catalogue's currency.

    Attributes:
        account_id: See ``server.budgets.Draw``.
        units: The limit of a period in units; ``None`` without one.
        money: The limit in money.
        ran_out: The first day on which nothing more could be given in the period; ``None`` if it lasted.
        days: Days with requests.
    """

    account_id: str
    units: int | None
    money: float | None
    ran_out: date | None
    days: tuple[BudgetDay, ...]


@dataclass(frozen=True, slots=True)
class Contacts:
    """Contacts on one channel, over everybody who asked.

    Attributes:
        channel_id: The channel.
        contacts: In all.
        mean: For each member; likewise the others.
        p50: Half of the members have at most so many.
        p95: 95 of 100 have at most so many.
        most: The most of one member.
    """

    channel_id: str
    contacts: int
    mean: float
    p50: float
    p95: float
    most: int


@dataclass(frozen=True, slots=True)
class PlacementAnswers:
    """Answers at one placement.

    Attributes:
        placement_id: The placement.
        decisions: How many.
        fallback: Those with a fallback offer in them.
        no_action: Those that chose *no action*.
        empty: Those without anything.
        unanswered: Requests that the catalogue refuses, because placement or channel are gone; no decisions.
    """

    placement_id: str
    decisions: int
    fallback: int
    no_action: int
    empty: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run comes to. Money is expected, in the catalogue's currency.

    Attributes:
        revision: Of the catalogue.
        currency: Of all money; empty if the catalogue has none.
        decisions: How many were made.
        members: How many asked.
        value: See ``Worth.value``; of the decisions that could be valued.
        valued_decisions: How many these are.
        cost: See ``Worth.cost``; of all decisions.
        responses: Assumed responses.
        late_redemptions: Redemptions that came after their reservation was released.
        reached: What was given, the most reaching first.
        unreached: What was never given, in the order of the catalogue.
        budgets: Accounts, in the order of the catalogue.
        contacts: By channel.
        policy_members: How many members were contacted as often as each contact policy allows.
        placements: By placement.
        removed: How many candidates each gate removed, over all decisions.
    """

    revision: str
    currency: str
    decisions: int
    members: int
    value: float
    valued_decisions: int
    cost: float
    responses: int
    late_redemptions: int
    reached: tuple[Reach, ...]
    unreached: tuple[Unreached, ...]
    budgets: tuple[BudgetUse, ...]
    contacts: tuple[Contacts, ...]
    policy_members: Mapping[str, int]
    placements: tuple[PlacementAnswers, ...]
    removed: Mapping[str, int]

    @property
    def value_per_decision(self) -> float | None:
        """The expected value of a decision that could be valued; ``None`` without any."""
        return self.value / self.valued_decisions if self.valued_decisions else None


def summarise(done: Run) -> Summary:
    """Return what a run comes to."""
    tally, catalogue = done.tally, done.snapshot.catalogue
    return Summary(
        revision=catalogue.revision,
        currency=catalogue.currency_code,
        decisions=tally.decisions,
        members=len(tally.members),
        value=tally.value,
        valued_decisions=tally.valued,
        cost=tally.cost,
        responses=done.responses,
        late_redemptions=done.late_redemptions,
        reached=_reached(done),
        unreached=_unreached(done),
        budgets=tuple(
            BudgetUse(
                account_id,
                one.account.units,
                None if one.account.micros is None else one.account.micros / 1_000_000,
                one.ran_out,
                tuple(one.days),
            )
            for account_id, one in done.burn_down.followed.items()
        ),
        contacts=_contacts(done),
        policy_members={name: len(members) for name, members in tally.policy_members.items()},
        placements=tuple(
            PlacementAnswers(name, at.decisions, at.fallback, at.no_action, at.empty, at.unanswered)
            for name, at in sorted(tally.placements.items())
        ),
        removed=tally.removed(),
    )


def _titles(catalogue: Catalogue) -> Mapping[str, str]:
    return {
        candidate_id: one.title
        for candidate_id, one in catalogue.candidates_by_id.items()
        if candidate_id != NO_ACTION
    }


def _reached(done: Run) -> tuple[Reach, ...]:
    titles, members = _titles(done.snapshot.catalogue), len(done.tally.members)
    found = [
        Reach(
            candidate_id,
            titles.get(candidate_id, ""),
            len(one.member_ids),
            len(one.member_ids) / members,
            one.decisions,
            one.first_day,
            one.last_day,
            one.value,
            one.cost,
        )
        for candidate_id, one in done.tally.given.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.members, -one.decisions, one.candidate_id)))


def _unreached(done: Run) -> tuple[Unreached, ...]:
    gates = done.tally.gates()
    found = []
    for candidate_id, title in _titles(done.snapshot.catalogue).items():
        if candidate_id in done.tally.given:
            continue
        met = gates.get(candidate_id)
        if not met:
            found.append(Unreached(candidate_id, title, "", 0))
            continue
        near: dict[Gate, int] = {
            gate: count for gate, count in met.items() if gate is not Gate.NOT_HERE
        } or met
        gate = max(near, key=lambda one: (near[one], -one))
        found.append(
            Unreached(candidate_id, title, OUTRANKED if gate is Gate.OPEN else gate.name, near[gate])
        )
    return tuple(found)


def _contacts(done: Run) -> tuple[Contacts, ...]:
    members = done.tally.members.values()
    channel_ids = [one.channel_id for one in done.snapshot.catalogue.channels]
    found = []
    for channel_id in channel_ids:
        counts = np.array([member.contacts[channel_id] for member in members], dtype=np.int64)
        p50, p95 = np.quantile(counts, [0.5, 0.95], method="inverted_cdf")
        found.append(
            Contacts(
                channel_id, int(counts.sum()), float(counts.mean()), float(p50), float(p95), int(counts.max())
            )
        )
    return tuple(found)
