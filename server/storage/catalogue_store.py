"""The store of catalogues: every change of a programme's catalogue, with the catalogue that came of it."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from server.catalogue.diff import CatalogueChange, ChangeSource
from server.errors import StoreUnavailableError
from server.storage.schema import CATALOGUE_COLUMNS, catalogue_from_row, catalogue_row

_LISTED = ", ".join(CATALOGUE_COLUMNS)
_INSERT = (
    f"INSERT INTO catalogue_changes ({_LISTED}) VALUES ({', '.join('?' * len(CATALOGUE_COLUMNS))})"  # noqa: S608 ours
    " ON CONFLICT DO NOTHING"
)
_SELECT = f"SELECT {_LISTED} FROM catalogue_changes WHERE programme = ?"  # noqa: S608 names are ours
_LAST = " ORDER BY position DESC LIMIT 1"
_NEXT = " ORDER BY position LIMIT ?"


class CatalogueStore(Protocol):
    """Keeps the changes of catalogues durably. Safe to call from any thread.

    Raises (every method):
        StoreUnavailableError: The store cannot be used; nothing was kept.
        StoreTimeoutError: A write was not confirmed in time; it may still be kept.
    """

    def append_catalogue_change(self, change: CatalogueChange, timeout: float) -> CatalogueChange:
        """Keep the change and return it once it is on disk, after ``timeout`` seconds at most.

        If its ``request_id`` is known, or else its position is taken, keep nothing and return the change that has it.
        """
        ...

    def stored_catalogue(self, programme: str) -> CatalogueChange | None:
        """Return the last change; ``None`` if there is none."""
        ...

    def last_catalogue_from_file(self, programme: str) -> CatalogueChange | None:
        """Return the last change that the configured file made; ``None`` if there is none."""
        ...

    def catalogue_at(self, programme: str, revision: str) -> CatalogueChange | None:
        """Return the last change that led to a revision; ``None`` if none did."""
        ...

    def catalogue_changes(
        self, programme: str, after_position: int, most: int
    ) -> tuple[CatalogueChange, ...]:
        """Return the changes after a position, oldest first.

        Args:
            programme: The loyalty programme.
            after_position: Changes up to this position are left out.
            most: How many at most.
        """
        ...

    def catalogue_change_of_request(self, programme: str, request_id: str) -> CatalogueChange | None:
        """Return the change that a request made, if it made one."""
        ...


@dataclass(frozen=True, slots=True)
class CatalogueWrite:
    """A change of a catalogue."""

    change: CatalogueChange

    def apply(self, cursor: sqlite3.Cursor) -> CatalogueChange:
        """Keep it unless its request or its position is there already; return the one that is."""
        change = self.change
        if cursor.execute(_INSERT, catalogue_row(change)).rowcount:
            return change
        found = None
        if change.request_id:
            key = (change.programme, change.request_id)
            found = cursor.execute(f"{_SELECT} AND request_id = ?", key).fetchone()
        if found is None:
            found = cursor.execute(
                f"{_SELECT} AND position = ?", (change.programme, change.position)
            ).fetchone()
        return catalogue_from_row(found)


class CatalogueReads(ABC):
    """Answers about catalogues, for a class that reads the file; see ``CatalogueStore`` for each method."""

    @abstractmethod
    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""

    def stored_catalogue(self, programme: str) -> CatalogueChange | None:
        """Return the last change."""
        return _first(self._rows(_SELECT + _LAST, programme))

    def last_catalogue_from_file(self, programme: str) -> CatalogueChange | None:
        """Return the last change that the configured file made."""
        return _first(self._rows(f"{_SELECT} AND source = ?{_LAST}", programme, ChangeSource.FILE.value))

    def catalogue_at(self, programme: str, revision: str) -> CatalogueChange | None:
        """Return the last change that led to a revision."""
        return _first(self._rows(f"{_SELECT} AND revision = ?{_LAST}", programme, revision))

    def catalogue_changes(
        self, programme: str, after_position: int, most: int
    ) -> tuple[CatalogueChange, ...]:
        """Return the changes after a position.

        Args:
            programme: The loyalty programme.
            after_position: Changes up to this position are left out.
            most: How many at most.
        """
        rows = self._rows(f"{_SELECT} AND position > ?{_NEXT}", programme, after_position, most)
        return tuple(map(catalogue_from_row, rows))

    def catalogue_change_of_request(self, programme: str, request_id: str) -> CatalogueChange | None:
        """Return the change that a request made."""
        return _first(self._rows(f"{_SELECT} AND request_id = ?", programme, request_id))


class CatalogueFile(CatalogueReads):
    """Reads the catalogues of an event log without writing to it.

    Args:
        path: The SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            uri = f"{self._path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True)) as connection:
                known = connection.execute(
                    "SELECT 1 FROM sqlite_master WHERE name = 'catalogue_changes'"
                ).fetchone()
                return connection.execute(statement, values).fetchall() if known else []
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error


def _first(rows: Iterable[tuple[Any, ...]]) -> CatalogueChange | None:
    return next(map(catalogue_from_row, rows), None)
