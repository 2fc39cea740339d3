"""Connections that only read, so that no question waits for the writer or for another question."""

import sqlite3
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from server.errors import StoreUnavailableError


class ReadPool:
    """Answers statements, each from a connection that nobody else uses meanwhile. There are as many as were ever needed at once.

    Args:
        path: The SQLite file; its tables must be there.
    """

    def __init__(self, path: Path) -> None:
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._ended = False
        self._idle.put(self._connect())

    def close(self) -> None:
        """Release the file. Closing twice does nothing."""
        self._ended = True
        self._release()

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        if self._ended:
            raise StoreUnavailableError("the server is stopping")
        try:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = self._connect()
            try:
                return connection.execute(statement, values).fetchall()
            finally:
                self._idle.put(connection)
                if self._ended:
                    self._release()
        except sqlite3.Error as error:
            raise StoreUnavailableError(str(error)) from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)

    def _release(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return
