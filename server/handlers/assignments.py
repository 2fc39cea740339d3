"""Telling which variants members are in, and which visitors turned out to be members."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from experiments.answers import Assignment
from server.errors import ExperimentNotFoundError, IdentityLinkedError, ServerBusyError
from server.handlers.people import People, Person
from server.handlers.request_checks import Clock
from server.programme.snapshot import Programmes, Snapshot
from server.storage import ExperimentStore, IdentityLink, LinkResult

MOST_STREAMS = 8
"""Streams of assignments that are open at once; each occupies a thread for as long as it lasts."""

_RETRY_S = 10


class MemberList:
    """The assignments of a list of members, by the plan that was in force when the list began.

    Attributes:
        plan_revision: Of that plan.
    """

    def __init__(self, snapshot: Snapshot, people: People, experiment_ids: Sequence[str]) -> None:
        self._snapshot = snapshot
        self._people = people
        self._experiment_ids = experiment_ids
        self.plan_revision = snapshot.plan.revision

    def assign(self, person: Person) -> list[Assignment]:
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

    def __init__(self, programmes: Programmes, people: People, store: ExperimentStore, clock: Clock) -> None:
        self._programmes = programmes
        self._people = people
        self._store = store
        self._clock = clock
        self._streams = threading.Semaphore(MOST_STREAMS)

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
