"""Answers which variants a member is in, under whichever of their ids, and keeps links between ids."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from experiments.assignment.assign import assign, assign_all
from experiments.assignment.plan import Assignment
from server.clock import Clock
from server.decide.snapshot import Snapshot
from server.errors import ExperimentNotFoundError, IdentityLinkedError, ServerBusyError
from server.programme.programmes import Programmes
from server.storage import ExperimentStore, IdentityLink, LinkResult

_MAX_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about, and what is known of them.

    Attributes:
        member_id: The member; may be empty where there is an anonymous id.
        anonymous_id: The visitor before they were known as a member, or empty.
        attributes: What targeting may ask about, by name.
    """

    member_id: str
    anonymous_id: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)


class Assigner:
    """Assigns persons: finds their ids and earlier variants in the store where the experiments need them.

    A plain member of a programme without links and sticky experiments costs no look into the store.

    Args:
        store: Has the links and the exposures.
        programmes: The programmes whose links are looked at.
    """

    def __init__(self, store: ExperimentStore, programmes: Sequence[str]) -> None:
        self._store = store
        self._linked = {programme for programme in programmes if store.has_identities(programme)}
        # The first exposure in the log stays the first for ever, so what was found once needs no second look.
        self._first: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._remembering = threading.Lock()

    def expect_links(self, programme: str) -> None:
        """Look for links of this programme from now on."""
        self._linked.add(programme)

    def assign(self, snapshot: Snapshot, person: Subject, experiment_ids: Sequence[str]) -> list[Assignment]:
        """Return the person's assignments in the experiments, in their order.

        Args:
            snapshot: What is in force.
            person: Who is asked about.
            experiment_ids: The experiments.

        Raises:
            UnknownExperimentError: The plan has no such experiment.
            StoreUnavailableError: The store cannot be read.
        """
        programme = snapshot.plan.programme
        ids = self._ids(programme, person)
        return [
            assign(
                snapshot.plan,
                experiment_id,
                self._unit(snapshot, experiment_id, ids),
                person.attributes,
                self._earlier(programme, experiment_id, ids) if experiment_id in snapshot.sticky else None,
            )
            for experiment_id in experiment_ids
        ]

    def assign_placed(self, snapshot: Snapshot, person: Subject, placement_id: str) -> Sequence[Assignment]:
        """Return the person's assignments in the running experiments of a placement, by experiment id.

        Args:
            snapshot: What is in force.
            person: Who is asked about.
            placement_id: The placement.

        Raises:
            StoreUnavailableError: The store cannot be read.
        """
        if snapshot.plan.programme not in self._linked and not snapshot.sticky:
            return assign_all(snapshot.plan, person.member_id, placement_id, person.attributes)
        placed = [one.experiment_id for one in snapshot.plan.placed.get(placement_id, ())]
        return self.assign(snapshot, person, placed)

    def _ids(self, programme: str, person: Subject) -> tuple[str, ...]:
        """Return all ids of the person, the one that is hashed first."""
        member_id, anonymous_id = person.member_id, person.anonymous_id
        if programme not in self._linked:
            return (anonymous_id, member_id) if anonymous_id and member_id else (anonymous_id or member_id,)
        if not member_id:
            return self._store.identities(programme, anonymous_id)
        ids = self._store.identities(programme, member_id)
        if anonymous_id and len(ids) == 1:
            # Not linked yet: as it will be, unless the visitor turns out to be somebody else.
            others = self._store.identities(programme, anonymous_id)
            return (anonymous_id, member_id) if len(others) == 1 else ids
        return ids

    @staticmethod
    def _unit(snapshot: Snapshot, experiment_id: str, ids: tuple[str, ...]) -> str:
        if len(ids) > 1:
            overrides = snapshot.plan.experiment(experiment_id).overrides
            return next((one for one in ids if one in overrides), ids[0])
        return ids[0]

    def _earlier(self, programme: str, experiment_id: str, ids: tuple[str, ...]) -> str | None:
        key = (programme, experiment_id, *ids)
        with self._remembering:
            if key in self._first:
                self._first.move_to_end(key)
                return self._first[key]
        found = self._store.first_variant(programme, experiment_id, ids)
        if found is not None:
            with self._remembering:
                self._first[key] = found
                if len(self._first) > _MAX_REMEMBERED:
                    self._first.popitem(last=False)
        return found


MAX_STREAMS = 8
"""Streams of assignments that are open at once; each occupies a thread for as long as it lasts."""

_RETRY_S = 10


class MemberList:
    """The assignments of a list of members, by the plan that was in force when the list began.

    Attributes:
        plan_revision: Of that plan.
    """

    def __init__(self, snapshot: Snapshot, people: Assigner, experiment_ids: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._people = people
        self._experiment_ids = experiment_ids
        self.plan_revision = snapshot.plan.revision

    def assign(self, person: Subject) -> list[Assignment]:
        """Return the assignments of one member."""
        return self._people.assign(self._snapshot, person, self._experiment_ids)


class AssignmentHandler:
    """Answers ``GetAssignments``, ``StreamAssignments`` and ``LinkIdentities``.

    Args:
        programmes: Holds the plans.
        people: Assigns persons.
        store: Where links go before they are acknowledged.
        clock: The server's clock.
    """

    def __init__(
        self, programmes: Programmes, people: Assigner, store: ExperimentStore, clock: Clock
    ) -> None:
        self._programmes = programmes
        self._people = people
        self._store = store
        self._clock = clock
        self._streams = threading.Semaphore(MAX_STREAMS)

    def members(self, programme: str, experiment_ids: Sequence[str]) -> MemberList:
        """Fix the plan for a list of members.

        Args:
            programme: The loyalty programme.
            experiment_ids: Which experiments; all that run if empty.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            ExperimentNotFoundError: Unknown experiment.
        """
        snapshot = self._programmes.current(programme)
        experiments = snapshot.plan.experiments
        wanted = experiment_ids or [each.experiment_id for each in experiments.values() if each.running]
        for experiment_id in wanted:
            if experiment_id not in experiments:
                raise ExperimentNotFoundError(programme, experiment_id)
        return MemberList(snapshot, self._people, wanted)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Hold one of the places for streams.

        Raises:
            ServerBusyError: All are taken.
        """
        if not self._streams.acquire(blocking=False):
            raise ServerBusyError("streams of assignments", _RETRY_S)
        try:
            yield
        finally:
            self._streams.release()

    def link(self, programme: str, links: Sequence[IdentityLink], timeout: float) -> LinkResult:
        """Keep links; return once they are on disk.

        Args:
            programme: The loyalty programme.
            links: Anonymous ids, each with its member.
            timeout: Seconds that the store may take.

        Returns:
            How many were new.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            IdentityLinkedError: A visitor belongs to another member; nothing was kept.
            StoreUnavailableError, StoreTimeoutError: They could not be kept.
        """
        self._programmes.current(programme)
        # Before the write: it may reach the disk although the answer comes too late.
        self._people.expect_links(programme)
        result = self._store.link_identities(programme, links, self._clock(), timeout)
        if result.conflicts:
            raise IdentityLinkedError(tuple(link.anonymous_id for link in result.conflicts))
        return result
