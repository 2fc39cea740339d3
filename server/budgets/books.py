"""The books of all programmes."""

from collections.abc import Callable, Mapping

from server.budgets.accounts import Accounts
from server.budgets.book import Book, Changes, Totals


class Books:
    """One book for each programme. Safe to share between threads.

    Args:
        read: Reads what is spent of the accounts of a programme that changed after a version.
    """

    def __init__(self, read: Callable[[str, int], Totals]) -> None:
        self._read = read
        self._books: dict[str, Book] = {}

    def open(self, programme: str, accounts: Accounts) -> None:
        """Open a new book on the accounts of the catalogue in force, with what the store knows is spent.

        Raises:
            StoreUnavailableError: The store cannot be read.
        """
        book = Book(accounts)
        self._books[programme] = book
        if book.limits_something:
            # What is spent meanwhile reaches the new book too, and is in the store by the next look.
            book.follow(self._read(programme, 0))

    def of(self, programme: str) -> Book:
        """Return the book of a programme that is served."""
        return self._books[programme]

    def all(self) -> Mapping[str, Book]:
        """Return the books in force, by programme."""
        return dict(self._books)

    def spent(self, programme: str, changes: Changes) -> None:
        """Note what is spent now."""
        book = self._books.get(programme)
        if book is not None:
            book.spent(changes)
