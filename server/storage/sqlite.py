"""The embedded event log: one SQLite file in WAL mode, synced at every commit, many requests to a commit."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from experiments.event_tables import (
    CREATE_STATEMENTS,
    DECISION_COLUMNS,
    EXPOSURE_COLUMNS,
    OUTCOME_COLUMNS,
    SCHEMA_VERSION,
    check_schema_version,
    decision_from_row,
    decision_row,
    exposure_row,
    outcome_row,
)
from experiments.events import Decision, Exposure, Outcome
from server.errors import StoreUnavailableError
from server.storage.group_commit import GroupCommit, Ticket
from server.storage.log import AppendResult

_BUSY_TIMEOUT_S = 5.0
_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows to an INSERT. SQLite's driver lets another thread run at every statement, which under load costs a decision more than
the statement itself; so a group goes in few statements, of sizes that stay prepared."""

_FAULTS_OF_A_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)

Row = tuple[object, ...]


def _insert(table: str, columns: dict[str, str], rows: int = 1) -> str:
    marks = f"({', '.join('?' * len(columns))})"
    values = ", ".join([marks] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608 ours


_INSERT_DECISIONS = {rows: _insert("decisions", DECISION_COLUMNS, rows) for rows in _CHUNKS}
_INSERT_EXPOSURE = _insert("exposures", EXPOSURE_COLUMNS)
_INSERT_OUTCOME = _insert("outcomes", OUTCOME_COLUMNS)
_SELECT_BY_REQUEST = (
    f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions WHERE programme = ? AND request_id = ?"  # noqa: S608 ours
)
_SELECT_DECISION_OF_MEMBER = (
    "SELECT 1 FROM decisions WHERE programme = ? AND decision_id = ? AND member_id = ?"
)


@dataclass(frozen=True, slots=True)
class _DecisionWrite:
    decision: Decision
    row: Row


@dataclass(frozen=True, slots=True)
class _ExposureWrite:
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _OutcomeWrite:
    outcomes: Sequence[Outcome]
    rows: Sequence[Row]


_Write = _DecisionWrite | _ExposureWrite | _OutcomeWrite


class SqliteEventLog:
    """An ``EventLog`` in one SQLite file, created if there is none.

    Args:
        path: The file. Its folder must exist.
        on_commit: Called after each transaction with the number of requests in it.

    Raises:
        StoreUnavailableError: The file cannot be opened for writing.
        AnalysisError: The file holds a log of another schema version.
    """

    def __init__(self, path: Path, on_commit: Callable[[int], None] = lambda _: None) -> None:
        self._connection = _open(path)
        self._group: GroupCommit[_Write] = GroupCommit(self._commit, on_commit)

    def append_decision(self, decision: Decision, timeout: float) -> Decision:
        """See ``EventLog.append_decision``."""
        logged: Decision = self._group.submit(_DecisionWrite(decision, decision_row(decision)), timeout)
        return logged

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """See ``EventLog.append_exposures``."""
        write = _ExposureWrite([exposure_row(exposure) for exposure in exposures])
        result: AppendResult = self._group.submit(write, timeout)
        return result

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """See ``EventLog.append_outcomes``."""
        write = _OutcomeWrite(outcomes, [outcome_row(outcome) for outcome in outcomes])
        result: AppendResult = self._group.submit(write, timeout)
        return result

    def close(self) -> None:
        """Write what is waiting, then release the file. Closing twice does nothing."""
        self._group.close()
        self._connection.close()

    def _commit(self, group: Sequence[Ticket[_Write]]) -> None:
        try:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            decisions = []
            for ticket in group:
                if isinstance(ticket.item, _DecisionWrite):
                    decisions.append((ticket, ticket.item))
                elif isinstance(ticket.item, _ExposureWrite):
                    ticket.result = _write_exposures(cursor, ticket.item)
                else:
                    ticket.result = _write_outcomes(cursor, ticket.item)
            _write_decisions(cursor, decisions)
            cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _FAULTS_OF_A_ROW):
                raise StoreUnavailableError(str(error)) from error
            raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                # SQLite has rolled back by itself, as it does when the disk is full.
                return


def _write_decisions(cursor: sqlite3.Cursor, writes: Sequence[tuple[Ticket[_Write], _DecisionWrite]]) -> None:
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


def _write_exposures(cursor: sqlite3.Cursor, write: _ExposureWrite) -> AppendResult:
    accepted = sum(cursor.execute(_INSERT_EXPOSURE, row).rowcount for row in write.rows)
    return AppendResult(accepted, len(write.rows) - accepted)


def _write_outcomes(cursor: sqlite3.Cursor, write: _OutcomeWrite) -> AppendResult:
    accepted = unattributed = 0
    for outcome, row in zip(write.outcomes, write.rows, strict=True):
        if cursor.execute(_INSERT_OUTCOME, row).rowcount:
            accepted += 1
            key = (outcome.programme, outcome.decision_id, outcome.member_id)
            if cursor.execute(_SELECT_DECISION_OF_MEMBER, key).fetchone() is None:
                unattributed += 1
    return AppendResult(accepted, len(write.rows) - accepted, unattributed)


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
    except sqlite3.Error as error:
        raise StoreUnavailableError(f"{path}: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailableError(f"{path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version:
        check_schema_version(connection, path)
    elif connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
        raise StoreUnavailableError(f"{path}: the database of another program")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in CREATE_STATEMENTS:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
