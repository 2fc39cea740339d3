"""The interfaces of all stores: event log, experiments and identities, members, and the keeper of budgets."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.definition.lifecycle import ExperimentChange
from experiments.errors import Problem
from experiments.log.events import Decision, Exposure, Outcome
from server.budgets import Draw
from server.members.profile import ProfileChange, ProfileUpdate
from server.members.state import MemberState


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of a batch of events.

    Attributes:
        accepted_count: Events that were new.
        duplicate_count: Events whose id was known, in the log or earlier in the batch.
        unattributed_count: New outcomes that name no decision of their member in the log.
    """

    accepted_count: int
    duplicate_count: int
    unattributed_count: int = 0


@dataclass(frozen=True, slots=True)
class StateDocument:
    """What a decision read beside the member's state; kept once for all decisions that read the same.

    Attributes:
        state_id: Names the content: equal documents have equal ids.
        document: JSON text.
    """

    state_id: str
    document: str


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """What became of a decision.

    Attributes:
        decision: What the log has: the decision itself, or the earlier one of its ``request_id``; ``None`` if nothing was kept.
        repeated: Whether it is an earlier one.
        stale: Whether nothing was kept because the log has more of the member than the decision read.
        refused: The candidates for which an account has not enough left; then nothing was kept.
    """

    decision: Decision | None
    repeated: bool = False
    stale: bool = False
    refused: tuple[str, ...] = ()


class Chain:
    """Decisions of one member of which each was made on top of the one before, while that was on its way to disk.

    As soon as one of them is not kept, those after it have read what never was: they are stale too, whatever their version.

    Attributes:
        broken: Whether one of them was not kept.
    """

    __slots__ = ("broken",)

    def __init__(self) -> None:
        self.broken = False


class PendingDecision(Protocol):
    """A decision on its way to disk."""

    def result(self, timeout: float) -> DecisionResult:
        """Wait until it is on disk, at most ``timeout`` seconds, and return what became of it. Errors as in ``EventLog``."""
        ...


class EventLog(Protocol):
    """Appends events durably. Safe to call from any thread.

    Every ``append`` returns only after the events are on disk; so does ``PendingDecision.result``. Each waits at most
    ``timeout`` seconds. Every decision and every new outcome adds one to the version of its member.

    Raises (every method):
        StoreUnavailableError: The log cannot be written; nothing was kept.
        StoreTimeoutError: It was not confirmed in time; it may still be kept.
    """

    def submit_decision(
        self,
        decision: Decision,
        *,
        draws: Sequence[Draw] = (),
        states: Sequence[StateDocument] = (),
        chain: Chain | None = None,
    ) -> PendingDecision:
        """Send a decision on its way; decisions are written in the order of these calls.

        In one transaction: an earlier decision of the same ``request_id`` is found and returned; or the member's version is
        compared with ``decision.member_version`` less one, and if it differs, or if the chain is broken, the decision is stale; or the draws are
        reserved, all or none; and the decision and the states that are new are kept.

        Args:
            decision: What to keep. Without a ``member_version`` it takes the next one, whatever it is, and reads nothing.
            draws: What to reserve for it.
            states: What it read.
            chain: The decisions that the state it read may count before they are on disk; ``None`` if it counts none.

        Returns:
            Waits for the result.
        """
        ...

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """Keep the exposures whose ``event_id`` is new; all or none."""
        ...

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """Keep the outcomes whose ``event_id`` is new; all or none.

        One that names no channel takes that of its decision, if the log has it. A redemption commits what its decision reserved for the offer.
        """
        ...

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        ...


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
class StoredExperiment:
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
        """Keep the links that are new; all or none.

        Args:
            programme: The loyalty programme.
            links: Anonymous ids, each with its member.
            link_time: When the links were made.
            timeout: Seconds that the store may take.

        Returns:
            How many were new, and which were refused.
        """
        ...

    def stored_experiments(self, programme: str) -> tuple[StoredExperiment, ...]:
        """Return every experiment as its last change left it, by id."""
        ...

    def change_count(self, programme: str) -> int:
        """Return how many changes of experiments there are; cheap, never falls."""
        ...

    def changes(
        self, programme: str, experiment_id: str, after_position: int, most: int
    ) -> tuple[ExperimentChange, ...]:
        """Return the changes of an experiment after a position, oldest first.

        Args:
            programme: The loyalty programme.
            experiment_id: The experiment.
            after_position: Changes up to this position are left out.
            most: How many at most.
        """
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
        """Return the variant of the first exposure that was logged for any of the units; ``None`` if there is none.

        Args:
            programme: The loyalty programme.
            experiment_id: The experiment.
            unit_ids: Ids of one person.
        """
        ...

    def event_count(self) -> int:
        """Return about how many exposures and outcomes the log holds; cheap, never falls."""
        ...


