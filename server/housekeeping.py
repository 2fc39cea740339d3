"""What has to be done now and then while the server runs, on a thread of its own."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from experiments.errors import DomainError
from server.handlers.request_checks import Clock

_log = logging.getLogger("troth.housekeeping")

Chore = Callable[[datetime], None]


class Housekeeping:
    """Does its chores about every second. A chore that fails is tried again; the others are done all the same.

    Args:
        chores: Each gets the time.
        clock: The server's clock.
        interval: Seconds between rounds.
    """

    def __init__(self, chores: Sequence[Chore], clock: Clock, interval: float = 1.0) -> None:
        self._chores = chores
        self._clock = clock
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the chore under way, and end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> None:
        """Do every chore once."""
        for chore in self._chores:
            try:
                chore(self._clock())
            except DomainError as error:
                _log.warning("a chore failed", extra={"fields": {"problem": error.message}})
            except Exception:  # noqa: BLE001 the others must go on
                _log.exception("a chore failed")

    def _work(self) -> None:
        while not self._stopped.wait(self._interval):
            self.round()
