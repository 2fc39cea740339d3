"""Budgets and inventory: accounts, what a decision draws from them, and what they have closed."""

from server.budgets.draw import Draw

__all__ = ["Draw"]
