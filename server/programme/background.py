"""The thread of background tasks, which runs beside the requests."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from experiments.errors import DomainError
from server.clock import Clock

_log = logging.getLogger("troth.background")

Task = Callable[[datetime], None]
"""Gets the time by the server's clock."""


class BackgroundTasks:
    """Runs tasks about every second. One that fails is logged and tried again; the others run all the same.

    Args:
        tasks: In the order in which they run.
        clock: The server's clock.
        interval: Seconds between rounds.
    """

    def __init__(self, tasks: Sequence[Task], clock: Clock, interval: float = 1.0) -> None:
        self._tasks = tasks
        self._clock = clock
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="background-tasks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the task under way, and end."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def run_once(self) -> None:
        """Run every task once."""
        for task in self._tasks:
            try:
                task(self._clock())
            except DomainError as error:
                _log.warning("a background task failed", extra={"fields": {"problem": error.message}})
            except Exception:  # noqa: BLE001 the others must go on
                _log.exception("a background task failed")

    def _work(self) -> None:
        while not self._stopped.wait(self._interval):
            self.run_once()
