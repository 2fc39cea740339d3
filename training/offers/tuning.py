"""The first stage of a job: settings of each recommender chosen on validation within a budget, then fitted."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from experiments.stats.estimate import Estimate, estimate_of
from training.bundle.scorers import AnyScorer
from training.data.purchases import FitData
from training.evaluation import ModelEvaluation
from training.offers.job_data import MAX_VALIDATION_CASES, THREADS, JobData
from training.recommenders import Recommender
from training.recommenders.base import Parameter, SettingsTrial

STUDIES = "studies.db"


class Settings(Protocol):
    """Settings of something that is fitted."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Return the settings by name."""


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Tried:
    """What trying a setting gave.

    Attributes:
        metrics: Estimate by name on validation.
        fit_seconds: Wall time of the fits.
        score_seconds: Wall time of ranking.
        fixed: Settings that came out of the try itself, such as the best number of trees.
    """

    metrics: Mapping[str, Estimate]
    fit_seconds: float
    score_seconds: float
    fixed: Mapping[str, Parameter]


@dataclass(frozen=True)
class TuningBudget:
    """How much may be tried.

    Attributes:
        trials: Settings to try, those of earlier sessions included; the first are the defaults.
        seconds: When above 0, go on until so much time of this session has passed, however many trials it takes, and leave
            room to fit the best settings once more, for the test. The first trial of a study always runs.
    """

    trials: int
    seconds: float = 0.0


@dataclass(frozen=True)
class StudyRecord:
    """A finished trial of a study.

    Attributes:
        number: Place in the study, from 0.
        parameters: The settings.
        tried: What they gave.
    """

    number: int
    parameters: Mapping[str, Parameter]
    tried: Tried


def run_study(
    propose: Callable[[SettingsTrial], S],
    firsts: Sequence[S],
    attempt: Callable[[S], Tried],
    *,
    metric: str,
    store: Path,
    name: str,
    seed: int,
    budget: TuningBudget,
    done: Callable[[StudyRecord], None],
) -> list[StudyRecord]:
    """Try settings until the budget is spent and return all trials of the study, also those of earlier sessions.

    Args:
        propose: Asks a trial for settings.
        firsts: Settings to try first.
        attempt: Tries settings on validation.
        metric: Estimate to make as high as possible.
        store: Folder of the studies' database.
        name: Of the study; the same name goes on where an earlier session ended.
        seed: Of the sampler.
        budget: How much may be tried.
        done: Called after each trial of this session.

    Returns:
        All trials.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    store.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{(store / STUDIES).resolve()}",
        study_name=name,
        direction="maximize",
        # Trials of earlier sessions move the seed on, or a resumed study would propose the same again.
        sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=5, multivariate=False),
        load_if_exists=True,
    )
    before = len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed + before, n_startup_trials=5)
    if before == 0:
        for first in firsts:
            study.enqueue_trial(dict(first.parameters))
    # What earlier sessions took says what a trial will take.
    slowest = max((one.tried.fit_seconds + one.tried.score_seconds for one in _records(study)), default=0.0)
    started = time.monotonic()
    tried_already = {json.dumps(dict(record.parameters), sort_keys=True) for record in _records(study)}
    repeats = 0
    while _goes_on(len(tried_already), budget, time.monotonic() - started, slowest) and repeats < 5:
        trial = study.ask()
        settings = propose(trial)
        key = json.dumps(settings.parameters, sort_keys=True)
        if key in tried_already:
            repeats += 1
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        repeats = 0
        began = time.monotonic()
        tried = attempt(settings)
        slowest = max(slowest, time.monotonic() - began)
        trial.set_user_attr("tried", _to_json(settings.parameters, tried))
        study.tell(trial, tried.metrics[metric].value)
        tried_already.add(key)
        done(StudyRecord(trial.number, settings.parameters, tried))
    return _records(study)


def _goes_on(trials: int, budget: TuningBudget, elapsed: float, slowest: float) -> bool:
    if trials == 0:
        return True
    if budget.seconds > 0:
        # What would end after the budget is not begun; the fit that serves is still to come.
        return elapsed + 2 * slowest < budget.seconds
    return trials < budget.trials


def _records(study: Any) -> list[StudyRecord]:
    return [
        _from_json(trial.number, trial.user_attrs["tried"])
        for trial in study.trials
        if "tried" in trial.user_attrs
    ]


def _to_json(parameters: Mapping[str, Parameter], tried: Tried) -> dict[str, Any]:
    return {
        "parameters": dict(parameters),
        "metrics": {name: [one.value, one.standard_error] for name, one in tried.metrics.items()},
        "fit_seconds": tried.fit_seconds,
        "score_seconds": tried.score_seconds,
        "fixed": dict(tried.fixed),
    }


def _from_json(number: int, document: Mapping[str, Any]) -> StudyRecord:
    metrics = {name: estimate_of(value, error) for name, (value, error) in document["metrics"].items()}
    tried = Tried(metrics, document["fit_seconds"], document["score_seconds"], document["fixed"])
    return StudyRecord(number, document["parameters"], tried)


_INTERVAL = 0.02
_MIB = 1024.0 * 1024.0


@dataclass
class MeasuredFit:
    """What was measured; filled when the block ends.

    Attributes:
        seconds: Wall time.
        peak_memory_mib: Most resident memory of the process, in MiB.
    """

    seconds: float = 0.0
    peak_memory_mib: float = 0.0


@contextmanager
def measured() -> Iterator[MeasuredFit]:
    """Measure the block; memory is looked at every 20 ms and at both ends."""
    import psutil

    process, result, ended = psutil.Process(), MeasuredFit(), threading.Event()

    def look() -> None:
        result.peak_memory_mib = max(result.peak_memory_mib, process.memory_info().rss / _MIB)

    def watch() -> None:
        while not ended.wait(_INTERVAL):
            look()

    look()
    watcher = threading.Thread(target=watch, name="memory", daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        yield result
    finally:
        result.seconds = time.perf_counter() - started
        ended.set()
        watcher.join()
        look()


@dataclass(frozen=True, eq=False)
class Chosen:
    """A recommender with the settings that did best on validation.

    Attributes:
        recommender: The settings.
        trials: Everything that was tried.
        validation: How they did.
        scorers: Fitted on each validation fold.
    """

    recommender: Recommender
    trials: tuple[StudyRecord, ...]
    validation: ModelEvaluation
    scorers: tuple[AnyScorer, ...]


@dataclass(frozen=True, eq=False)
class FittedTrial:
    """The chosen settings fitted at every moment that is asked for.

    Attributes:
        scorers: One for each moment.
        measured: Time and memory of the last fit, the one that serves.
    """

    scorers: tuple[AnyScorer, ...]
    measured: MeasuredFit


def choose_settings(
    kind: type[Recommender],
    job_data: JobData,
    *,
    store: Path,
    study: str,
    budget: TuningBudget,
    done: Callable[[StudyRecord], None],
) -> Chosen:
    """Try settings of one recommender on the validation folds.

    Args:
        kind: The recommender.
        job_data: What the job works on.
        store: Folder of the MLflow store.
        study: Name of the study.
        budget: What may be tried.
        done: Called with each trial.

    Returns:
        The chosen settings with all trials.
    """
    folds = job_data.validation
    best: list[tuple[float, Recommender, ModelEvaluation, tuple[AnyScorer, ...]]] = []

    def attempt(settings: Recommender) -> Tried:
        with measured() as fitting:
            scorers = tuple(settings.fit(fold.data, seed=job_data.seed, threads=THREADS) for fold in folds)
        with measured() as scoring:
            models = [job_data.model(fold.data, scorer) for fold, scorer in zip(folds, scorers, strict=True)]
            evaluation = job_data.evaluate(models, folds, MAX_VALIDATION_CASES)
        value = evaluation.metrics[job_data.metric].value
        if not best or value > best[0][0]:
            best[:] = [(value, settings, evaluation, scorers)]
        return Tried(evaluation.metrics, fitting.seconds, scoring.seconds, {})

    records = run_study(
        kind.suggest,
        kind.starts(),
        attempt,
        metric=job_data.metric,
        store=store,
        name=study,
        seed=job_data.seed,
        budget=budget,
        done=done,
    )
    top = max(records, key=lambda record: (record.tried.metrics[job_data.metric].value, -record.number))
    if not best or best[0][1].parameters != dict(top.parameters):
        # The best is of an earlier session: fit it again.
        best.clear()
        attempt(kind(**top.parameters))
    _, settings, evaluation, scorers = best[0]
    return Chosen(settings, tuple(records), evaluation, scorers)


def fit_chosen(recommender: Recommender, job_data: JobData, moments: Sequence[FitData]) -> FittedTrial:
    """Fit settings on what was known at each moment; the last one is to serve.

    Args:
        recommender: The recommender.
        job_data: What the job works on.
        moments: What was known at each moment.

    Returns:
        The fitted models with times.
    """
    scorers, measures = [], []
    for data in moments:
        with measured() as fitting:
            scorers.append(recommender.fit(data, seed=job_data.seed, threads=THREADS))
        measures.append(fitting)
    return FittedTrial(tuple(scorers), measures[-1])
