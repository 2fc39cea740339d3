"""The fits of a training job: choose settings on validation, learn the second stage, look at the test once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from training.bundle import OfferModel
from training.bundle.features import feature_names, offer_table
from training.bundle.history import DECAYED, HALF_LIVES, TRIPS
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import AnyScorer
from training.data.fit_data import FitData
from training.data.purchases import Purchases
from training.evaluation import Estimate, Evaluation, Fold, Split, evaluate
from training.measuring import Measured, measured
from training.recommenders import Recommender
from training.recommenders.base import Trial
from training.second_stage import (
    FittedTrees,
    RankingRows,
    TreeSettings,
    build_rows,
    default_components,
    fit_components,
    fit_trees,
    join_rows,
    make_ranker,
)
from training.second_stage.fitting import calibrate
from training.tuning import Budget, StudyRecord, Tried, run_study

THREADS = 2
MOST_VALIDATION_CASES = 5_000
MOST_RANKING_CASES = 4_000
MOST_TEST_CASES = 100_000
_D28 = DECAYED + HALF_LIVES.index(28.0)

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Problem:
    """What a job works on.

    Attributes:
        purchases: Everything that was bought.
        split: What is used for what.
        ks: Lengths of lists, ascending.
        metric: The metric that decides.
        seed: Seed of everything random.
        first_trees: Settings of the second stage to try first.
    """

    purchases: Purchases
    split: Split
    ks: tuple[int, ...]
    metric: str
    seed: int
    first_trees: tuple[TreeSettings, ...] = (TreeSettings(), TreeSettings(objective="binary"))

    @cached_property
    def validation(self) -> tuple[Fold, ...]:
        """The folds that settings are chosen on."""
        return tuple(make() for make in self.split.validate)

    def model(self, data: FitData, scorer: AnyScorer | Ranker) -> OfferModel:
        """Put a scorer that was fitted on the data into a model."""
        purchases, history = self.purchases, data.history
        # Without times nothing decays, and both columns are the same.
        popular = history.product_sums(history.columns[:, _D28 if purchases.has_times else TRIPS])
        return OfferModel(
            task=self.split.task,
            member_ids=purchases.member_index,
            product_ids=purchases.product_index,
            offer_ids=purchases.offer_index,
            history=history,
            covers=purchases.covers,
            popular_scores=np.asarray(data.onto_offers(popular[:, None]))[:, 0].astype(np.float32),
            scorer=scorer,
            attributes=purchases.members.codes,
        )

    def evaluate(self, models: Sequence[OfferModel], folds: Sequence[Fold], most: int) -> Evaluation:
        """Measure models, each on the fold it was fitted for."""
        return evaluate(models, folds, self.ks, most_cases=most, seed=self.seed)


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
class Tested:
    """What is known of a model once it met the test.

    Attributes:
        model: The model that serves.
        test: How it did; ``None`` when nothing is held out.
        measured: Time and memory of the fit that serves.
    """

    model: OfferModel
    test: Evaluation | None
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
        [kind()],
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


def test_recommender(chosen: Chosen, problem: Problem, tests: Sequence[Fold], final: FitData) -> Tested:
    """Fit the chosen settings for serving and, where something is held out, on every test fold, and look once."""
    fits: list[AnyScorer] = []
    served: AnyScorer | None = None
    result = Measured()
    for data in [*(fold.data for fold in tests), *([] if any(f.data is final for f in tests) else [final])]:
        with measured() as fitting:
            scorer = chosen.recommender.fit(data, seed=problem.seed, threads=THREADS)
        if data is final:
            served, result = scorer, fitting
        fits.append(scorer)
    if served is None:
        raise AssertionError("the data that serves was not fitted")
    models = [problem.model(fold.data, scorer) for fold, scorer in zip(tests, fits, strict=False)]
    test = problem.evaluate(models, tests, MOST_TEST_CASES) if tests else None
    model = next((m for m, fold in zip(models, tests, strict=False) if fold.data is final), None)
    return Tested(model or problem.model(final, served), test, result)


class SecondStage:
    """Learns the second stage of a job.

    Args:
        problem: What the job works on.
        chosen: The recommenders that take part, with their settings.
        say: Called with what is being done.
    """

    def __init__(self, problem: Problem, chosen: Mapping[str, Chosen], say: Say) -> None:
        self._problem = problem
        self._say = say
        purchases = problem.purchases
        self.components = default_components(
            {name: one.recommender for name, one in chosen.items()},
            with_categories=bool((purchases.product_categories >= 0).any()),
        )
        self.names = feature_names(
            [component.name for component in self.components], purchases.members.codes.names
        )
        self._validation_fitted = [
            {name: one.scorers[number] for name, one in chosen.items()}
            for number in range(len(problem.validation))
        ]
        self._rows: list[tuple[float, RankingRows]] = []
        self._validation_rows: list[tuple[float, RankingRows]] = []
        self._all_rows: list[tuple[float, RankingRows]] = []

    def prepare(self) -> None:
        """Build the tables of the training and validation folds, and of those that are learned from later."""
        problem = self._problem
        for number, make in enumerate(problem.split.train):
            fold = make()
            self._say(f"second stage: {fold.name}")
            self._rows.append((fold.cutoff, self._build(fold, {}, problem.seed + number)))
        for fold, fitted in zip(problem.validation, self._validation_fitted, strict=True):
            self._say(f"second stage: {fold.name}")
            self._validation_rows.append((fold.cutoff, self._build(fold, fitted, problem.seed + 1000)))
        self._all_rows = [*self._rows, *self._validation_rows]
        if problem.split.learn is not None:
            self._all_rows = []
            for number, make in enumerate(problem.split.learn):
                fold = make()
                self._say(f"second stage: {fold.name}")
                self._all_rows.append((fold.cutoff, self._build(fold, {}, problem.seed + number)))

    def choose(
        self, *, store: Path, study: str, budget: Budget, done: Callable[[StudyRecord], None]
    ) -> tuple[TreeSettings, list[StudyRecord], FittedTrees, list[tuple[int, float]], Calibration]:
        """Try settings of the trees; return the best with what they give when fitted on the training folds alone."""
        problem, k = self._problem, int(self._problem.metric.split("@")[1])
        held_out = join_rows([rows for _, rows in self._validation_rows])
        start = min(cutoff for cutoff, _ in self._validation_rows)
        rows = self._known_by(self._rows, start)
        best: list[tuple[float, TreeSettings, FittedTrees, list[tuple[int, float]]]] = []

        def attempt(settings: TreeSettings) -> Tried:
            with measured() as fitting:
                fitted = fit_trees(rows, settings, self.names, seed=problem.seed, threads=THREADS)
            curve = fitted.learning_curve(held_out, k)
            rounds, value = max(curve, key=lambda point: (point[1], -point[0]))
            if not best or value > best[0][0]:
                best[:] = [(value, replace(settings, rounds=rounds), fitted, curve)]
            estimate = Estimate(value, float("nan"))
            return Tried({problem.metric: estimate}, fitting.seconds, 0.0, {"rounds": rounds})

        def propose(trial: Trial) -> TreeSettings:
            return replace(TreeSettings.suggest(trial), ensembles=problem.first_trees[0].ensembles)

        records = run_study(
            propose,
            problem.first_trees,
            attempt,
            metric=problem.metric,
            store=store,
            name=study,
            seed=problem.seed,
            budget=budget,
            done=done,
        )
        top = max(records, key=lambda record: (record.tried.metrics[problem.metric].value, -record.number))
        if not best or top.tried.metrics[problem.metric].value > best[0][0]:
            attempt(TreeSettings(**top.parameters))  # type: ignore[arg-type]  # as they were written
        _, settings, fitted, curve = best[0]
        if settings.rounds != fitted.boosters[0].num_trees():
            fitted = fit_trees(rows, settings, self.names, seed=problem.seed, threads=THREADS)
        calibration = calibrate(fitted.predict(held_out, settings.rounds), held_out)
        return settings, records, fitted, curve, calibration

    def validation_models(self, fitted: FittedTrees, calibration: Calibration) -> list[OfferModel]:
        """Return the models of the validation folds, their trees fitted on the training folds."""
        return [
            self._model(fold.data, scorers, fitted, calibration)
            for fold, scorers in zip(self._problem.validation, self._validation_fitted, strict=True)
        ]

    def refit(self, settings: TreeSettings, moment: float) -> FittedTrees:
        """Fit the trees on everything known at a moment."""
        rows = self._known_by(self._all_rows, moment)
        return fit_trees(rows, settings, self.names, seed=self._problem.seed, threads=THREADS)

    def model_on(
        self, data: FitData, trees: FittedTrees, calibration: Calibration, fitted: Mapping[str, AnyScorer]
    ) -> OfferModel:
        """Return the model of a moment; what is not in ``fitted`` is fitted on the data."""
        return self._model(data, fitted, trees, calibration)

    def _model(
        self, data: FitData, fitted: Mapping[str, AnyScorer], trees: FittedTrees, calibration: Calibration
    ) -> OfferModel:
        purchases = self._problem.purchases
        scorers = fit_components(
            self.components, data, seed=self._problem.seed, threads=THREADS, fitted=fitted
        )
        ranker = make_ranker(
            self.components,
            scorers,
            trees.trees,
            calibration,
            data,
            purchases.categories,
            purchases.members.table,
        )
        return self._problem.model(data, ranker)

    def _build(self, fold: Fold, fitted: Mapping[str, AnyScorer], seed: int) -> RankingRows:
        purchases = self._problem.purchases
        scorers = fit_components(
            self.components, fold.data, seed=self._problem.seed, threads=THREADS, fitted=fitted
        )
        return build_rows(
            fold,
            self._problem.split.task,
            scorers,
            tuple(component.quota for component in self.components),
            offer_table(fold.data.history, fold.data.covers, purchases.categories),
            purchases.members.table,
            most_cases=MOST_RANKING_CASES,
            seed=seed,
        )

    @staticmethod
    def _known_by(parts: Sequence[tuple[float, RankingRows]], moment: float) -> RankingRows:
        return join_rows([rows.known_by(moment) for cutoff, rows in parts if cutoff <= moment])
