"""Group commit: many requests share one transaction, and so one sync of the disk.

Requests hand their items to one writing thread. It takes all that wait, commits them together, and only then wakes the
requests. While the disk syncs, the next group gathers; so the cost of a sync is shared by as many requests as arrive
meanwhile, and a lone request does not wait for company.
"""

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from server.errors import StoreTimeoutError, StoreUnavailableError

_LARGEST_GROUP = 512

Item = TypeVar("Item")


class Ticket(Generic[Item]):
    """An item on its way to disk, and the latch on which its request waits.

    Attributes:
        item: What to write.
        result: What the request is told; set by the commit.
        error: Why it was not written.
    """

    __slots__ = ("error", "item", "latch", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.result: Any = None
        self.error: Exception | None = None
        self.latch = threading.Lock()
        self.latch.acquire()

    def wait(self, timeout: float) -> Any:
        """Return the item's result once its group is on disk; again, if asked again.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            StoreTimeoutError: It took longer; the item may still be written.
            StoreUnavailableError: The group could not be written.
        """
        if not self.latch.acquire(timeout=max(timeout, 0.0)):
            raise StoreTimeoutError
        self.latch.release()
        if self.error is not None:
            raise self.error
        return self.result


class GroupCommit(Generic[Item]):
    """Gathers items into groups and commits each group once.

    Args:
        commit: Writes a group durably and sets the result of each ticket, or raises and writes nothing. Called from one
            thread only.
        on_commit: Called after each commit with the size of the group.
    """

    def __init__(
        self, commit: Callable[[Sequence[Ticket[Item]]], None], on_commit: Callable[[int], None]
    ) -> None:
        self._commit = commit
        self._on_commit = on_commit
        self._waiting: SimpleQueue[Ticket[Item] | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._writer = threading.Thread(target=self._write_groups, name="event-log-writer", daemon=True)
        self._writer.start()

    def put(self, item: Item) -> Ticket[Item]:
        """Send an item on its way; items are written in the order of these calls.

        Raises:
            StoreUnavailableError: Writing has ended.
        """
        ticket = Ticket(item)
        with self._closing:
            if self._closed:
                raise StoreUnavailableError("the server is stopping")
            self._waiting.put(ticket)
        return ticket

    def submit(self, item: Item, timeout: float) -> Any:
        """Return the item's result once its group is on disk; see ``put`` and ``Ticket.wait``."""
        return self.put(item).wait(timeout)

    def close(self) -> None:
        """Write what waits, then end. Closing twice does nothing."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._writer.join()

    def _write_groups(self) -> None:
        open_ = True
        while open_:
            group, open_ = self._next_group()
            if group:
                self._write(group)

    def _next_group(self) -> tuple[list[Ticket[Item]], bool]:
        group: list[Ticket[Item]] = []
        following = self._waiting.get()
        while following is not None:
            group.append(following)
            if len(group) == _LARGEST_GROUP:
                return group, True
            try:
                following = self._waiting.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _write(self, group: Sequence[Ticket[Item]]) -> None:
        try:
            self._commit(group)
        except StoreUnavailableError as error:
            _fail(group, error)
        except Exception as error:  # noqa: BLE001 whatever happened, nobody may wait for ever
            if len(group) > 1:
                # One item cannot be written; one by one, only that one fails.
                for ticket in group:
                    self._write([ticket])
                return
            _fail(group, error)
        for ticket in group:
            ticket.latch.release()
        self._on_commit(len(group))


def _fail(group: Sequence[Ticket[Item]], error: Exception) -> None:
    for ticket in group:
        ticket.error = error
