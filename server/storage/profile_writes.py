"""Changes of profiles on their way into the SQLite file."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.errors import Problem
from experiments.log.events import from_micros, to_micros
from server.members.profile import (
    MAX_ATTRIBUTES,
    MAX_CONSENTS,
    MemberProfile,
    ProfileChange,
    profile_from_json,
    profile_to_json,
)
from server.storage.event_writes import MemberVersions, Row, RowInsert
from server.storage.protocols import ProfileUpdates, UpdateResult
from server.storage.schema import MEMBER_CHANGE_COLUMNS, MEMBER_REQUEST_COLUMNS

_INSERT_CHANGES = RowInsert("member_changes", MEMBER_CHANGE_COLUMNS)
_INSERT_REQUEST = RowInsert("member_requests", MEMBER_REQUEST_COLUMNS)
_SELECT_REQUEST = """
    SELECT changed_count, unchanged_count, request_digest FROM member_requests WHERE programme = ? AND request_id = ?
"""
_SELECT_PROFILES = """
    SELECT one.value, (SELECT c.after FROM member_changes AS c WHERE c.programme = ? AND c.member_id = one.value
                       ORDER BY c.member_version DESC LIMIT 1)
    FROM json_each(?) AS one
"""


@dataclass(frozen=True, slots=True)
class ProfileWrite:
    """A batch of updates."""

    updates: ProfileUpdates

    def apply(self, cursor: sqlite3.Cursor) -> UpdateResult:
        """Keep what changes something, unless the request is known."""
        updates = self.updates
        if updates.request_id:
            known = cursor.execute(_SELECT_REQUEST, (updates.programme, updates.request_id)).fetchone()
            if known is not None:
                return UpdateResult(*known)
        profiles = self._profiles(cursor)
        problems = [
            Problem(f"updates[{index}].member.{name}", message)
            for index, (_, after) in enumerate(profiles)
            for name, message in _excesses(after)
        ]
        if problems:
            return UpdateResult(0, 0, updates.request_digest, problems=tuple(problems))
        changes = self._changes(cursor, profiles)
        _INSERT_CHANGES.insert(cursor, [change_row(change) for change in changes])
        unchanged = len(profiles) - len(changes)
        if updates.request_id:
            when = to_micros(updates.change_time)
            request = (updates.programme, updates.request_id, updates.request_digest)
            _INSERT_REQUEST.insert(cursor, [(*request, when, len(changes), unchanged)])
        return UpdateResult(len(changes), unchanged, updates.request_digest, tuple(changes))

    def _profiles(self, cursor: sqlite3.Cursor) -> list[tuple[MemberProfile | None, MemberProfile]]:
        """Return what is said of each member before and after its update."""
        member_ids = [update.member_id for update in self.updates.updates]
        rows = cursor.execute(_SELECT_PROFILES, (self.updates.programme, json.dumps(member_ids))).fetchall()
        known = {member_id: profile_from_json(text) for member_id, text in rows if text is not None}
        profiles = []
        for update in self.updates.updates:
            before = known.get(update.member_id)
            after = update.applied_to(before or MemberProfile())
            known[update.member_id] = after
            profiles.append((before, after))
        return profiles

    def _changes(
        self, cursor: sqlite3.Cursor, profiles: Sequence[tuple[MemberProfile | None, MemberProfile]]
    ) -> list[ProfileChange]:
        updates = self.updates
        versions = MemberVersions(cursor, [(updates.programme, one.member_id) for one in updates.updates])
        changes = [
            ProfileChange(
                programme=updates.programme,
                member_id=update.member_id,
                member_version=versions.count((updates.programme, update.member_id)),
                change_time=updates.change_time,
                actor=updates.actor,
                request_id=updates.request_id,
                before=before,
                after=after,
            )
            for update, (before, after) in zip(updates.updates, profiles, strict=True)
            if before != after
        ]
        versions.keep()
        return changes


def _excesses(profile: MemberProfile) -> Iterator[tuple[str, str]]:
    """Yield the fields that hold more than one member may have."""
    for name, values, most in (
        ("attributes", profile.attributes, MAX_ATTRIBUTES),
        ("consents", profile.consents, MAX_CONSENTS),
    ):
        if len(values) > most:
            yield (
                name,
                f"the member would have {len(values)} in all; at most {most} are kept, so take some away",
            )


def change_row(change: ProfileChange) -> Row:
    """Return the change as a row in the order of ``MEMBER_CHANGE_COLUMNS``."""
    return (
        change.programme,
        change.member_id,
        change.member_version,
        to_micros(change.change_time),
        change.actor,
        change.request_id or None,
        None if change.before is None else profile_to_json(change.before),
        profile_to_json(change.after),
    )


def change_from_row(row: Sequence[Any]) -> ProfileChange:
    """Return the change that ``change_row`` made a row of."""
    values = dict(zip(MEMBER_CHANGE_COLUMNS, row, strict=True))
    return ProfileChange(
        programme=values["programme"],
        member_id=values["member_id"],
        member_version=values["member_version"],
        change_time=from_micros(values["change_time"]),
        actor=values["actor"],
        request_id=values["request_id"] or "",
        before=None if values["before"] is None else profile_from_json(values["before"]),
        after=profile_from_json(values["after"]),
    )
