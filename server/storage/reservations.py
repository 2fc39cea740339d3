"""Reservations in the file: one row for all that a decision took, read and changed for many decisions by one statement."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from experiments.log.events import Decision
from server.budgets import Draw
from server.storage.schema import ACCOUNT_COLUMNS, COMMITTED, OPEN, RELEASED, RESERVATION_COLUMNS

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
    """Run a statement for rows, as many at once as it can take.

    Args:
        cursor: Of the open transaction.
        statements: The statement, by how many rows it takes.
        rows: Values of one row each.
    """
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            values = list(chain.from_iterable(rows[start : start + size]))
            cursor.execute(statements[size], values)
            start += size


class ReservedPart(NamedTuple):
    """What a reservation took for one candidate from one account; times and money as in ``Draw``."""

    candidate_id: str
    account_id: str
    period: int
    units: int
    micros: int
    hold_micros: int


class Changed(NamedTuple):
    """A part whose state has changed, and its state before."""

    part: ReservedPart
    before: str


class Reservations:
    """The reservations of all programmes, within the transactions of one thread.

    What is added goes to the file with ``write``, or before the first question.
    """

    def __init__(self) -> None:
        self._added: list[Row] = []

    def add(self, programme: str, draws: Sequence[Draw], decision: Decision, now: int) -> int:
        """Add what a decision takes, and return when the first of it runs out.

        Args:
            programme: The loyalty programme.
            draws: What the decision takes from which account.
            decision: The decision.
            now: When it begins, microseconds since 1970.

        Returns:
            When the first runs out, microseconds since 1970.
        """
        expire_time = now + min([draw.hold_micros for draw in draws])
        document = f"[{','.join([draw.document for draw in draws])}]"
        self._added.append(
            (
                programme, decision.decision_id, decision.member_id, now, expire_time,
                document, OPEN * len(draws),
            )
        )  # fmt: skip
        return expire_time

    def write(self, cursor: sqlite3.Cursor) -> None:
        """Write what was added."""
        execute_many(cursor, INSERT_RESERVATIONS, self._added)
        self._added.clear()

    def forget(self) -> None:
        """Forget what was added."""
        self._added.clear()

    def latest_of(
        self, cursor: sqlite3.Cursor, programme: str, member_id: str, candidate_id: str
    ) -> str | None:
        """Return the member's latest decision with an open reservation of a candidate, else with a released one.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            member_id: The member.
            candidate_id: The offer or action.
        """
        self.write(cursor)
        wanted = (programme, member_id, f"[{json.dumps(candidate_id)},", candidate_id)
        for state in (OPEN, RELEASED):
            found = cursor.execute(LATEST_OF_MEMBER, (*wanted, state)).fetchone()
            if found is not None:
                return str(found[0])
        return None

    def commit(
        self, cursor: sqlite3.Cursor, programme: str, decision_id: str, candidate_id: str
    ) -> list[Changed]:
        """Commit what a decision reserved for a candidate, released or not; return what that changed.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            decision_id: The decision.
            candidate_id: The offer or action.

        Returns:
            What changed, by account.
        """
        return self._change(
            cursor,
            programme,
            (OF_DECISION, programme, decision_id),
            COMMITTED,
            lambda part, state, _: part.candidate_id == candidate_id and state != COMMITTED,
        )

    def release(self, cursor: sqlite3.Cursor, programme: str, now: int, most: int) -> list[Changed]:
        """Release what has run out, of so many decisions at most, the oldest first; return what that changed.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            now: The time, microseconds since 1970.
            most: Decisions at most.

        Returns:
            What changed, by account.
        """
        return self._release(cursor, programme, (EXPIRED, programme, now, most), now)

    def release_beside(
        self, cursor: sqlite3.Cursor, programme: str, account_id: str, now: int
    ) -> tuple[list[Changed], int | None]:
        """Release what has run out of the decisions that took from an account.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            account_id: The account.
            now: The time, microseconds since 1970.

        Returns:
            What that changed, and a time before which no more of the account runs out; ``None`` if nothing is open.
        """
        account = f",{json.dumps(account_id)},"
        changed = self._release(cursor, programme, (EXPIRED_OF_ACCOUNT, programme, now, account), now)
        (following,) = cursor.execute(NEXT_EXPIRY, (programme, now)).fetchone()
        return changed, following

    def _release(
        self, cursor: sqlite3.Cursor, programme: str, question: tuple[str, *tuple[object, ...]], now: int
    ) -> list[Changed]:
        return self._change(
            cursor,
            programme,
            question,
            RELEASED,
            lambda part, state, reserved: state == OPEN and reserved + part.hold_micros <= now,
        )

    def _change(
        self,
        cursor: sqlite3.Cursor,
        programme: str,
        question: tuple[str, *tuple[object, ...]],
        after: str,
        applies: Callable[[ReservedPart, str, int], bool],
    ) -> list[Changed]:
        """Give the parts to which it applies another state, told each one's state and when it was reserved."""
        self.write(cursor)
        (found,) = cursor.execute(question[0], question[1:]).fetchone()
        changed, rows = [], []
        for decision_id, reserve_time, draws, states in json.loads(found):
            parts = [ReservedPart(*one) for one in draws]
            new = list(states)
            for place, part in enumerate(parts):
                if applies(part, states[place], reserve_time):
                    changed.append(Changed(part, states[place]))
                    new[place] = after
            ends = [
                reserve_time + part.hold_micros
                for part, state in zip(parts, new, strict=True)
                if state == OPEN
            ]
            rows.append((decision_id, "".join(new), min(ends, default=None), programme))
        if changed:
            cursor.execute(CHANGE_RESERVATIONS, (json.dumps(rows),))
        return changed
