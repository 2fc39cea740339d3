"""The interface of every store of members."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.errors import Problem
from experiments.log.events import Decision
from server.members.change import ProfileChange, ProfileUpdate
from server.members.state import MemberState


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
        """Return a member's state now, or as it was at a version."""
        ...

    def last_profile_change(self, programme: str, member_id: str) -> ProfileChange | None:
        """Return the last change of a member's profile; none if nothing was ever said of her."""
        ...

    def profile_changes(
        self, programme: str, member_id: str, after_version: int, most: int
    ) -> tuple[ProfileChange, ...]:
        """Return the changes of a member's profile after a version, oldest first."""
        ...

    def decision(self, programme: str, decision_id: str) -> Decision | None:
        """Return a decision, if there is one of that id."""
        ...

    def state_document(self, programme: str, state_id: str) -> str | None:
        """Return what decisions read under this id, if any did."""
        ...
