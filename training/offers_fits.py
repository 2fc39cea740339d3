"""The fits of a training job: two at a time, the slow ones so that neither core waits at the end."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.data.dataset import OfferDataset
from training.data.interactions import Interactions
from training.evaluation import Evaluation, ValidationWindow, WeekSplit, evaluate
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


@dataclass(frozen=True, eq=False)
class FittedRecommender:
    """A recommender whose settings are chosen, fitted again on all visible weeks.

    Attributes:
        attempts: Every setting that was tried.
        chosen: The best of them.
        model: The refitted model.
        refit_seconds: Wall time of the refit.
    """

    attempts: tuple[Attempt, ...]
    chosen: Attempt
    model: OfferModel
    refit_seconds: float

    @property
    def recommender(self) -> Recommender:
        """The chosen setting."""
        return self.chosen.recommender

    @property
    def evaluation(self) -> Evaluation:
        """How the chosen setting did on the validation window."""
        return self.chosen.evaluation

    @property
    def validation_fit_seconds(self) -> float:
        """Wall time of all fits on the training weeks."""
        return sum(attempt.fit_seconds for attempt in self.attempts)

    def settings_json(self) -> list[dict[str, Any]]:
        """Return every setting that was tried with its metrics, as plain values."""
        return [
            {
                "parameters": attempt.recommender.parameters,
                "metrics": {
                    name: {"value": estimate.value, "standard_error": estimate.standard_error}
                    for name, estimate in attempt.evaluation.metrics.items()
                },
                "fit_seconds": round(attempt.fit_seconds, 3),
                "chosen": attempt is self.chosen,
            }
            for attempt in self.attempts
        ]


def prepare(dataset: OfferDataset, split: WeekSplit) -> JobData:
    """Code the visible weeks of a data set."""
    train = split.interactions(dataset, split.train_until)
    window = split.window(dataset)
    rows = dict(zip(train.member_ids, np.bincount(train.member).tolist(), strict=True))
    return JobData(
        train=train,
        refit=split.interactions(dataset, split.refit_until),
        window=window,
        activity=np.array([rows.get(member_id, 0) for member_id in window.member_ids], dtype=np.float64),
    )


def run_fits(
    recommenders: Sequence[type[Recommender]], data: JobData, *, seed: int, done: Callable[[str], None]
) -> dict[str, FittedRecommender]:
    """Try all settings, choose by hits per trip on validation, and refit the chosen ones.

    Args:
        recommenders: What to fit.
        data: What to fit and evaluate on.
        seed: Seed of every fit.
        done: Called in this thread with a line of text after each fit.

    Returns:
        The fitted recommenders by name.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    tries: dict[Future[Attempt], type[Recommender]] = {}
    refits: dict[str, Future[tuple[OfferModel, float]]] = {}
    attempts: dict[str, list[Attempt]] = {kind.name: [] for kind in recommenders}
    # BLAS threads of their own would make each fit fight with the one beside it.
    with threadpool_limits(1), ThreadPoolExecutor(WORKERS) as pool:
        try:
            for kind in _in_order(recommenders):
                for setting in kind.grid():
                    tries[pool.submit(_attempt, setting, data, seed)] = kind
                if len(kind.grid()) == 1:
                    # With nothing to choose, the refit need not wait for the evaluation.
                    refits[kind.name] = pool.submit(_refit, kind.grid()[0], data.refit, seed)
            for future in as_completed(tries):
                kind = tries[future]
                attempts[kind.name].append(future.result())
                done(f"Tried {kind.name}")
                if len(attempts[kind.name]) == len(kind.grid()) > 1:
                    chosen = _choose(attempts[kind.name], kind)
                    refits[kind.name] = pool.submit(_refit, chosen.recommender, data.refit, seed)
            fitted = {}
            for kind in recommenders:
                model, seconds = refits[kind.name].result()
                done(f"Refitted {kind.name}")
                ordered = sorted(
                    attempts[kind.name], key=lambda attempt: kind.grid().index(attempt.recommender)
                )
                fitted[kind.name] = FittedRecommender(
                    attempts=tuple(ordered),
                    chosen=_choose(attempts[kind.name], kind),
                    model=model,
                    refit_seconds=seconds,
                )
        except BaseException:
            # Without this an error or Ctrl-C would wait for every fit still queued.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return fitted


def _in_order(recommenders: Sequence[type[Recommender]]) -> list[type[Recommender]]:
    """Put one slow recommender first, to fill a core from the start, the quick ones next, and the other slow ones last."""
    slow = [kind for kind in reversed(recommenders) if kind.slow]
    return slow[:1] + [kind for kind in recommenders if not kind.slow] + slow[1:]


def _attempt(recommender: Recommender, data: JobData, seed: int) -> Attempt:
    started = time.perf_counter()
    model = recommender.fit(data.train, seed=seed)
    seconds = time.perf_counter() - started
    return Attempt(recommender=recommender, evaluation=evaluate(model, data.window), fit_seconds=seconds)


def _refit(recommender: Recommender, interactions: Interactions, seed: int) -> tuple[OfferModel, float]:
    started = time.perf_counter()
    model = recommender.fit(interactions, seed=seed)
    return model, time.perf_counter() - started


def _choose(attempts: Sequence[Attempt], kind: type[Recommender]) -> Attempt:
    """Return the best attempt; of equals, the first of the grid."""
    return max(
        attempts,
        key=lambda attempt: (
            attempt.evaluation.metrics["hits_per_trip"].value,
            -list(kind.grid()).index(attempt.recommender),
        ),
    )
