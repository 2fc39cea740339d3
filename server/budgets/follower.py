"""What keeps the books true between decisions: reservations run out, and other processes spend."""

from collections.abc import Callable, Mapping
from datetime import datetime

from experiments.log.events import to_micros
from server.budgets.book import Book, Totals

MOST_RELEASED = 1000
"""So many reservations are released in one transaction, so that decisions need not wait long for it."""
_MOST_ROUNDS = 50


class BudgetFollower:
    """Brings the books of all programmes up to date. Called from one thread, about every second.

    Args:
        books: Returns the books in force, by programme.
        release: Releases at most ``MOST_RELEASED`` reservations of a programme that have run out by a time, in microseconds
            since the Unix epoch, and returns how many it released.
        read: Reads what is spent of the accounts of a programme that changed after a version.
    """

    def __init__(
        self,
        books: Callable[[], Mapping[str, Book]],
        release: Callable[[str, int], int],
        read: Callable[[str, int], Totals],
    ) -> None:
        self._books = books
        self._release = release
        self._read = read

    def follow(self, now: datetime) -> None:
        """Release what has run out, and read what was spent.

        Raises:
            StoreUnavailableError: The store cannot be read or written.
            StoreTimeoutError: It took too long; the next call tries again.
        """
        micros = to_micros(now)
        for programme, book in self._books().items():
            if book.limits_something:
                for _ in range(_MOST_ROUNDS):
                    if self._release(programme, micros) < MOST_RELEASED:
                        break
                # Also what this process spent itself: whatever order the news came in, the store's is right.
                book.follow(self._read(programme, book.version))
