"""The states of members that were met lately, kept in memory one step ahead of the log.

A decision's state is put here when the decision is submitted, before it is on disk; so many requests of one member follow each
other within one transaction. If the log does not keep the decision, its chain is broken: the state counts no more, and is
read from the log at the next request.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from experiments.log.events import Outcome
from server.members.profile import ProfileChange
from server.members.state import MemberState, after_outcome
from server.storage.protocols import Chain, MemberStore

_STRIPES = 1024

_Member = tuple[str, str]


class _Entry(NamedTuple):
    state: MemberState
    chain: Chain


class MemberStates:
    """The states of the members met last. Safe to share between threads.

    Args:
        store: Reads what the log has of a member.
        most: How many are kept.
    """

    def __init__(self, store: MemberStore, most: int = 100_000) -> None:
        self._store = store
        self._most = most
        self._entries: OrderedDict[_Member, _Entry] = OrderedDict()
        self._changing = threading.Lock()
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    @contextmanager
    def hold(self, programme: str, member_id: str) -> "Iterator[HeldMember]":
        """Keep other requests of the member waiting, and give their state.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        member = (programme, member_id)
        with self._stripes[hash(member) % _STRIPES]:
            yield HeldMember(self, member, self._found(member) or self._loaded(member))

    def took(self, outcomes: Iterable[Outcome]) -> None:
        """Take in outcomes that are new in the log."""
        with self._changing:
            for outcome in outcomes:
                member = (outcome.programme, outcome.member_id)
                entry = self._before(member, outcome.member_version)
                if entry is not None:
                    self._put(member, _Entry(after_outcome(entry.state, outcome), entry.chain))

    def profiles_changed(self, changes: Iterable[ProfileChange]) -> None:
        """Take in changes of profiles that are new in the log."""
        with self._changing:
            for change in changes:
                member = (change.programme, change.member_id)
                entry = self._before(member, change.member_version)
                if entry is not None:
                    state = entry.state.after_profile(change.member_version, change.after)
                    self._put(member, _Entry(state, entry.chain))

    def replace(self, member: _Member, entry: "_Entry", state: MemberState) -> None:
        """Put a later state in place of an entry, unless something else came in between.

        Args:
            member: The member.
            entry: The entry that is replaced.
            state: The later state.
        """
        with self._changing:
            if self._entries.get(member) is entry:
                self._put(member, _Entry(state, entry.chain))

    def _found(self, member: _Member) -> _Entry | None:
        with self._changing:
            entry = self._entries.get(member)
            if entry is None or entry.chain.broken:
                return None
            self._entries.move_to_end(member)
            return entry

    def _loaded(self, member: _Member) -> _Entry:
        # Not under the lock that all members share. What the log takes in meanwhile makes the next decision stale.
        entry = _Entry(self._store.member_state(*member), Chain())
        with self._changing:
            self._put(member, entry)
        return entry

    def _before(self, member: _Member, version: int | None) -> _Entry | None:
        """Return the entry that an event of this version follows; any other one is wrong from now on, and dropped."""
        entry = self._entries.get(member)
        if entry is not None and entry.state.version + 1 != version:
            del self._entries[member]
            return None
        return entry

    def _put(self, member: _Member, entry: _Entry) -> None:
        self._entries[member] = entry
        self._entries.move_to_end(member)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)


class HeldMember:
    """One member's state while no other request of theirs decides.

    Attributes:
        state: What is known of them.
        chain: What to submit a decision on this state with.
    """

    __slots__ = ("_entry", "_member", "_states", "chain", "state")

    def __init__(self, states: MemberStates, member: _Member, entry: _Entry) -> None:
        self._states = states
        self._member = member
        self._entry = entry
        self.state = entry.state
        self.chain = entry.chain

    def advance(self, state: MemberState) -> None:
        """Put in place the state after the decision that was submitted; once at most."""
        self._states.replace(self._member, self._entry, state)
