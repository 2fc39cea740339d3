"""Choosing settings on validation: an optuna study per model, within a budget, to be resumed at any time."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from training.evaluation import Estimate
from training.recommenders.base import Parameter, Trial

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
class Budget:
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
    propose: Callable[[Trial], S],
    firsts: Sequence[S],
    attempt: Callable[[S], Tried],
    *,
    metric: str,
    store: Path,
    name: str,
    seed: int,
    budget: Budget,
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


def _goes_on(trials: int, budget: Budget, elapsed: float, slowest: float) -> bool:
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
    metrics = {name: Estimate(value, error) for name, (value, error) in document["metrics"].items()}
    tried = Tried(metrics, document["fit_seconds"], document["score_seconds"], document["fixed"])
    return StudyRecord(number, document["parameters"], tried)
