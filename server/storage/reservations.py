"""Reservations in the file: one row for all that a decision took, read and changed for many decisions by one statement."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from experiments.budget_tables import COMMITTED, OPEN, RELEASED
from experiments.log.events import Decision
from server.budgets import Draw
from server.storage.budget_statements import (
    CHANGE_RESERVATIONS,
    EXPIRED,
    EXPIRED_OF_ACCOUNT,
    INSERT_RESERVATIONS,
    LATEST_OF_MEMBER,
    NEXT_EXPIRY,
    OF_DECISION,
    Row,
    execute_many,
)


class Part(NamedTuple):
    """What a reservation took for one candidate from one account; times and money as in ``Draw``."""

    candidate_id: str
    account_id: str
    period: int
    units: int
    micros: int
    hold_micros: int


class Changed(NamedTuple):
    """A part whose state has changed, and its state before."""

    part: Part
    before: str


class Reservations:
    """The reservations of all programmes, within the transactions of one thread.

    What is added goes to the file with ``write``, or before the first question.
    """

    def __init__(self) -> None:
        self._added: list[Row] = []

    def add(self, programme: str, draws: Sequence[Draw], decision: Decision, now: int) -> int:
        """Add what a decision takes, and return when the first of it runs out."""
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
        """Return the member's latest decision with an open reservation of a candidate, else with a released one."""
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
        """Commit what a decision reserved for a candidate, released or not; return what that changed."""
        return self._change(
            cursor,
            programme,
            (OF_DECISION, programme, decision_id),
            COMMITTED,
            lambda part, state, _: part.candidate_id == candidate_id and state != COMMITTED,
        )

    def release(self, cursor: sqlite3.Cursor, programme: str, now: int, most: int) -> list[Changed]:
        """Release what has run out, of so many decisions at most, the oldest first; return what that changed."""
        return self._release(cursor, programme, (EXPIRED, programme, now, most), now)

    def release_beside(
        self, cursor: sqlite3.Cursor, programme: str, account_id: str, now: int
    ) -> tuple[list[Changed], int | None]:
        """Release what has run out of the decisions that took from an account.

        Returns:
            What that changed, and a time before which no more of the account runs out; none if nothing is open.
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
        applies: Callable[[Part, str, int], bool],
    ) -> list[Changed]:
        """Give the parts to which it applies another state, told each one's state and when it was reserved."""
        self.write(cursor)
        (found,) = cursor.execute(question[0], question[1:]).fetchone()
        changed, rows = [], []
        for decision_id, reserve_time, draws, states in json.loads(found):
            parts = [Part(*one) for one in draws]
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
