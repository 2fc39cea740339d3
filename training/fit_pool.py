"""Two processes that fit recommenders, each with the data of the job in memory."""

import multiprocessing
import os
import pickle  # only between this process and its own workers
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.errors import TrainingError
from training.evaluation import Evaluation, ValidationWindow, evaluate
from training.recommenders import Recommender

WORKERS = 2


@dataclass(frozen=True, eq=False)
class JobData:
    """What the fits and evaluations of a job work on.

    Attributes:
        train: Purchases of the training weeks.
        refit: Purchases up to the end of the validation window.
        window: Trips of the validation window.
        activity: float64[members of the window], purchase rows in the training weeks.
    """

    train: Interactions
    refit: Interactions
    window: ValidationWindow
    activity: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Attempt:
    """One setting, fitted on the training weeks and evaluated.

    Attributes:
        recommender: The setting.
        evaluation: How it did on the validation window.
        fit_seconds: Wall time of the fit.
    """

    recommender: Recommender
    evaluation: Evaluation
    fit_seconds: float


@contextmanager
def fit_pool(data: JobData) -> Iterator[ProcessPoolExecutor]:
    """Start the processes, hand them the data, and end them, at once when the job fails.

    Processes are spawned, not forked: a fork would copy the locks of polars' and OpenMP's threads in whatever state
    they are. The data goes through a temporary file of this user: a process that dies while it is fed through the
    pipe would leave this one waiting forever.

    Raises:
        TrainingError: A process ended before its fit was done.
    """
    others = set(multiprocessing.active_children())
    with tempfile.TemporaryDirectory(prefix="troth-fits-") as folder:
        path = Path(folder) / "job_data"
        path.write_bytes(pickle.dumps(data, protocol=pickle.HIGHEST_PROTOCOL))
        pool = ProcessPoolExecutor(
            WORKERS,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(path,),
        )
        try:
            yield pool
        except BaseException as error:
            # A fit cannot be interrupted from Python; waiting would keep Ctrl-C from working for half a minute.
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise TrainingError(
                    "A process that fits models ended before it was done: it was stopped, ran out of memory, or was "
                    "started by a script without `if __name__ == '__main__':`."
                ) from error
            raise
        pool.shutdown()


def attempt(recommender: Recommender, seed: int) -> Attempt:
    """Fit a setting on the training weeks and evaluate it; runs in a worker."""
    data = _worker_data()
    started = time.perf_counter()
    model = recommender.fit(data.train, seed=seed)
    seconds = time.perf_counter() - started
    return Attempt(recommender=recommender, evaluation=evaluate(model, data.window), fit_seconds=seconds)


def refit(recommender: Recommender, seed: int) -> tuple[OfferModel, float]:
    """Fit a setting on all visible weeks; runs in a worker. Returns the model and the seconds it took."""
    started = time.perf_counter()
    model = recommender.fit(_worker_data().refit, seed=seed)
    return model, time.perf_counter() - started


_held: list[JobData] = []


def _start_worker(path: Path) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    # BLAS threads of its own would make each fit fight with the one in the other process.
    threadpool_limits(1)
    # The parent answers Ctrl-C; a worker that printed a traceback of its own would only confuse.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _held.append(pickle.loads(path.read_bytes()))  # noqa: S301  # written a moment ago by the parent, for this process


def _end_with_parent() -> None:
    """Exit when the parent is gone, however it ended; a pool's workers would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _worker_data() -> JobData:
    return _held[0]
