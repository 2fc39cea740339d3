"""What the SQLite file is asked to keep: items of one transaction, each with the statements that write it."""

import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Protocol

from experiments.change_tables import CHANGE_COLUMNS, LINK_COLUMNS, change_from_row, change_row
from experiments.changes import ExperimentChange
from experiments.event_tables import DECISION_COLUMNS, EXPOSURE_COLUMNS, OUTCOME_COLUMNS, decision_from_row
from experiments.events import Decision, Outcome, to_micros
from server.storage.group_commit import Ticket
from server.storage.log import AppendResult
from server.storage.registry import IdentityLink, LinkResult

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows to an INSERT. SQLite's driver lets another thread run at every statement, which under load costs a decision more than
the statement itself; so a group goes in few statements, of sizes that stay prepared."""

Row = tuple[object, ...]


def _insert(table: str, columns: dict[str, str], rows: int = 1) -> str:
    marks = f"({', '.join('?' * len(columns))})"
    values = ", ".join([marks] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608 ours


_INSERT_DECISIONS = {rows: _insert("decisions", DECISION_COLUMNS, rows) for rows in _CHUNKS}
_INSERT_EXPOSURE = _insert("exposures", EXPOSURE_COLUMNS)
_INSERT_OUTCOME = _insert("outcomes", OUTCOME_COLUMNS)
_INSERT_CHANGE = _insert("experiment_changes", CHANGE_COLUMNS)
_INSERT_LINK = _insert("identity_links", LINK_COLUMNS)
_SELECT_BY_REQUEST = (
    f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions WHERE programme = ? AND request_id = ?"  # noqa: S608 ours
)
_SELECT_DECISION_OF_MEMBER = (
    "SELECT 1 FROM decisions WHERE programme = ? AND decision_id = ? AND member_id = ?"
)
_SELECT_CHANGE = f"SELECT {', '.join(CHANGE_COLUMNS)} FROM experiment_changes WHERE programme = ? AND "  # noqa: S608 ours
_SELECT_LINK_TO = "SELECT 1 FROM identity_links WHERE programme = ? AND member_id = ? LIMIT 1"
_SELECT_LINKED_MEMBER = "SELECT member_id FROM identity_links WHERE programme = ? AND anonymous_id = ?"


class Write(Protocol):
    """Something to keep."""

    def apply(self, cursor: sqlite3.Cursor) -> object:
        """Write it within the open transaction, and return what the request is told."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionWrite:
    """A decision, and the row it makes. Decisions of a group go in together, by ``write_decisions``."""

    decision: Decision
    row: Row

    def apply(self, cursor: sqlite3.Cursor) -> Decision:
        """Keep the decision alone."""
        new = cursor.execute(_INSERT_DECISIONS[1], self.row).rowcount
        return self.decision if new else _logged(cursor, self.decision)


@dataclass(frozen=True, slots=True)
class ExposureWrite:
    """A batch of exposures as rows."""

    rows: Sequence[Row]

    def apply(self, cursor: sqlite3.Cursor) -> AppendResult:
        """Keep those that are new."""
        accepted = sum(cursor.execute(_INSERT_EXPOSURE, row).rowcount for row in self.rows)
        return AppendResult(accepted, len(self.rows) - accepted)


@dataclass(frozen=True, slots=True)
class OutcomeWrite:
    """A batch of outcomes, and the rows they make.

    Attributes:
        outcomes: The batch.
        rows: One for each.
        accepted: Those that were new, once it is applied.
    """

    outcomes: Sequence[Outcome]
    rows: Sequence[Row]
    accepted: list[Outcome] = field(default_factory=list)

    def apply(self, cursor: sqlite3.Cursor) -> AppendResult:
        """Keep those that are new, and count those without a decision."""
        # A group that fails is written again one by one.
        self.accepted.clear()
        unattributed = 0
        for outcome, row in zip(self.outcomes, self.rows, strict=True):
            if cursor.execute(_INSERT_OUTCOME, row).rowcount:
                self.accepted.append(outcome)
                key = (outcome.programme, outcome.decision_id, outcome.member_id)
                if cursor.execute(_SELECT_DECISION_OF_MEMBER, key).fetchone() is None:
                    unattributed += 1
        return AppendResult(len(self.accepted), len(self.rows) - len(self.accepted), unattributed)


@dataclass(frozen=True, slots=True)
class ChangeWrite:
    """A change of an experiment."""

    change: ExperimentChange

    def apply(self, cursor: sqlite3.Cursor) -> ExperimentChange:
        """Keep it unless its request or its position is there already; return the one that is."""
        change = self.change
        if cursor.execute(_INSERT_CHANGE, change_row(change)).rowcount:
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
        for link in new.values():
            row = (self.programme, link.anonymous_id, link.member_id, to_micros(self.link_time))
            cursor.execute(_INSERT_LINK, row)
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


def write_decisions(cursor: sqlite3.Cursor, writes: Sequence[tuple[Ticket[Write], DecisionWrite]]) -> None:
    """Keep the decisions of a group in few statements, and set the results of their tickets."""
    start = 0
    for size in _CHUNKS:
        while len(writes) - start >= size:
            chunk = writes[start : start + size]
            start += size
            values: list[Any] = list(chain.from_iterable(write.row for _, write in chunk))
            new = cursor.execute(_INSERT_DECISIONS[size], values).rowcount
            for ticket, write in chunk:
                ticket.result = write.decision if new == size else _logged(cursor, write.decision)


def _logged(cursor: sqlite3.Cursor, decision: Decision) -> Decision:
    """Return what the log has for the decision's request: the decision itself, or an earlier one."""
    if not decision.request_id:
        return decision
    row = cursor.execute(_SELECT_BY_REQUEST, (decision.programme, decision.request_id)).fetchone()
    return decision_from_row(row)
