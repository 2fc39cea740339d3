"""What the SQLite file is asked to keep: items of one transaction, each with the statements that write it."""

import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from experiments.changes import ExperimentChange
from experiments.log.events import to_micros
from experiments.log.experiment_rows import CHANGE_COLUMNS, LINK_COLUMNS, change_from_row, change_row
from experiments.log.rows import EXPOSURE_COLUMNS
from server.storage.protocols import AppendResult
from server.storage.registry import IdentityLink, LinkResult
from server.storage.rows import Row, RowInsert

_INSERT_EXPOSURES = RowInsert("exposures", EXPOSURE_COLUMNS, "ON CONFLICT DO NOTHING")
_INSERT_CHANGE = RowInsert("experiment_changes", CHANGE_COLUMNS, "ON CONFLICT DO NOTHING")
_INSERT_LINKS = RowInsert("identity_links", LINK_COLUMNS)
_SELECT_CHANGE = f"SELECT {', '.join(CHANGE_COLUMNS)} FROM experiment_changes WHERE programme = ? AND "  # noqa: S608 ours
_SELECT_LINK_TO = "SELECT 1 FROM identity_links WHERE programme = ? AND member_id = ? LIMIT 1"
_SELECT_LINKED_MEMBER = "SELECT member_id FROM identity_links WHERE programme = ? AND anonymous_id = ?"


class SingleWrite(Protocol):
    """Something to keep by itself."""

    def apply(self, cursor: sqlite3.Cursor) -> object:
        """Write it within the open transaction, and return what the request is told."""
        ...


@dataclass(frozen=True, slots=True)
class ExposureWrite:
    """A batch of exposures as rows."""

    rows: Sequence[Row]

    def apply(self, cursor: sqlite3.Cursor) -> AppendResult:
        """Keep those that are new."""
        accepted = _INSERT_EXPOSURES.insert(cursor, self.rows)
        return AppendResult(accepted, len(self.rows) - accepted)


@dataclass(frozen=True, slots=True)
class ChangeWrite:
    """A change of an experiment."""

    change: ExperimentChange

    def apply(self, cursor: sqlite3.Cursor) -> ExperimentChange:
        """Keep it unless its request or its position is there already; return the one that is."""
        change = self.change
        if _INSERT_CHANGE.insert(cursor, [change_row(change)]):
            return change
        found = cursor.execute(
            _SELECT_CHANGE + "request_id = ?", (change.programme, change.request_id or None)
        ).fetchone()
        if found is None:
            key = (change.programme, change.experiment_id, change.position)
            found = cursor.execute(_SELECT_CHANGE + "experiment_id = ? AND position = ?", key).fetchone()
        return change_from_row(found)


@dataclass(frozen=True, slots=True)
class LinkWrite:
    """A batch of links of identities."""

    programme: str
    links: Sequence[IdentityLink]
    link_time: datetime

    def apply(self, cursor: sqlite3.Cursor) -> LinkResult:
        """Keep those that are new; nothing if one of them contradicts."""
        new: dict[str, IdentityLink] = {}
        members: set[str] = set()
        conflicts = []
        for link in self.links:
            member_id = self._member(cursor, link.anonymous_id, new)
            if member_id is None and not self._makes_chain(cursor, link, new, members):
                new[link.anonymous_id] = link
                members.add(link.member_id)
            elif member_id != link.member_id:
                conflicts.append(link)
        if conflicts:
            return LinkResult(0, 0, tuple(conflicts))
        when = to_micros(self.link_time)
        rows = [(self.programme, link.anonymous_id, link.member_id, when) for link in new.values()]
        _INSERT_LINKS.insert(cursor, rows)
        return LinkResult(len(new), len(self.links) - len(new))

    def _member(
        self, cursor: sqlite3.Cursor, anonymous_id: str, new: Mapping[str, IdentityLink]
    ) -> str | None:
        if anonymous_id in new:
            return new[anonymous_id].member_id
        found = cursor.execute(_SELECT_LINKED_MEMBER, (self.programme, anonymous_id)).fetchone()
        return None if found is None else str(found[0])

    def _makes_chain(
        self,
        cursor: sqlite3.Cursor,
        link: IdentityLink,
        new: Mapping[str, IdentityLink],
        members: AbstractSet[str],
    ) -> bool:
        """Tell whether the visitor has visitors of her own, or the member belongs to another member."""
        key = (self.programme, link.anonymous_id)
        is_member = (
            link.anonymous_id in members or cursor.execute(_SELECT_LINK_TO, key).fetchone() is not None
        )
        return is_member or self._member(cursor, link.member_id, new) is not None
