"""The interface of every store of experiments and identities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.changes import ExperimentChange


@dataclass(frozen=True, slots=True)
class IdentityLink:
    """Says that a visitor turned out to be a member.

    Attributes:
        anonymous_id: The visitor; belongs to one member for ever.
        member_id: The member.
    """

    anonymous_id: str
    member_id: str


@dataclass(frozen=True, slots=True)
class LinkResult:
    """What became of a batch of links.

    Attributes:
        accepted_count: Links that were new.
        duplicate_count: Links that were there already, in the store or earlier in the batch.
        conflicts: Links whose anonymous id belongs to another member or is a member itself, or whose member belongs to
            another one; if there are any, nothing was kept.
    """

    accepted_count: int
    duplicate_count: int
    conflicts: tuple[IdentityLink, ...] = ()


@dataclass(frozen=True, slots=True)
class StandingExperiment:
    """An experiment as its last change left it.

    Attributes:
        create_time: When it was created.
        last: Its last change.
    """

    create_time: datetime
    last: ExperimentChange


class ExperimentStore(Protocol):
    """Keeps the changes of experiments and the links of identities durably. Safe to call from any thread.

    Methods that write return only after it is on disk, and wait at most ``timeout`` seconds.

    Raises (every method):
        StoreUnavailableError: The store cannot be used; nothing was kept.
        StoreTimeoutError: A write was not confirmed in time; it may still be kept.
    """

    def append_change(self, change: ExperimentChange, timeout: float) -> ExperimentChange:
        """Keep the change and return it.

        If its ``request_id`` is known, or else its position is taken, keep nothing and return the change that has it.
        """
        ...

    def link_identities(
        self, programme: str, links: Sequence[IdentityLink], link_time: datetime, timeout: float
    ) -> LinkResult:
        """Keep the links that are new; all or none."""
        ...

    def standing_experiments(self, programme: str) -> tuple[StandingExperiment, ...]:
        """Return every experiment as it stands, by id."""
        ...

    def change_count(self, programme: str) -> int:
        """Return how many changes of experiments there are; cheap, never falls."""
        ...

    def changes(
        self, programme: str, experiment_id: str, after_position: int, most: int
    ) -> tuple[ExperimentChange, ...]:
        """Return the changes of an experiment after a position, oldest first."""
        ...

    def change_of_request(self, programme: str, request_id: str) -> ExperimentChange | None:
        """Return the change that a request made, if it made one."""
        ...

    def identities(self, programme: str, unit_id: str) -> tuple[str, ...]:
        """Return all ids of a person, given one of them: the anonymous ids in the order of their links, then the member.

        An id without links stands alone.
        """
        ...

    def has_identities(self, programme: str) -> bool:
        """Tell whether any link was ever kept; cheap."""
        ...

    def first_variant(self, programme: str, experiment_id: str, unit_ids: Sequence[str]) -> str | None:
        """Return the variant of the first exposure that was logged for any of the units; none if there is none."""
        ...

    def event_count(self) -> int:
        """Return about how many exposures and outcomes the log holds; cheap, never falls."""
        ...
