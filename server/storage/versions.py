"""How much the log has of each member, read and kept for many members by one statement."""

import json
import sqlite3
from collections.abc import Iterable

Member = tuple[str, str]
"""Programme and member."""

# One row for all: SQLite's driver lets another thread run at every row.
_SELECT = """
    SELECT json_group_array(json_array(m.programme, m.member_id, m.version))
    FROM json_each(?) AS one CROSS JOIN members AS m
    ON m.programme = json_extract(one.value, '$[0]') AND m.member_id = json_extract(one.value, '$[1]')
"""
_UPSERT = """
    INSERT INTO members (programme, member_id, version)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)
    WHERE true ON CONFLICT (programme, member_id) DO UPDATE SET version = excluded.version
"""


class MemberVersions:
    """The versions of some members within one transaction.

    Args:
        cursor: Of the open transaction.
        members: Whose versions.
    """

    def __init__(self, cursor: sqlite3.Cursor, members: Iterable[Member]) -> None:
        self._cursor = cursor
        (found,) = cursor.execute(_SELECT, (json.dumps(list(dict.fromkeys(members))),)).fetchone()
        self._versions: dict[Member, int] = {
            (programme, member_id): version for programme, member_id, version in json.loads(found)
        }
        self._changed: set[Member] = set()

    def following(self, member: Member) -> int:
        """Return the version that the next event of the member makes."""
        return self._versions.get(member, 0) + 1

    def count(self, member: Member) -> int:
        """Count one more event of the member, and return the version it makes."""
        version = self.following(member)
        self._versions[member] = version
        self._changed.add(member)
        return version

    def keep(self) -> None:
        """Write what changed."""
        if self._changed:
            changed = [(*member, self._versions[member]) for member in self._changed]
            self._cursor.execute(_UPSERT, (json.dumps(changed),))
