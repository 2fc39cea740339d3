"""The evidence that decisions read: brought up to date from the log now and then, by one thread."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from server.decide.evidence import NO_EVIDENCE, Evidence

Mark = tuple[int, int]
ReadEvidence = Callable[[str, Mark], tuple[dict[str, tuple[int, int]], Mark]]
"""Counts decisions and responses of a programme's candidates since a mark, and returns the mark reached."""


class Responses:
    """The evidence of each programme. Reading it is safe from any thread; only one brings it up to date.

    Args:
        read: Reads the log.
        asks: Tells whether anything in a programme reads evidence; otherwise none is gathered.
        interval: Between two looks into the log.
    """

    def __init__(self, read: ReadEvidence, asks: Callable[[str], bool], interval: timedelta) -> None:
        self._read = read
        self._asks = asks
        self._interval = interval
        self._marks: dict[str, Mark] = {}
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
            if self._asks(programme):
                self._look(programme)
        self._due = now + self._interval

    def _look(self, programme: str) -> None:
        found, mark = self._read(programme, self._marks.get(programme, (0, 0)))
        if found:
            counts = dict(self.of(programme).counts)
            for candidate_id, (given, answered) in found.items():
                before = counts.get(candidate_id, (0, 0))
                counts[candidate_id] = (before[0] + given, before[1] + answered)
            self._evidence[programme] = Evidence(counts)
        self._marks[programme] = mark
