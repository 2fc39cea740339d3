"""Reserving, committing and releasing budgets within the transactions that keep decisions and outcomes.

Totals of accounts stay in memory from one transaction to the next until another process writes, and what changed goes to
the file once for a whole group of decisions.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.budget_tables import RELEASED, RESERVED
from experiments.events import Decision, Outcome, to_micros
from server.budgets import MOST_RELEASED, Changes, Draw, Spent, Totals
from server.members.state import REDEMPTION
from server.storage.budget_seam import BudgetWriter
from server.storage.budget_statements import (
    COMMIT_OF_DECISION,
    EXPIRED,
    EXPIRED_OF_ACCOUNT,
    INSERT_RESERVATIONS,
    KEEP_ACCOUNTS,
    LAST_VERSION,
    LATEST_OF_MEMBER,
    NEXT_EXPIRY,
    OF_DECISION,
    READ_ACCOUNTS,
    RELEASE,
    RELEASE_OF_ACCOUNT,
    SPENT,
    Row,
    execute_many,
)

OnSpent = Callable[[str, Changes], None]
"""Told the programme, and what is now spent of the accounts that changed."""

_MOST_REMEMBERED = 200_000
_NEVER = 2**63 - 1

_Key = tuple[str, str, int]
"""Programme, account, period."""


@dataclass(slots=True)
class _Account:
    """An account in one period, as the open transaction sees it.

    ``next_expiry`` is a time before which none of its open reservations runs out; none if nothing is known.
    """

    reserved_units: int = 0
    reserved_micros: int = 0
    committed_units: int = 0
    committed_micros: int = 0
    next_expiry: int | None = None

    @property
    def spent(self) -> Spent:
        return self.reserved_units + self.committed_units, self.reserved_micros + self.committed_micros

    def reserve(self, units: int, micros: int) -> None:
        self.reserved_units += units
        self.reserved_micros += micros

    def commit(self, units: int, micros: int) -> None:
        self.committed_units += units
        self.committed_micros += micros


class BudgetWrites:
    """Keeps the tables of budgets. Called by the log's writing thread only, within its transactions.

    In each transaction ``flush`` comes last; after it ``committed`` or ``rolled_back``.

    Args:
        on_spent: Told after each commit. It must not raise.

    Attributes:
        late_redemptions: Redemptions, since the start, that came after their reservation was released.
    """

    def __init__(self, on_spent: OnSpent = lambda _programme, _changes: None) -> None:
        self._on_spent = on_spent
        self._accounts: dict[_Key, _Account] = {}
        self._data_version: int | None = None
        self._checked = False
        self._version: int | None = None
        self._reservations: list[Row] = []
        self._changed: set[_Key] = set()
        self._told: set[_Key] = set()
        self._late = 0
        self.late_redemptions = 0

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Reserve what a decision takes, all or nothing, after those before it.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            draws: What it takes.
            decision: The decision.

        Returns:
            The candidates for which an account has not enough left; empty if all is reserved.
        """
        if not draws:
            return ()
        now = to_micros(decision.decide_time)
        self._read(cursor, programme, {(draw.account_id, draw.period) for draw in draws})
        taken: dict[_Key, Spent] = {}
        refused = []
        by_candidate: dict[str, list[Draw]] = {}
        for draw in draws:
            by_candidate.setdefault(draw.candidate_id, []).append(draw)
        for candidate_id, its_draws in by_candidate.items():
            wanted = self._with(cursor, programme, taken, its_draws, now)
            if wanted is None:
                refused.append(candidate_id)
            else:
                taken = wanted
        if refused:
            return tuple(refused)
        for draw in draws:
            self._add(programme, draw, decision, now)
        return ()

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> None:
        """Commit what was reserved for the redemptions among some outcomes that are new in the log.

        A redemption that names no decision belongs to the member's latest open reservation of its offer, or to her latest
        released one. What was released already is spent again: the offer has been used.
        """
        for outcome in outcomes:
            if outcome.outcome_type == REDEMPTION and outcome.offer_id:
                self._redeem(cursor, outcome)

    def release_expired(
        self, cursor: sqlite3.Cursor, programme: str, now_micros: int, most: int = MOST_RELEASED
    ) -> int:
        """Release the reservations that have run out, the oldest first.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            now_micros: Those that expire at this time or before, microseconds since the Unix epoch.
            most: At most so many.

        Returns:
            How many were released; if fewer than ``most``, none is left.
        """
        self._write_reservations(cursor)
        key = (programme, now_micros, most)
        rows = cursor.execute(EXPIRED, key).fetchall()
        if not rows:
            return 0
        cursor.execute(RELEASE, key)
        self._read(cursor, programme, {(account_id, period) for account_id, period, *_ in rows})
        for account_id, period, _, units, micros in rows:
            self._change((programme, account_id, period)).reserve(-units, -micros)
        return sum(row[2] for row in rows)

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Write what the transaction has reserved, and the totals it changed."""
        self._write_reservations(cursor)
        if not self._changed:
            return
        if self._version is None:
            self._version = int(cursor.execute(LAST_VERSION).fetchone()[0])
        self._version += 1
        rows: list[Row] = []
        for key in sorted(self._changed):
            one = self._accounts[key]
            amounts = (one.reserved_units, one.reserved_micros, one.committed_units, one.committed_micros)
            rows.append((*key, *amounts, self._version))
        execute_many(cursor, KEEP_ACCOUNTS, rows)
        self._changed.clear()

    def committed(self) -> None:
        """Tell what is spent now; call it after the transaction is on disk."""
        self._checked = False
        self.late_redemptions += self._late
        self._late = 0
        changes: dict[str, dict[tuple[str, int], Spent]] = {}
        for programme, account_id, period in self._told:
            spent = self._accounts[programme, account_id, period].spent
            changes.setdefault(programme, {})[account_id, period] = spent
        self._told.clear()
        for programme, its_changes in changes.items():
            self._on_spent(programme, its_changes)

    def rolled_back(self) -> None:
        """Forget everything in memory; call it after a transaction that was not kept."""
        self._checked = False
        self._late = 0
        self._accounts.clear()
        self._version = None
        self._reservations.clear()
        self._changed.clear()
        self._told.clear()

    def _with(
        self,
        cursor: sqlite3.Cursor,
        programme: str,
        taken: dict[_Key, Spent],
        draws: Sequence[Draw],
        now: int,
    ) -> dict[_Key, Spent] | None:
        """Return what is taken with these draws too; nothing if one of them does not fit."""
        wanted = dict(taken)
        for draw in draws:
            key = (programme, draw.account_id, draw.period)
            units, micros = wanted.get(key, (0, 0))
            wanted[key] = units + draw.units, micros + draw.micros
            if not self._fits(draw, key, wanted[key]):
                # What it is refused on others may not know yet.
                self._told.add(key)
                if not self._release(cursor, key, now) or not self._fits(draw, key, wanted[key]):
                    return None
        return wanted

    def _fits(self, draw: Draw, key: _Key, wanted: Spent) -> bool:
        units, micros = self._accounts[key].spent
        return (draw.allowed_units is None or units + wanted[0] <= draw.allowed_units) and (
            draw.allowed_micros is None or micros + wanted[1] <= draw.allowed_micros
        )

    def _add(self, programme: str, draw: Draw, decision: Decision, now: int) -> None:
        account = self._change((programme, draw.account_id, draw.period))
        account.reserve(draw.units, draw.micros)
        if account.next_expiry is not None:
            account.next_expiry = min(account.next_expiry, draw.expire_micros)
        self._reservations.append(
            (
                programme, decision.decision_id, draw.candidate_id, draw.account_id, decision.member_id, draw.period,
                draw.units, draw.micros, now, draw.expire_micros, RESERVED,
            )
        )  # fmt: skip

    def _redeem(self, cursor: sqlite3.Cursor, outcome: Outcome) -> None:
        self._write_reservations(cursor)
        programme, decision_id = outcome.programme, outcome.decision_id
        if not decision_id:
            found = cursor.execute(
                LATEST_OF_MEMBER, (programme, outcome.member_id, outcome.offer_id)
            ).fetchone()
            if found is None:
                return
            decision_id = found[0]
        key = (programme, decision_id, outcome.offer_id)
        rows = cursor.execute(OF_DECISION, key).fetchall()
        if not rows:
            return
        cursor.execute(COMMIT_OF_DECISION, key)
        self._read(cursor, programme, {(account_id, period) for account_id, period, *_ in rows})
        for account_id, period, units, micros, state in rows:
            account = self._change((programme, account_id, period))
            account.commit(units, micros)
            if state == RESERVED:
                account.reserve(-units, -micros)
        self._late += any(row[-1] == RELEASED for row in rows)

    def _release(self, cursor: sqlite3.Cursor, key: _Key, now: int) -> bool:
        """Release what has run out of one account; tell whether that was anything."""
        account = self._accounts[key]
        if account.next_expiry is not None and now < account.next_expiry:
            return False
        self._write_reservations(cursor)
        units, micros = cursor.execute(EXPIRED_OF_ACCOUNT, (*key, now)).fetchone()
        if units or micros:
            cursor.execute(RELEASE_OF_ACCOUNT, (*key, now))
            self._change(key).reserve(-units, -micros)
        (following,) = cursor.execute(NEXT_EXPIRY, key).fetchone()
        account.next_expiry = _NEVER if following is None else following
        return bool(units or micros)

    def _change(self, key: _Key) -> _Account:
        self._changed.add(key)
        self._told.add(key)
        return self._accounts[key]

    def _check(self, cursor: sqlite3.Cursor) -> None:
        """Forget what is in memory if another process has written since the last transaction."""
        (data_version,) = cursor.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._accounts) > _MOST_REMEMBERED:
            self._accounts.clear()
            self._version = None
        self._data_version = data_version
        self._checked = True

    def _read(self, cursor: sqlite3.Cursor, programme: str, wanted: set[tuple[str, int]]) -> None:
        """Have these accounts in memory."""
        if not self._checked:
            self._check(cursor)
        missing = [one for one in sorted(wanted) if (programme, *one) not in self._accounts]
        while missing:
            size = next(size for size in READ_ACCOUNTS if size <= len(missing))
            part, missing = missing[:size], missing[size:]
            for account_id, period in part:
                self._accounts[programme, account_id, period] = _Account()
            values = (programme, *(one for one, _ in part), *(period for _, period in part))
            for account_id, period, *amounts in cursor.execute(READ_ACCOUNTS[size], values):
                if (account_id, period) in part:
                    self._accounts[programme, account_id, period] = _Account(*amounts)

    def _write_reservations(self, cursor: sqlite3.Cursor) -> None:
        execute_many(cursor, INSERT_RESERVATIONS, self._reservations)
        self._reservations.clear()


@dataclass(frozen=True, slots=True)
class ReleaseWrite:
    """Reservations that have run out."""

    programme: str
    now_micros: int
    budgets: BudgetWriter

    def apply(self, cursor: sqlite3.Cursor) -> int:
        """Release them, and return how many."""
        return self.budgets.release_expired(cursor, self.programme, self.now_micros)


def account_totals(connection: sqlite3.Connection, programme: str, after_version: int = 0) -> Totals:
    """Return what is spent of the accounts of a programme that changed after a version: of all of them by default."""
    return totals_of(connection.execute(SPENT, (after_version, programme)).fetchall(), after_version)


def totals_of(rows: Sequence[tuple[Any, ...]], after_version: int) -> Totals:
    """Return what the rows of ``SPENT`` say."""
    version = max((row[-1] for row in rows), default=after_version)
    return Totals(
        version, {(account_id, period): (units, micros) for account_id, period, units, micros, _ in rows}
    )