@dataclass(frozen=True, slots=True)
class ProfileUpdates:
    """A batch of updates of one request.

    Attributes:
        programme: The loyalty programme.
        updates: One for each member.
        change_time: The server's clock.
        actor: Who asks, or empty.
        request_id: Key of retries, or empty.
        request_digest: Digest of what is asked; tells a retry from another request under the same key.
    """

    programme: str
    updates: Sequence[ProfileUpdate]
    change_time: datetime
    actor: str
    request_id: str
    request_digest: str


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What became of a batch of updates.

    Attributes:
        changed_count: Members whose profile is another one now.
        unchanged_count: Members of whom the same was said already; nothing was kept of them.
        request_digest: Digest of the request that did it: an earlier one if its ``request_id`` was known.
        changes: What was kept; empty for a request that was known.
        problems: Why nothing was kept, by position in the batch: members who would have more than they may.
    """

    changed_count: int
    unchanged_count: int
    request_digest: str
    changes: tuple[ProfileChange, ...] = ()
    problems: tuple[Problem, ...] = ()


class MemberStore(Protocol):
    """Keeps what is said of members, and tells what the log has of them. Safe to call from any thread.

    Raises (every method):
        StoreUnavailableError: The store cannot be used; nothing was kept.
        StoreTimeoutError: A write was not confirmed in time; it may still be kept.
    """

    def update_profiles(self, updates: ProfileUpdates, timeout: float) -> UpdateResult:
        """Keep the updates, all or none, and return once they are on disk; a known ``request_id`` keeps nothing.

        Each change of a profile adds one to the version of its member.
        """
        ...

    def member_state(self, programme: str, member_id: str, upto_version: int | None = None) -> MemberState:
        """Return a member's state now, or as it was at a version.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            upto_version: The version; the latest if ``None``.
        """
        ...

    def last_profile_change(self, programme: str, member_id: str) -> ProfileChange | None:
        """Return the last change of a member's profile; ``None`` if nothing was ever said of them."""
        ...

    def profile_changes(
        self, programme: str, member_id: str, after_version: int, most: int
    ) -> tuple[ProfileChange, ...]:
        """Return the changes of a member's profile after a version, oldest first.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            after_version: Changes up to this version are left out.
            most: How many at most.
        """
        ...

    def decision(self, programme: str, decision_id: str) -> Decision | None:
        """Return a decision, if there is one of that id."""
        ...

    def state_document(self, programme: str, state_id: str) -> str | None:
        """Return what decisions read under this id, if any did."""
        ...


class BudgetWriter(Protocol):
    """Keeps reservations in the transactions of the log. Called from one thread only."""

    def release_expired(self, cursor: sqlite3.Cursor, programme: str, now_micros: int) -> int:
        """Release reservations that have run out, and return how many.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            now_micros: The time, microseconds since 1970.

        Returns:
            How many were released.
        """
        ...

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Reserve all draws of a decision, or none; return the candidates for which an account has not enough left.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            draws: What the decision takes from which account.
            decision: The decision.

        Returns:
            Candidates for which there is not enough left; empty if all were reserved.
        """
        ...

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> object:
        """Commit what the decisions of these new redemptions reserved."""
        ...

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Write what was reserved in this transaction, which is about to be committed."""
        ...

    def committed(self) -> None:
        """Hear that the transaction is on disk."""
        ...

    def rolled_back(self) -> None:
        """Hear that the transaction was undone: whatever was learned in it is void."""
        ...


class NoBudgets:
    """A log without budgets: nothing can be drawn from it."""

    def release_expired(self, cursor: sqlite3.Cursor, programme: str, now_micros: int) -> int:
        """Release nothing.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            now_micros: The time, microseconds since 1970.

        Returns:
            0.
        """
        del cursor, programme, now_micros
        return 0

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Refuse every candidate that draws.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            draws: What the decision takes from which account.
            decision: The decision.

        Returns:
            Every candidate that draws.
        """
        del cursor, programme, decision
        return tuple(dict.fromkeys(draw.candidate_id for draw in draws))

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> None:
        """Do nothing."""

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Do nothing."""

    def committed(self) -> None:
        """Do nothing."""

    def rolled_back(self) -> None:
        """Do nothing."""
