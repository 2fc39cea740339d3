"""Making the decisions of a log again, with nothing but the files of a configuration."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from server.config import Config
from server.errors import ReplayImpossibleError
from server.handlers.replay import ReplayHandler
from server.storage.log_file import LogFile

MAX_NAMED = 20
"""So many decisions that did not come out the same are named; all are counted."""
_REPORTED_EVERY = 100


@dataclass(frozen=True, slots=True)
class Deviation:
    """A decision that did not come out the same.

    Attributes:
        decision_id: The decision.
        why: What differs first, or why it cannot be made again.
    """

    decision_id: str
    why: str


@dataclass(frozen=True, slots=True)
class LogReplayed:
    """Many decisions made again.

    Attributes:
        identical_count: Decisions of which every bit is the same.
        different_count: Decisions of which something is not.
        impossible_count: Decisions that cannot be made again.
        deviations: The first of these.
        seconds: How long it took.
    """

    identical_count: int
    different_count: int
    impossible_count: int
    deviations: tuple[Deviation, ...]
    seconds: float

    @property
    def count(self) -> int:
        """All decisions that were tried."""
        return self.identical_count + self.different_count + self.impossible_count


class LogReplay:
    """The decisions of one programme in a log.

    Args:
        handler: Makes them again.
        log: Where they are.
        programme: The programme.

    Attributes:
        handler: Makes one again.
    """

    def __init__(self, handler: ReplayHandler, log: LogFile, programme: str) -> None:
        self.handler = handler
        self._log = log
        self._programme = programme

    def many(
        self, *, since: datetime | None, sample: int, report: Callable[[str, int, int], None]
    ) -> LogReplayed:
        """Make many decisions again.

        Args:
            since: Only those decided at this time or later; all if none.
            sample: At most so many, spread evenly over the log; all for 0.
            report: Told what is done, how much of it, and how much there is.

        Returns:
            How many came out as logged, and the differences of the others.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        started = time.monotonic()
        rows = _spread(self._log.decision_rows(self._programme, since), sample)
        different = impossible = 0
        deviations: list[Deviation] = []
        for done, row in enumerate(rows):
            if done % _REPORTED_EVERY == 0:
                report("decisions made again", done, len(rows))
            decision = self._log.decision_at(row)
            try:
                found = self.handler.again(decision).differences
            except ReplayImpossibleError as error:
                impossible += 1
                deviation = Deviation(decision.decision_id, error.message)
            else:
                if not found:
                    continue
                different += 1
                first = found[0]
                deviation = Deviation(
                    decision.decision_id, f"{first.path}: logged {first.logged}, now {first.replayed}"
                )
            if len(deviations) < MAX_NAMED:
                deviations.append(deviation)
        return LogReplayed(
            len(rows) - different - impossible,
            different,
            impossible,
            tuple(deviations),
            time.monotonic() - started,
        )


@contextmanager
def open_log_replay(config: Config, programme: str) -> Iterator[LogReplay]:
    """Open the log and the models of a programme for reading, beside a running server or without one.

    Args:
        config: The server's configuration.
        programme: One of its programmes.

    Raises:
        AnalysisError: There is no log, or it is of another schema version.
    """
    log = LogFile(Path(config.store.path))
    try:
        models = config.programmes[programme].models
        folders = {programme: Path(models)} if models else {}
        yield LogReplay(ReplayHandler(log, folders, lambda name: name), log, programme)
    finally:
        log.close()


def _spread(rows: Sequence[int], most: int) -> Sequence[int]:
    if most == 0 or len(rows) <= most:
        return rows
    return [rows[number * len(rows) // most] for number in range(most)]
