"""The statements that keep the tables of budgets, in sizes that stay prepared."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from experiments.budget_tables import ACCOUNT_COLUMNS, RESERVATION_COLUMNS

_CHUNKS = (64, 32, 16, 8, 4, 2, 1)

Row = tuple[object, ...]


def _insert(table: str, columns: Iterable[str], rows: int, conflict: str = "") -> str:
    names = list(columns)
    values = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES {values}{conflict}"  # noqa: S608 names are ours


_KEY_COLUMNS = ("programme", "account_id", "period")
_SET_TOTALS = ", ".join(f"{name} = excluded.{name}" for name in ACCOUNT_COLUMNS if name not in _KEY_COLUMNS)
_UPSERT = f" ON CONFLICT ({', '.join(_KEY_COLUMNS)}) DO UPDATE SET {_SET_TOTALS}"
INSERT_RESERVATIONS = {rows: _insert("reservations", RESERVATION_COLUMNS, rows) for rows in _CHUNKS}
KEEP_ACCOUNTS = {rows: _insert("budget_accounts", ACCOUNT_COLUMNS, rows, _UPSERT) for rows in _CHUNKS}
# Not pairs of account and period: SQLite would look for those among all accounts of the programme.
READ_ACCOUNTS = {
    size: f"""
    SELECT account_id, period, reserved_units, reserved_micros, committed_units, committed_micros FROM budget_accounts
    WHERE programme = ? AND account_id IN ({", ".join("?" * size)}) AND period IN ({", ".join("?" * size)})
    """  # noqa: S608 names are ours
    for size in (16, 8, 4, 2, 1)
}
LAST_VERSION = "SELECT coalesce(max(version), 0) FROM budget_accounts"
# The plus keeps SQLite from reading all accounts of the programme instead of the new versions.
SPENT = """
    SELECT account_id, period, reserved_units + committed_units, reserved_micros + committed_micros, version
    FROM budget_accounts WHERE version > ? AND +programme = ?
"""
# One row for all: SQLite's driver lets another thread run at every row.
_KEPT = "SELECT json_group_array(json_array(decision_id, reserve_time, json(draws), states)) FROM"
OF_DECISION = f"{_KEPT} reservations WHERE programme = ? AND decision_id = ?"
_EXPIRED = "reservations WHERE programme = ? AND expire_time <= ?"
EXPIRED = f"{_KEPT} (SELECT * FROM {_EXPIRED} ORDER BY expire_time, decision_id LIMIT ?)"  # noqa: S608 ours
EXPIRED_OF_ACCOUNT = f"{_KEPT} {_EXPIRED} AND instr(draws, ?)"
NEXT_EXPIRY = "SELECT min(expire_time) FROM reservations WHERE programme = ? AND expire_time > ?"
# The programme is one of the values, for SQLite would else read all reservations of the programme.
CHANGE_RESERVATIONS = """
    UPDATE reservations SET states = json_extract(one.value, '$[1]'), expire_time = json_extract(one.value, '$[2]')
    FROM json_each(?) AS one
    WHERE programme = json_extract(one.value, '$[3]') AND decision_id = json_extract(one.value, '$[0]')
"""
LATEST_OF_MEMBER = """
    SELECT decision_id FROM reservations AS r
    WHERE programme = ? AND member_id = ? AND instr(draws, ?) AND EXISTS (
        SELECT 1 FROM json_each(r.draws) AS one
        WHERE json_extract(one.value, '$[0]') = ? AND substr(r.states, one.key + 1, 1) = ?
    )
    ORDER BY reserve_time DESC, decision_id DESC LIMIT 1
"""


def execute_many(cursor: sqlite3.Cursor, statements: Mapping[int, str], rows: Sequence[Row]) -> None:
    """Run a statement for rows, as many at once as it can take."""
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            cursor.execute(statements[size], values)
            start += size
