"""Analysing experiments over the server's own log, beside the work of serving."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.definition import ExperimentDefinition
from experiments.errors import AnalysisError
from server.clock import Clock
from server.errors import (
    AnalysisImpossibleError,
    ExperimentNotFoundError,
    ServerBusyError,
    StoreTimeoutError,
    StoreUnavailableError,
)
from server.programme.programmes import Programmes
from server.storage import ExperimentStore

MAX_WAITING = 8
"""Calls that wait for an analysis at once; each occupies a thread of requests."""

_RETRY_S = 5
_FRESH_S = 60.0
_GROWTH = 1.01
_MAX_KEPT = 64
_LEFT_OUT = frozenset({"statistics"})
"""What of the result's document is large and of no use to a client."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """The result of an analysis.

    Attributes:
        document: The JSON document of the result.
        etag: Of the definition that was analysed.
        analyze_time: When, by the server's clock.
        event_count: About how many events the log held.
        made: When, by a clock that is never set.
    """

    document: Mapping[str, Any]
    etag: str
    analyze_time: datetime
    event_count: int
    made: float


class ResultsHandler:
    """Answers ``GetExperimentResults``.

    One analysis runs at a time, in a thread of its own; calls for the same experiment share it. A result is given again for a
    minute, as long as the log grew by no more than one per cent.

    Args:
        programmes: Holds the experiments.
        store: Tells how much the log holds.
        path: The log.
        clock: The server's clock.
    """

    def __init__(self, programmes: Programmes, store: ExperimentStore, path: Path, clock: Clock) -> None:
        self._programmes = programmes
        self._store = store
        self._path = path
        self._clock = clock
        self._analysing = ThreadPoolExecutor(1, thread_name_prefix="analysis")
        self._places = threading.Semaphore(MAX_WAITING)
        self._looking = threading.Lock()
        self._kept: dict[tuple[str, str], Analysed] = {}
        self._under_way: dict[tuple[str, str, str], Future[Analysed]] = {}

    def close(self) -> None:
        """Finish the analysis under way and begin no more."""
        self._analysing.shutdown(cancel_futures=True)

    def results(self, programme: str, experiment_id: str, timeout: float) -> Analysed:
        """Return the analysis of an experiment.

        Args:
            programme: The loyalty programme.
            experiment_id: The experiment.
            timeout: Seconds to wait at most; an analysis that takes longer goes on for the next call.

        Raises:
            ProgrammeNotFoundError, ExperimentNotFoundError: There is no such experiment.
            AnalysisImpossibleError: The log cannot be analysed.
            ServerBusyError: Many calls wait already.
            StoreTimeoutError: It took longer.
        """
        try:
            known = self._programmes.current(programme).experiments[experiment_id]
        except KeyError:
            raise ExperimentNotFoundError(programme, experiment_id) from None
        event_count = self._store.event_count()
        kept = self._kept.get((programme, experiment_id))
        if kept is not None and kept.etag == known.etag and _is_fresh(kept, event_count):
            return kept
        if not self._places.acquire(blocking=False):
            raise ServerBusyError("analyses", _RETRY_S)
        try:
            return self._analysis(known.definition, known.etag).result(timeout)
        except FutureTimeoutError:
            raise StoreTimeoutError(
                "The analysis takes longer than the deadline; it goes on, ask again."
            ) from None
        except AnalysisError as error:
            raise AnalysisImpossibleError(experiment_id, error.message) from error
        finally:
            self._places.release()

    def _analysis(self, definition: ExperimentDefinition, etag: str) -> Future[Analysed]:
        """Return the analysis under way, or begin one."""
        key = (definition.programme, definition.experiment_id, etag)
        with self._looking:
            running = self._under_way.get(key)
            if running is None:
                try:
                    running = self._analysing.submit(self._analyse, definition, etag)
                except RuntimeError:
                    raise StoreUnavailableError("the server is stopping") from None
                self._under_way[key] = running
                running.add_done_callback(lambda _: self._under_way.pop(key, None))
            return running

    def _analyse(self, definition: ExperimentDefinition, etag: str) -> Analysed:
        # Here, because the analysis is heavy and most servers answer for hours before anybody asks for results.
        from experiments.analysis import analyze_log
        from experiments.log.frames import read_log

        event_count, analyze_time, made = self._store.event_count(), self._clock(), time.monotonic()
        result = analyze_log(definition, read_log(self._path, definition.programme))
        document = {name: value for name, value in result.to_json().items() if name not in _LEFT_OUT}
        analysed = Analysed(document, etag, analyze_time, event_count, made)
        if len(self._kept) >= _MAX_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[definition.programme, definition.experiment_id] = analysed
        return analysed


def _is_fresh(kept: Analysed, event_count: int) -> bool:
    return time.monotonic() - kept.made <= _FRESH_S and event_count <= kept.event_count * _GROWTH
