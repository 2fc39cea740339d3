"""Predicted values of policies, kept in the event log's file with the catalogue revision that they are about."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path

from experiments.errors import AnalysisError
from experiments.log.events import from_micros, to_micros
from experiments.off_policy.promise import Promise
from server.errors import StoreUnavailableError

_COLUMNS = tuple(field.name for field in fields(Promise))
_TIME = _COLUMNS.index("evaluate_time")
_CREATE = (
    "CREATE TABLE IF NOT EXISTS policy_promises (programme TEXT NOT NULL, revision TEXT NOT NULL, policy TEXT NOT NULL,"
    " evaluate_time INTEGER NOT NULL, estimator TEXT NOT NULL, difference REAL NOT NULL, standard_error REAL NOT NULL,"
    " value REAL NOT NULL, verdict TEXT NOT NULL, fingerprint TEXT NOT NULL)"
)
_INSERT = f"INSERT INTO policy_promises ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 names are ours
_SELECT = (
    f"SELECT {', '.join(_COLUMNS)} FROM policy_promises WHERE programme = ? AND revision = ? ORDER BY rowid"  # noqa: S608 names are ours
)
_PATIENCE_S = 30.0


class PromiseFile:
    """Promises in the SQLite file of a server, which may be running. They are added and read, never changed.

    Args:
        path: The file.

    Raises:
        AnalysisError: There is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise AnalysisError(f"There is no event log at {path}; start the server once.", path=str(path))
        self._path = path

    def keep(self, promise: Promise) -> None:
        """Add a promise.

        Raises:
            StoreUnavailableError: It cannot be written.
        """
        row = list(astuple(promise))
        row[_TIME] = to_micros(promise.evaluate_time)
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE_S)) as connection, connection:
                connection.execute(_CREATE)
                connection.execute(_INSERT, row)
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error

    def of(self, programme: str, revision: str) -> Sequence[Promise]:
        """Return the promises about a revision, oldest first.

        Raises:
            StoreUnavailableError: They cannot be read.
        """
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                known = connection.execute(
                    "SELECT 1 FROM sqlite_master WHERE name = 'policy_promises'"
                ).fetchone()
                rows = connection.execute(_SELECT, (programme, revision)).fetchall() if known else []
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error
        named = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        return [Promise(**(one | {"evaluate_time": from_micros(one["evaluate_time"])})) for one in named]
