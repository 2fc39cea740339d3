"""What runs beside the requests: the cache of evidence that decisions read, and the thread of background tasks."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from experiments.errors import DomainError
from experiments.log.events import to_micros
from server.clock import Clock
from server.decide.context import NO_EVIDENCE, Evidence

ReadEvidence = Callable[[str, int, int], tuple[dict[str, tuple[int, int]], int]]
"""Counts decisions and responses of a programme's candidates after a mark up to a time in microseconds, and returns the mark
reached."""


class EvidenceCache:
    """The evidence of each programme. Reading it is safe from any thread; only one brings it up to date.

    Args:
        read: Reads the log.
        window: Tells how long there is to respond to a decision of a programme before it counts; ``None`` where nothing reads
            evidence, and then none is gathered.
        interval: Between two looks into the log.
    """

    def __init__(
        self, read: ReadEvidence, window: Callable[[str], timedelta | None], interval: timedelta
    ) -> None:
        self._read = read
        self._window = window
        self._interval = interval
        self._marks: dict[str, int] = {}
        self._evidence: dict[str, Evidence] = {}
        self._due: datetime | None = None

    def of(self, programme: str) -> Evidence:
        """Return what is known of responses in a programme."""
        return self._evidence.get(programme, NO_EVIDENCE)

    def follow(self, programmes: Iterable[str], now: datetime) -> None:
        """Look into the log if it is time to.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        if self._due is not None and now < self._due:
            return
        for programme in programmes:
            window = self._window(programme)
            if window is not None:
                self._look(programme, now - window)
        self._due = now + self._interval

    def _look(self, programme: str, until: datetime) -> None:
        found, mark = self._read(programme, self._marks.get(programme, 0), to_micros(until))
        if found:
            counts = dict(self.of(programme).counts)
            for candidate_id, (given, answered) in found.items():
                before = counts.get(candidate_id, (0, 0))
                counts[candidate_id] = (before[0] + given, before[1] + answered)
            self._evidence[programme] = Evidence(counts)
        self._marks[programme] = mark


_log = logging.getLogger("troth.housekeeping")

Chore = Callable[[datetime], None]


class BackgroundTasks:
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
