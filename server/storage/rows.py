"""Rows into tables, many to a statement."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows to an INSERT. SQLite's driver lets another thread run at every statement, which under load costs a decision more than
the statement itself; so a group goes in few statements, of sizes that stay prepared."""

Row = tuple[object, ...]


class RowInsert:
    """Inserts rows into one table.

    Args:
        table: The table.
        columns: Its columns, in the order of a row.
        otherwise: What to do with a row whose key is there; by default the statement fails.
    """

    def __init__(self, table: str, columns: dict[str, str], otherwise: str = "") -> None:
        marks = f"({', '.join('?' * len(columns))})"
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 names are ours
        self._statements = {size: f"{start}{', '.join([marks] * size)} {otherwise}" for size in _CHUNKS}

    def insert(self, cursor: sqlite3.Cursor, rows: Sequence[Row]) -> int:
        """Insert the rows, in their order; return how many were new."""
        start = new = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                values: list[Any] = list(chain.from_iterable(rows[start : start + size]))
                new += cursor.execute(self._statements[size], values).rowcount
                start += size
        return new
