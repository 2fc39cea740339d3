"""What the log's writer asks of whoever keeps the budgets."""

import sqlite3
from collections.abc import Sequence
from typing import Protocol

from experiments.log.events import Decision, Outcome
from server.budgets import Draw


class BudgetWriter(Protocol):
    """Keeps reservations in the transactions of the log. Called from one thread only."""

    def release_expired(self, cursor: sqlite3.Cursor, programme: str, now_micros: int) -> int:
        """Release reservations that have run out, and return how many."""
        ...

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Reserve all draws of a decision, or none; return the candidates for which an account has not enough left."""
        ...

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> object:
        """Commit what the decisions of these new redemptions reserved."""
        ...

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Write what was reserved in this transaction, which is about to be committed."""
        ...

    def committed(self) -> None:
        """Hear that the transaction is on disk."""
        ...

    def rolled_back(self) -> None:
        """Hear that the transaction was undone: whatever was learned in it is void."""
        ...


class NoBudgets:
    """A log without budgets: nothing can be drawn from it."""

    def release_expired(self, cursor: sqlite3.Cursor, programme: str, now_micros: int) -> int:
        """Release nothing."""
        del cursor, programme, now_micros
        return 0

    def reserve(
        self, cursor: sqlite3.Cursor, programme: str, draws: Sequence[Draw], decision: Decision
    ) -> tuple[str, ...]:
        """Refuse every candidate that draws."""
        del cursor, programme, decision
        return tuple(dict.fromkeys(draw.candidate_id for draw in draws))

    def redeemed(self, cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> None:
        """Do nothing."""

    def flush(self, cursor: sqlite3.Cursor) -> None:
        """Do nothing."""

    def committed(self) -> None:
        """Do nothing."""

    def rolled_back(self) -> None:
        """Do nothing."""
