"""The embedded store: one SQLite file in WAL mode, synced at every commit, many requests to a commit."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from experiments import change_tables
from experiments.changes import ExperimentChange
from experiments.event_tables import (
    CREATE_STATEMENTS,
    INDEX_STATEMENTS,
    SCHEMA_VERSION,
    bring_up_to_date,
    check_schema_version,
    decision_row,
    exposure_row,
    outcome_row,
)
from experiments.events import Decision, Exposure, Outcome
from server.errors import StoreUnavailableError
from server.storage.group_commit import GroupCommit, Ticket
from server.storage.log import AppendResult
from server.storage.registry import IdentityLink, LinkResult
from server.storage.sqlite_reads import SqliteReads
from server.storage.sqlite_writes import (
    ChangeWrite,
    DecisionWrite,
    ExposureWrite,
    LinkWrite,
    OutcomeWrite,
    Write,
    write_decisions,
)

_BUSY_TIMEOUT_S = 5.0
_FAULTS_OF_A_ROW = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)


class SqliteEventLog(SqliteReads):
    """An ``EventLog`` and ``ExperimentStore`` in one SQLite file, created if there is none, brought up to date if it is old.

    Args:
        path: The file. Its folder must exist.
        on_commit: Called after each transaction with the number of requests in it.
        on_outcomes: Called with the outcomes of a request that were new, once they are on disk and before the request is
            told; also if it has stopped waiting. It must not raise.

    Raises:
        StoreUnavailableError: The file cannot be opened for writing.
        AnalysisError: The file holds a log of a newer schema version.
    """

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[int], None] = lambda _: None,
        on_outcomes: Callable[[Sequence[Outcome]], None] = lambda _: None,
    ) -> None:
        self._on_outcomes = on_outcomes
        self._writing = _open(path)
        super().__init__(path)
        self._group: GroupCommit[Write] = GroupCommit(self._commit, on_commit)

    def append_decision(self, decision: Decision, timeout: float) -> Decision:
        """See ``EventLog.append_decision``."""
        logged: Decision = self._group.submit(DecisionWrite(decision, decision_row(decision)), timeout)
        return logged

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """See ``EventLog.append_exposures``."""
        write = ExposureWrite([exposure_row(exposure) for exposure in exposures])
        result: AppendResult = self._group.submit(write, timeout)
        return result

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """See ``EventLog.append_outcomes``."""
        write = OutcomeWrite(outcomes, [outcome_row(outcome) for outcome in outcomes])
        result: AppendResult = self._group.submit(write, timeout)
        return result

    def append_change(self, change: ExperimentChange, timeout: float) -> ExperimentChange:
        """See ``ExperimentStore.append_change``."""
        kept: ExperimentChange = self._group.submit(ChangeWrite(change), timeout)
        return kept

    def link_identities(
        self, programme: str, links: Sequence[IdentityLink], link_time: datetime, timeout: float
    ) -> LinkResult:
        """See ``ExperimentStore.link_identities``."""
        result: LinkResult = self._group.submit(LinkWrite(programme, links, link_time), timeout)
        return result

    def close(self) -> None:
        """Write what is waiting, then release the file. Closing twice does nothing."""
        self._group.close()
        super().close()
        self._writing.close()

    def _commit(self, group: Sequence[Ticket[Write]]) -> None:
        try:
            cursor = self._writing.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            decisions = []
            for ticket in group:
                if isinstance(ticket.item, DecisionWrite):
                    decisions.append((ticket, ticket.item))
                else:
                    ticket.result = ticket.item.apply(cursor)
            write_decisions(cursor, decisions)
            cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, _FAULTS_OF_A_ROW):
                raise StoreUnavailableError(str(error)) from error
            raise
        for ticket in group:
            if isinstance(ticket.item, OutcomeWrite):
                self._on_outcomes(ticket.item.accepted)

    def _roll_back(self) -> None:
        if self._writing.in_transaction:
            try:
                self._writing.execute("ROLLBACK")
            except sqlite3.Error:
                # SQLite has rolled back by itself, as it does when the disk is full.
                return


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
    for statement in (*CREATE_STATEMENTS, *change_tables.CREATE_STATEMENTS):
        connection.execute(statement)
    bring_up_to_date(connection)
    for statement in INDEX_STATEMENTS:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")
