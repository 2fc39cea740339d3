"""Budgets and inventory: accounts, what a decision draws from them, and what they have closed."""

from server.budgets.accounts import Account, Accounts
from server.budgets.book import Book, Changes, Spent, Totals
from server.budgets.books import Books
from server.budgets.closed import NOTHING_CLOSED, Closed
from server.budgets.draw import Draw
from server.budgets.follower import MOST_RELEASED, BudgetFollower

__all__ = [
    "MOST_RELEASED",
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
