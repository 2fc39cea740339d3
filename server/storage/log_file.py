"""An event log that is read without a server, and beside a running one."""

import sqlite3
from array import array
from contextlib import closing
from datetime import datetime
from pathlib import Path

from experiments.errors import AnalysisError
from experiments.log.events import Decision, to_micros
from experiments.log.rows import DECISION_COLUMNS, SCHEMA_VERSION, check_schema_version, decision_from_row
from server.storage.catalogue_store import CatalogueReads
from server.storage.reads import MemberReads

_ROWS = "SELECT rowid FROM decisions WHERE programme = ? AND decide_time >= ? ORDER BY rowid"
_AT = f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions WHERE rowid = ?"  # noqa: S608 names are ours
_EARLIEST = -(2**63)


class LogFile(MemberReads, CatalogueReads):
    """Decisions, what they read, and catalogues in the SQLite file of a server. Nothing is ever written to it.

    Args:
        path: The file.

    Raises:
        AnalysisError: There is no such file, it is not a log, or its schema version is another one.
    """

    def __init__(self, path: Path) -> None:
        _check(path)
        super().__init__(path)

    def decision_rows(self, programme: str, since: datetime | None = None) -> "array[int]":
        """Return where the decisions of a programme are, in the order in which they were logged.

        Args:
            programme: The loyalty programme.
            since: Only those decided at this time or later; all if none.

        Raises:
            StoreUnavailableError: The file cannot be read.
        """
        earliest = _EARLIEST if since is None else to_micros(since)
        return array("q", (row for (row,) in self._rows(_ROWS, programme, earliest)))

    def decision_at(self, row: int) -> Decision:
        """Return the decision at a place that ``decision_rows`` named.

        Raises:
            StoreUnavailableError: The file cannot be read.
        """
        return decision_from_row(self._rows(_AT, row)[0])


def _check(path: Path) -> None:
    if not path.is_file():
        raise AnalysisError(f"There is no decision log at {path}.", path=str(path))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check_schema_version(connection, path)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise AnalysisError(f"{path} cannot be read as a decision log: {error}.", path=str(path)) from error
    if version != SCHEMA_VERSION:
        raise AnalysisError(
            f"{path} holds a log of schema version {version}, which does not have what decisions read; `troth serve` brings it"
            f" to version {SCHEMA_VERSION}, from when on decisions can be explained and made again.",
            path=str(path),
            version=str(version),
        )
