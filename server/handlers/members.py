"""Keeping what a programme says of its members, and telling what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.errors import Problem
from experiments.rules import AttributeType
from experiments.rules.attributes import reader
from server.catalogue import Catalogue
from server.catalogue.checks import channel_problems
from server.clock import Clock
from server.errors import InvalidRequestError, MemberNotFoundError, RequestIdReusedError
from server.handlers.changes import Provenance
from server.members import MemberState
from server.members.profile import ProfileChange, ProfileUpdate
from server.programme.programmes import Programmes
from server.storage import MemberStore, ProfileUpdates, UpdateResult
from server.storage.member_cache import MemberStates


@dataclass(frozen=True, slots=True)
class KnownMember:
    """What is known of a member.

    Attributes:
        state: What the log has of them, their profile included.
        update_time: When their profile was changed last; ``None`` if nothing was ever said of them.
    """

    state: MemberState
    update_time: datetime | None


class MemberHandler:
    """Answers everything that reads or changes members.

    Args:
        programmes: Tells which programmes there are.
        store: Where changes go before they take effect.
        states: Hears of changes, so that the next decision sees them.
        clock: The server's clock.
    """

    def __init__(
        self, programmes: Programmes, store: MemberStore, states: MemberStates, clock: Clock
    ) -> None:
        self._programmes = programmes
        self._store = store
        self._states = states
        self._clock = clock

    def upsert(
        self, programme: str, updates: Sequence[ProfileUpdate], provenance: Provenance, timeout: float
    ) -> UpdateResult:
        """Change profiles, all or none; return once that is on disk and in force.

        Args:
            programme: The loyalty programme.
            updates: Changes, one per member.
            provenance: Who asks for it and why.
            timeout: Seconds that the store may take.

        Returns:
            How many were changed.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            InvalidRequestError: A member would have more than they may, an attribute is not of the type that the catalogue
                declares, or a consent is for a channel that it does not have.
            RequestIdReusedError: The key was used for another request.
            StoreUnavailableError, StoreTimeoutError: They could not be kept.
        """
        catalogue = self._programmes.current(programme).catalogue
        named = [
            (f"updates[{index}].member.consents", channel_id)
            for index, update in enumerate(updates)
            for (channel_id, _), said in sorted(update.consents.items())
            if said is not None
        ]
        misfits = [*_misfits(updates, catalogue), *channel_problems(catalogue, named)]
        if misfits:
            raise InvalidRequestError(misfits)
        result = self._store.update_profiles(
            ProfileUpdates(
                programme=programme,
                updates=updates,
                change_time=self._clock(),
                actor=provenance.actor,
                request_id=provenance.request_id,
                request_digest=provenance.digest,
            ),
            timeout,
        )
        if result.problems:
            raise InvalidRequestError(list(result.problems))
        if result.request_digest != provenance.digest:
            raise RequestIdReusedError(provenance.request_id)
        self._states.profiles_changed(result.changes)
        return result

    def get(self, programme: str, member_id: str) -> KnownMember:
        """Return what is known of a member.

        Raises:
            ProgrammeNotFoundError, MemberNotFoundError: There is none.
            StoreUnavailableError: The store cannot be read.
        """
        self._programmes.current(programme)
        state = self._store.member_state(programme, member_id)
        if not state.version and not state.by_event:
            raise MemberNotFoundError(programme, member_id)
        last = self._store.last_profile_change(programme, member_id)
        return KnownMember(state, None if last is None else last.change_time)

    def changes(
        self, programme: str, member_id: str, after_version: int, most: int
    ) -> Sequence[ProfileChange]:
        """Return the audit trail of a member after a version, oldest first, at most so many.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            after_version: Changes up to this version are left out.
            most: How many at most.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            StoreUnavailableError: The trail cannot be read.
        """
        self._programmes.current(programme)
        return self._store.profile_changes(programme, member_id, after_version, most)


def _misfits(updates: Sequence[ProfileUpdate], catalogue: Catalogue) -> list[Problem]:
    # Every rule would err on such a value, as if the member had none, and nobody would be told.
    kinds = {name: AttributeType(kind) for name, kind in catalogue.attributes.items()}
    return [
        Problem(
            f"updates[{index}].member.attributes.{name}",
            f"is {value!r:.60}; the catalogue says it is {kinds[name]}",
        )
        for index, update in enumerate(updates)
        for name, value in sorted(update.attributes.items())
        if name in kinds and value is not None and reader(kinds[name])(value) is None
    ]
