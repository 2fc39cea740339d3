"""The statements that keep the tables of budgets, in sizes that stay prepared.

States of reservations stand in them as literals, so that SQLite can use the indexes of the open ones.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from experiments.budget_tables import ACCOUNT_COLUMNS, COMMITTED, RELEASED, RESERVATION_COLUMNS

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
_OF_ACCOUNT = "programme = ? AND account_id = ? AND period = ? AND state = 'reserved'"
_EXPIRED_OF_ACCOUNT = f"FROM reservations WHERE {_OF_ACCOUNT} AND expire_time <= ?"
NEXT_EXPIRY = f"SELECT min(expire_time) FROM reservations WHERE {_OF_ACCOUNT}"  # noqa: S608 ours
_EXPIRED = """
    FROM reservations WHERE programme = ? AND state = 'reserved' AND expire_time <= ? ORDER BY expire_time, rowid LIMIT ?
"""
_OF_DECISION = "programme = ? AND decision_id = ? AND candidate_id = ? AND state <> 'committed'"
LATEST_OF_MEMBER = """
    SELECT decision_id FROM reservations
    WHERE programme = ? AND member_id = ? AND candidate_id = ? AND state <> 'committed'
    ORDER BY state = 'reserved' DESC, reserve_time DESC, rowid DESC LIMIT 1
"""
EXPIRED_OF_ACCOUNT = f"SELECT coalesce(sum(units), 0), coalesce(sum(micros), 0) {_EXPIRED_OF_ACCOUNT}"
RELEASE_OF_ACCOUNT = (
    f"UPDATE reservations SET state = '{RELEASED}' WHERE rowid IN (SELECT rowid {_EXPIRED_OF_ACCOUNT})"  # noqa: S608 ours
)
EXPIRED = f"""
    SELECT account_id, period, count(*), sum(units), sum(micros) FROM (SELECT account_id, period, units, micros {_EXPIRED})
    GROUP BY account_id, period
"""  # noqa: S608 ours
RELEASE = f"UPDATE reservations SET state = '{RELEASED}' WHERE rowid IN (SELECT rowid {_EXPIRED})"  # noqa: S608 ours
OF_DECISION = f"SELECT account_id, period, units, micros, state FROM reservations WHERE {_OF_DECISION}"  # noqa: S608 ours
COMMIT_OF_DECISION = f"UPDATE reservations SET state = '{COMMITTED}' WHERE {_OF_DECISION}"  # noqa: S608 ours


def execute_many(cursor: sqlite3.Cursor, statements: Mapping[int, str], rows: Sequence[Row]) -> None:
    """Run a statement for rows, as many at once as it can take."""
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            cursor.execute(statements[size], values)
            start += size
