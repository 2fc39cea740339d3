"""Reserving, committing and releasing budgets within the transactions that keep decisions and outcomes.

Totals of accounts stay in memory from one transaction to the next until another process writes, and what changed goes to
the file once for a whole group of decisions.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.log.events import Decision, Outcome, to_micros
from server.budgets import MAX_RELEASED, Changes, Draw, Spent, Totals
from server.members.state import REDEMPTION
from server.storage.protocols import BudgetWriter
from server.storage.reservations import (
    KEEP_ACCOUNTS,
    LAST_VERSION,
    READ_ACCOUNTS,
    SPENT,
    Changed,
    Reservations,
    Row,
    execute_many,
)
from server.storage.schema import OPEN, RELEASED


@dataclass(slots=True)
class AccountTotals:
    """An account in one period.

    Attributes:
        reserved_units: Units that open reservations hold.
        reserved_micros: The same in money, in millionths of the catalogue's currency.
        committed_units: Units that were redeemed.
        committed_micros: The same in money.
        next_expiry: A time before which none of its open reservations runs out; ``None`` if nothing is known.
    """

    reserved_units: int = 0
    reserved_micros: int = 0
    committed_units: int = 0
    committed_micros: int = 0
    next_expiry: int | None = None

    @property
    def spent(self) -> Spent:
        """Reserved and committed together."""
        return self.reserved_units + self.committed_units, self.reserved_micros + self.committed_micros

    def reserve(self, units: int, micros: int) -> None:
        """Add to what is reserved."""
        self.reserved_units += units
        self.reserved_micros += micros

    def allows(self, draw: Draw, units: int = 0, micros: int = 0) -> bool:
        """Tell whether no more is spent than a draw allows, if so much is added.

        Args:
            draw: What is to be taken.
            units: Units to be added.
            micros: Money to be added, in millionths.

        Returns:
            Whether there is enough left.
        """
        return (
            draw.allowed_units is None
            or self.reserved_units + self.committed_units + units <= draw.allowed_units
        ) and (
            draw.allowed_micros is None
            or self.reserved_micros + self.committed_micros + micros <= draw.allowed_micros
        )

    def commit(self, units: int, micros: int) -> None:
        """Add to what is committed."""
        self.committed_units += units
        self.committed_micros += micros


OnSpent = Callable[[str, Changes], None]
"""Told the programme, and what is now spent of the accounts that changed."""

_MAX_REMEMBERED = 200_000
_NEVER = 2**63 - 1

_Key = tuple[str, str, int]
"""Programme, account, period."""


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
        self._accounts: dict[_Key, AccountTotals] = {}
        self._data_version: int | None = None
        self._checked = False
        self._version: int | None = None
        self._reservations = Reservations()
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
        keys = [(programme, draw.account_id, draw.period) for draw in draws]
        self._read(cursor, keys)
        if not self._take(keys, draws):
            refused = self._refused(cursor, programme, draws, now)
            if refused:
                return refused
            self._take(keys, draws)
        self._changed.update(keys)
        self._told.update(keys)
        expire_time = self._reservations.add(programme, draws, decision, now)
        for key in keys:
            account = self._accounts[key]
            if account.next_expiry is not None and account.next_expiry > expire_time:
                account.next_expiry = expire_time
        return ()

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> None:
        """Commit what was reserved for the redemptions among some outcomes that are new in the log.

        A redemption that names no decision belongs to the member's latest open reservation of its offer, or to their latest
        released one. What was released already is spent again: the offer has been used.
        """
        for outcome in outcomes:
            if outcome.outcome_type == REDEMPTION and outcome.offer_id:
                self._redeem(cursor, outcome)

    def release_expired(
        self, cursor: sqlite3.Cursor, programme: str, now_micros: int, most: int = MAX_RELEASED
    ) -> int:
        """Release the reservations that have run out, those of the oldest decisions first.

        Args:
            cursor: Of the open transaction.
            programme: The loyalty programme.
            now_micros: Those that expire at this time or before, microseconds since the Unix epoch.
            most: Of so many decisions at most.

        Returns:
            How many draws were released; if fewer than ``most``, none is left.
        """
        changed = self._reservations.release(cursor, programme, now_micros, most)
        self._give_back(cursor, programme, changed)
        return len(changed)

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Write what the transaction has reserved, and the totals it changed."""
        self._reservations.write(cursor)
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
        self._reservations.forget()
        self._changed.clear()
        self._told.clear()

    def _take(self, keys: Sequence[_Key], draws: Sequence[Draw]) -> bool:
        """Take all draws from their accounts, or nothing if one does not fit; tell which."""
        accounts = self._accounts
        for place, draw in enumerate(draws):
            account = accounts[keys[place]]
            account.reserved_units += draw.units
            account.reserved_micros += draw.micros
            if not account.allows(draw):
                for key, taken in zip(keys[: place + 1], draws, strict=False):
                    accounts[key].reserve(-taken.units, -taken.micros)
                return False
        return True

    def _refused(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], now: int
    ) -> tuple[str, ...]:
        """Return the candidates that do not fit after those before them; release what has run out first."""
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
        return tuple(refused)

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
            if not self._accounts[key].allows(draw, *wanted[key]):
                # What it is refused on others may not know yet.
                self._told.add(key)
                if not self._release(cursor, key, now) or not self._accounts[key].allows(draw, *wanted[key]):
                    return None
        return wanted

    def _redeem(self, cursor: sqlite3.Cursor, outcome: Outcome) -> None:
        programme, decision_id = outcome.programme, outcome.decision_id
        if not decision_id:
            found = self._reservations.latest_of(cursor, programme, outcome.member_id, outcome.offer_id)
            if found is None:
                return
            decision_id = found
        changed = self._reservations.commit(cursor, programme, decision_id, outcome.offer_id)
        self._read(cursor, [(programme, part.account_id, part.period) for part, _ in changed])
        for part, before in changed:
            account = self._change((programme, part.account_id, part.period))
            account.commit(part.units, part.micros)
            if before == OPEN:
                account.reserve(-part.units, -part.micros)
        self._late += any(before == RELEASED for _, before in changed)

    def _release(self, cursor: sqlite3.Cursor, key: _Key, now: int) -> bool:
        """Release what has run out of one account, and what ran out with it; tell whether that was anything."""
        account = self._accounts[key]
        if account.next_expiry is not None and now < account.next_expiry:
            return False
        changed, following = self._reservations.release_beside(cursor, key[0], key[1], now)
        self._give_back(cursor, key[0], changed)
        account.next_expiry = _NEVER if following is None else following
        return bool(changed)

    def _give_back(self, cursor: sqlite3.Cursor, programme: str, released: Sequence[Changed]) -> None:
        self._read(cursor, [(programme, part.account_id, part.period) for part, _ in released])
        for part, _ in released:
            self._change((programme, part.account_id, part.period)).reserve(-part.units, -part.micros)

    def _change(self, key: _Key) -> AccountTotals:
        self._changed.add(key)
        self._told.add(key)
        return self._accounts[key]

    def _check(self, cursor: sqlite3.Cursor) -> None:
        """Forget what is in memory if another process has written since the last transaction."""
        (data_version,) = cursor.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version or len(self._accounts) > _MAX_REMEMBERED:
            self._accounts.clear()
            self._version = None
        self._data_version = data_version
        self._checked = True

    def _read(self, cursor: sqlite3.Cursor, keys: Sequence[_Key]) -> None:
        """Have the accounts of one programme in memory."""
        if not self._checked:
            self._check(cursor)
        missing = sorted({key for key in keys if key not in self._accounts})
        while missing:
            size = next(size for size in READ_ACCOUNTS if size <= len(missing))
            part, missing = missing[:size], missing[size:]
            for key in part:
                self._accounts[key] = AccountTotals()
            programme = part[0][0]
            values = (programme, *(key[1] for key in part), *(key[2] for key in part))
            for account_id, period, *amounts in cursor.execute(READ_ACCOUNTS[size], values):
                if (programme, account_id, period) in part:
                    self._accounts[programme, account_id, period] = AccountTotals(*amounts)


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
    """Return what is spent of the accounts of a programme that changed after a version: of all of them by default.

    Args:
        connection: A connection to the file.
        programme: The loyalty programme.
        after_version: Changes up to this version are left out.
    """
    return totals_of(connection.execute(SPENT, (after_version, programme)).fetchall(), after_version)


def totals_of(rows: Sequence[tuple[Any, ...]], after_version: int) -> Totals:
    """Return what the rows of ``SPENT`` say."""
    version = max((row[-1] for row in rows), default=after_version)
    return Totals(
        version, {(account_id, period): (units, micros) for account_id, period, units, micros, _ in rows}
    )
