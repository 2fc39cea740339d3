"""The embedded event log: one SQLite file in WAL mode, synced at every commit, many requests to a commit.

Group commit: requests hand their rows to one writing thread, which takes all that wait, writes them in one transaction,
lets SQLite sync the file (``synchronous=FULL``), and only then wakes the requests. While the disk syncs, the next group
gathers; so the cost of a sync is shared by as many requests as arrive meanwhile.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from experiments.events import (
    CREATE_STATEMENTS,
    DECISION_COLUMNS,
    EXPOSURE_COLUMNS,
    OUTCOME_COLUMNS,
    SCHEMA_VERSION,
    Decision,
    Exposure,
    Outcome,
    check_schema_version,
    decision_from_row,
    decision_row,
    exposure_row,
    outcome_row,
)
from server.errors import StoreTimeoutError, StoreUnavailableError
from server.storage.log import AppendResult

_LARGEST_GROUP = 512
_BUSY_TIMEOUT_S = 5.0

T = TypeVar("T")


def _insert(table: str, columns: dict[str, str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608 ours


_INSERT_DECISION = _insert("decisions", DECISION_COLUMNS)
_INSERT_EXPOSURE = _insert("exposures", EXPOSURE_COLUMNS)
_INSERT_OUTCOME = _insert("outcomes", OUTCOME_COLUMNS)
_SELECT_BY_REQUEST = (
    f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions WHERE programme = ? AND request_id = ?"  # noqa: S608 ours
)
_SELECT_DECISION_OF_MEMBER = (
    "SELECT 1 FROM decisions WHERE programme = ? AND decision_id = ? AND member_id = ?"
)


class _Write(Generic[T]):
    """One request's share of a transaction, and the latch on which the request waits."""

    __slots__ = ("error", "latch", "run", "value")

    def __init__(self, run: Callable[[sqlite3.Cursor], T]) -> None:
        self.run = run
        self.value: T | None = None
        self.error: Exception | None = None
        self.latch = threading.Lock()
        self.latch.acquire()

    def result(self, timeout: float) -> T:
        """Wait until the transaction is on disk and return what the share found."""
        if not self.latch.acquire(timeout=max(timeout, 0.0)):
            raise StoreTimeoutError
        if self.error is not None:
            raise self.error
        assert self.value is not None
        return self.value


class SqliteEventLog:
    """An ``EventLog`` in one SQLite file, created if there is none.

    Args:
        path: The file. Its folder must exist.
        on_commit: Called after each transaction with the number of requests in it.

    Raises:
        StoreUnavailableError: The file cannot be opened for writing.
        AnalysisError: The file holds a log of another schema version.
    """

    def __init__(self, path: Path, on_commit: Callable[[int], None] | None = None) -> None:
        self._on_commit = on_commit
        self._connection = _open(path)
        self._waiting: SimpleQueue[_Write[object] | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._writer = threading.Thread(target=self._write_groups, name="event-log-writer", daemon=True)
        self._writer.start()

    def append_decision(self, decision: Decision, timeout: float) -> Decision:
        """See ``EventLog.append_decision``."""
        row = decision_row(decision)

        def run(cursor: sqlite3.Cursor) -> Decision:
            if cursor.execute(_INSERT_DECISION, row).rowcount:
                return decision
            known = cursor.execute(_SELECT_BY_REQUEST, (decision.programme, decision.request_id)).fetchone()
            return decision_from_row(known)

        return self._submit(run, timeout)

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """See ``EventLog.append_exposures``."""
        rows = [exposure_row(exposure) for exposure in exposures]

        def run(cursor: sqlite3.Cursor) -> AppendResult:
            accepted = sum(cursor.execute(_INSERT_EXPOSURE, row).rowcount for row in rows)
            return AppendResult(accepted, len(rows) - accepted)

        return self._submit(run, timeout)

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """See ``EventLog.append_outcomes``."""
        rows = [(outcome, outcome_row(outcome)) for outcome in outcomes]

        def run(cursor: sqlite3.Cursor) -> AppendResult:
            accepted = unattributed = 0
            for outcome, row in rows:
                if cursor.execute(_INSERT_OUTCOME, row).rowcount:
                    accepted += 1
                    key = (outcome.programme, outcome.decision_id, outcome.member_id)
                    if cursor.execute(_SELECT_DECISION_OF_MEMBER, key).fetchone() is None:
                        unattributed += 1
            return AppendResult(accepted, len(rows) - accepted, unattributed)

        return self._submit(run, timeout)

    def close(self) -> None:
        """Write what is waiting, then release the file. Closing twice does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._writer.join()
        self._connection.close()

    def _submit(self, run: Callable[[sqlite3.Cursor], T], timeout: float) -> T:
        write = _Write(run)
        with self._closing:
            if self._closed:
                raise StoreUnavailableError("the server is stopping")
            self._waiting.put(write)  # type: ignore[arg-type]  # the queue does not care about the result's type
        return write.result(timeout)

    def _write_groups(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            last = False
            while len(group) < _LARGEST_GROUP:
                try:
                    following = self._waiting.get_nowait()
                except Empty:
                    break
                if following is None:
                    last = True
                    break
                group.append(following)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[_Write[object]]) -> None:
        try:
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            for write in group:
                write.value = write.run(cursor)
            cursor.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 whatever happened, nobody may wait for ever
            self._roll_back()
            if len(group) > 1 and not isinstance(error, sqlite3.OperationalError):
                # The rows of one request cannot be kept; one by one, only that request fails.
                for write in group:
                    self._commit([write])
                return
            for write in group:
                write.error = StoreUnavailableError(str(error)) if isinstance(error, sqlite3.Error) else error
        for write in group:
            write.latch.release()
        if self._on_commit is not None:
            self._on_commit(len(group))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
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
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version:
            check_schema_version(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        for statement in CREATE_STATEMENTS:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailableError(f"{path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection
