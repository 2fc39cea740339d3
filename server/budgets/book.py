"""What this process knows is spent, which candidates that closes, and what keeps it true: expiry, and other processes' spending.

A call costs a comparison of times as long as nothing changed; a spend costs a look at the accounts it touched, and the
candidates that it closed or opened. All accounts of a schedule are looked at only when its next hour or period begins.
"""

import hashlib
import json
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from experiments.log.events import to_micros
from server.budgets.accounts import Account, Accounts, Schedule, Window


@dataclass(frozen=True, slots=True)
class Closed:
    """The candidates for which some account has not enough left for one more.

    Attributes:
        candidate_ids: The candidates.
        sorted_ids: The same in the order of their ids.
        state_id: Names the content; empty if nothing is closed.
        document: The sorted ids as JSON text.
    """

    candidate_ids: frozenset[str]
    sorted_ids: tuple[str, ...]
    state_id: str
    document: str

    @classmethod
    def of(cls, candidate_ids: Iterable[str]) -> "Closed":
        """Return the value for some candidates."""
        sorted_ids = tuple(sorted(candidate_ids))
        document = json.dumps(sorted_ids, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(document.encode()).hexdigest()[:16]
        return cls(frozenset(sorted_ids), sorted_ids, f"budgets-{digest}" if sorted_ids else "", document)

    @classmethod
    def from_document(cls, document: str) -> "Closed":
        """Return the value whose document this is."""
        return cls.of(json.loads(document))


NOTHING_CLOSED = Closed.of(())


Spent = tuple[int, int]
"""Units and money, reserved and committed together; money in millionths of the catalogue's currency."""
Changes = Mapping[tuple[str, int], Spent]
"""What is spent of some accounts in some periods, in all."""

_PERIODS_KEPT = 3
_NOTHING: Spent = (0, 0)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the store knows is spent.

    Attributes:
        version: Counts the changes of accounts in the store; later changes have greater ones.
        spent: What is spent of each account in each period that was read.
    """

    version: int = 0
    spent: Changes = field(default_factory=dict)


class _Page:
    """One account: what is spent of it, and how many of its candidates are open.

    The candidates stand in the order of what they take, so those that are open come first.
    """

    __slots__ = (
        "account",
        "allowed_micros",
        "allowed_units",
        "candidate_ids",
        "costs",
        "open_count",
        "period",
        "spent",
    )

    def __init__(self, account: Account, candidates: list[tuple[int, str]]) -> None:
        candidates.sort()
        self.account = account
        self.costs = [cost for cost, _ in candidates]
        self.candidate_ids = [candidate_id for _, candidate_id in candidates]
        self.open_count = len(candidates)
        self.spent: dict[int, Spent] = {}
        self.period = 0
        self.allowed_units: int | None = None
        self.allowed_micros: int | None = None

    def turn(self, window: Window) -> None:
        account = self.account
        self.period = window.period
        self.allowed_units = None if account.units is None else window.allowed(account.units)
        self.allowed_micros = None if account.micros is None else window.allowed(account.micros)

    def spend(self, period: int, spent: Spent) -> None:
        self.spent[period] = spent
        if len(self.spent) > _PERIODS_KEPT:
            del self.spent[min(self.spent)]

    def affordable(self) -> int:
        """Return how many of the candidates, the cheapest first, could be given once more."""
        units, micros = self.spent.get(self.period, _NOTHING)
        if self.allowed_units is not None and units >= self.allowed_units:
            return 0
        if self.allowed_micros is None:
            return len(self.costs)
        return bisect_right(self.costs, self.allowed_micros - micros)


@dataclass(frozen=True, slots=True)
class _Current:
    from_micros: int
    until_micros: int
    closed: Closed


class Book:
    """What is spent of the accounts of one programme. Safe to share between threads.

    The store decides whether a reservation fits; the book spares it questions whose answer is known. A catalogue that is
    replaced gets a new book.

    Args:
        accounts: The accounts of the catalogue.
        totals: What the store knows is spent.

    Attributes:
        version: The greatest version that was read from the store.
    """

    def __init__(self, accounts: Accounts, totals: Totals | None = None) -> None:
        self.version = 0
        self._lock = threading.Lock()
        self._current: _Current | None = None
        self._closing: dict[str, int] = {}
        self._closed: Closed | None = NOTHING_CLOSED
        self._pages = {page.account.account_id: page for page in _pages(accounts)}
        self._windows: dict[Schedule, Window] = {}
        self._by_schedule: dict[Schedule, list[_Page]] = defaultdict(list)
        for page in self._pages.values():
            self._by_schedule[page.account.schedule].append(page)
        if totals is not None:
            self.follow(totals)

    @property
    def limits_something(self) -> bool:
        """Whether the catalogue has any budget or inventory."""
        return bool(self._pages)

    def spent(self, changes: Changes) -> None:
        """Set what is spent; accounts that the catalogue does not have are passed over."""
        if not self._pages:
            return
        with self._lock:
            for (account_id, period), spent in changes.items():
                page = self._pages.get(account_id)
                if page is not None:
                    page.spend(period, spent)
                    # Before the first question no period is known yet.
                    if period == page.period and page.account.schedule in self._windows:
                        self._look_at(page)

    def follow(self, totals: Totals) -> None:
        """Set what is spent to what was read from the store."""
        self.spent(totals.spent)
        self.version = max(self.version, totals.version)

    def closed(self, time: datetime) -> Closed:
        """Return the candidates for which some account has not enough left for one more.

        Args:
            time: The moment for which a decision is made.
        """
        if not self._pages:
            return NOTHING_CLOSED
        now = to_micros(time)
        current = self._current
        if current is None or not current.from_micros <= now < current.until_micros:
            with self._lock:
                current = self._closed_at(now)
        return current.closed

    def _closed_at(self, now: int) -> _Current:
        for schedule, pages in self._by_schedule.items():
            window = self._windows.get(schedule)
            if window is None or not window.holds(now):
                window = self._windows[schedule] = schedule.at(now)
                for page in pages:
                    page.turn(window)
                    self._look_at(page)
        if self._closed is None:
            self._closed = Closed.of(self._closing)
        self._current = _Current(
            from_micros=max(window.from_micros for window in self._windows.values()),
            until_micros=min(window.until_micros for window in self._windows.values()),
            closed=self._closed,
        )
        return self._current

    def _look_at(self, page: _Page) -> None:
        before, after = page.open_count, page.affordable()
        page.open_count = after
        for candidate_id in page.candidate_ids[after:before]:
            self._closing[candidate_id] = self._closing.get(candidate_id, 0) + 1
            if self._closing[candidate_id] == 1:
                self._closed = self._current = None
        for candidate_id in page.candidate_ids[before:after]:
            self._closing[candidate_id] -= 1
            if not self._closing[candidate_id]:
                del self._closing[candidate_id]
                self._closed = self._current = None


def _pages(accounts: Accounts) -> Iterator[_Page]:
    by_id: dict[str, Account] = {}
    candidates: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for candidate_id, drawn in accounts.by_candidate.items():
        for account in drawn:
            by_id[account.account_id] = account
            candidates[account.account_id].append((accounts.cost_micros[candidate_id], candidate_id))
    for account_id, account in by_id.items():
        yield _Page(account, candidates[account_id])


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


MAX_RELEASED = 1000
"""So many reservations are released in one transaction, so that decisions need not wait long for it."""
_MAX_ROUNDS = 50


class BudgetFollower:
    """Brings the books of all programmes up to date. Called from one thread, about every second.

    Args:
        books: Returns the books in force, by programme.
        release: Releases at most ``MAX_RELEASED`` reservations of a programme that have run out by a time, in microseconds
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
                for _ in range(_MAX_ROUNDS):
                    if self._release(programme, micros) < MAX_RELEASED:
                        break
                # Also what this process spent itself: whatever order the news came in, the store's is right.
                book.follow(self._read(programme, book.version))
