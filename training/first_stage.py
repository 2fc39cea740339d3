"""The first stage of a training job: choose the settings of each recommender on validation, and fit them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.bundle.scorers import AnyScorer
from training.data.fit_data import FitData
from training.evaluation import Evaluation
from training.measuring import Measured, measured
from training.offers.problem import MOST_VALIDATION_CASES, THREADS, Problem
from training.offers.tuning import Budget, StudyRecord, Tried, run_study
from training.recommenders import Recommender


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
    validation: Evaluation
    scorers: tuple[AnyScorer, ...]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The chosen settings fitted at every moment that is asked for.

    Attributes:
        scorers: One for each moment.
        measured: Time and memory of the last fit, the one that serves.
    """

    scorers: tuple[AnyScorer, ...]
    measured: Measured


def choose_settings(
    kind: type[Recommender],
    problem: Problem,
    *,
    store: Path,
    study: str,
    budget: Budget,
    done: Callable[[StudyRecord], None],
) -> Chosen:
    """Try settings of one recommender on the validation folds."""
    folds = problem.validation
    best: list[tuple[float, Recommender, Evaluation, tuple[AnyScorer, ...]]] = []

    def attempt(settings: Recommender) -> Tried:
        with measured() as fitting:
            scorers = tuple(settings.fit(fold.data, seed=problem.seed, threads=THREADS) for fold in folds)
        with measured() as scoring:
            models = [problem.model(fold.data, scorer) for fold, scorer in zip(folds, scorers, strict=True)]
            evaluation = problem.evaluate(models, folds, MOST_VALIDATION_CASES)
        value = evaluation.metrics[problem.metric].value
        if not best or value > best[0][0]:
            best[:] = [(value, settings, evaluation, scorers)]
        return Tried(evaluation.metrics, fitting.seconds, scoring.seconds, {})

    records = run_study(
        kind.suggest,
        kind.starts(),
        attempt,
        metric=problem.metric,
        store=store,
        name=study,
        seed=problem.seed,
        budget=budget,
        done=done,
    )
    top = max(records, key=lambda record: (record.tried.metrics[problem.metric].value, -record.number))
    if not best or best[0][1].parameters != dict(top.parameters):
        # The best is of an earlier session: fit it again.
        best.clear()
        attempt(kind(**top.parameters))
    _, settings, evaluation, scorers = best[0]
    return Chosen(settings, tuple(records), evaluation, scorers)


def fit_chosen(recommender: Recommender, problem: Problem, moments: Sequence[FitData]) -> Fitted:
    """Fit settings on what was known at each moment; the last one is to serve."""
    scorers, measures = [], []
    for data in moments:
        with measured() as fitting:
            scorers.append(recommender.fit(data, seed=problem.seed, threads=THREADS))
        measures.append(fitting)
    return Fitted(tuple(scorers), measures[-1])
