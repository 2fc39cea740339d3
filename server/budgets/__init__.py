"""Budgets and inventory: accounts, what a decision draws from them, and what they have closed."""

from server.budgets.accounts import Account, Accounts, Draw
from server.budgets.book import (
    MAX_RELEASED,
    NOTHING_CLOSED,
    Book,
    Books,
    BudgetFollower,
    Changes,
    Closed,
    Spent,
    Totals,
)

__all__ = [
    "MAX_RELEASED",
    "NOTHING_CLOSED",
    "Account",
    "Accounts",
    "Book",
    "Books",
    "BudgetFollower",
    "Changes",
    "Closed",
    "Draw",
    "Spent",
    "Totals",
]
