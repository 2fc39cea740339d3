"""The second stage of a job: trees chosen on validation, and the ranker that is put together from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from experiments.stats.estimate import estimate_of
from training.bundle import OfferModel
from training.bundle.features import OfferTable, feature_names, offer_table
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import AnyScorer
from training.bundle.trees import Trees
from training.data.purchases import FitData
from training.evaluation import Fold
from training.offers.job_data import THREADS, JobData
from training.offers.second_stage_rows import (
    Component,
    RankingRows,
    build_rows,
    default_components,
    fit_components,
    join_rows,
)
from training.offers.second_stage_trees import FittedTrees, TreeSettings, calibrate, fit_trees
from training.offers.tuning import Chosen, StudyRecord, Tried, TuningBudget, measured, run_study
from training.recommenders.base import SettingsTrial


def make_ranker(  # noqa: PLR0917  # the parts of one row, in their order
    components: Sequence[Component],
    scorers: Sequence[AnyScorer],
    trees: Trees,
    calibration: Calibration,
    data: FitData,
    categories: npt.NDArray[np.int32],
    attributes: npt.NDArray[np.float32],
    *,
    cold: bool = True,
) -> Ranker:
    """Put the second stage over scorers that were fitted on the same data.

    Args:
        components: What the scorers are.
        scorers: Fitted on ``data``.
        trees: The second stage.
        calibration: From tree scores to probabilities.
        data: Histories up to the moment of serving.
        categories: int32[offers], -1 for none.
        attributes: float32[members, attributes].
        cold: Whether the trees learned what members without a history do.

    Returns:
        The second stage with its tables of offers, ready to serve.
    """
    table: OfferTable = offer_table(data.history, data.covers, categories)
    return Ranker(
        names=tuple(component.name for component in components),
        components=tuple(scorers),
        quotas=tuple(component.quota for component in components),
        trees=trees,
        calibration=calibration,
        covers=data.covers,
        table=table,
        attributes=attributes,
        cold=cold,
    )


MAX_RANKING_CASES = 4_000

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class LearnedRanker:
    """What was learned with the validation folds held out.

    Attributes:
        settings: The best that were tried.
        trials: Everything that was tried.
        fitted: Trees of the best settings, fitted on the training folds alone.
        curve: NDCG on validation by number of trees.
        calibration: From their scores to probabilities.
    """

    settings: TreeSettings
    trials: tuple[StudyRecord, ...]
    fitted: FittedTrees
    curve: tuple[tuple[int, float], ...]
    calibration: Calibration


class SecondStage:
    """Learns the second stage of a job.

    Args:
        job_data: What the job works on.
        chosen: The recommenders that take part, with their settings.
        say: Called with what is being done.
    """

    def __init__(self, job_data: JobData, chosen: Mapping[str, Chosen], say: Say) -> None:
        self._job_data = job_data
        self._say = say
        purchases = job_data.purchases
        self.components = default_components(
            {name: one.recommender for name, one in chosen.items()},
            with_categories=bool((purchases.product_categories >= 0).any()),
        )
        self.names = feature_names(
            [component.name for component in self.components], purchases.members.codes.names
        )
        self._validation_fitted = [
            {name: one.scorers[number] for name, one in chosen.items()}
            for number in range(len(job_data.validation))
        ]
        self._rows: list[tuple[float, RankingRows]] = []
        self._validation_rows: list[tuple[float, RankingRows]] = []
        self._all_rows: list[tuple[float, RankingRows]] = []

    def prepare(self) -> None:
        """Build the tables of the training and validation folds, and of those that are learned from later."""
        job_data = self._job_data
        for number, make in enumerate(job_data.split.train):
            fold = make()
            self._say(f"second stage: {fold.name}")
            self._rows.append((fold.cutoff, self._build(fold, {}, job_data.seed + number)))
        for fold, fitted in zip(job_data.validation, self._validation_fitted, strict=True):
            self._say(f"second stage: {fold.name}")
            self._validation_rows.append((fold.cutoff, self._build(fold, fitted, job_data.seed + 1000)))
        later = self._validation_rows
        if job_data.split.learn is not None:
            later = []
            for number, make in enumerate(job_data.split.learn, start=len(self._rows)):
                fold = make()
                self._say(f"second stage: {fold.name}")
                later.append((fold.cutoff, self._build(fold, {}, job_data.seed + number)))
        self._all_rows = [*self._rows, *later]

    def choose(
        self, *, store: Path, study: str, budget: TuningBudget, done: Callable[[StudyRecord], None]
    ) -> LearnedRanker:
        """Try settings of the trees, fitted on the training folds and measured on validation.

        Args:
            store: Folder of the store.
            study: Name of the study.
            budget: What may be tried.
            done: Called with each trial.

        Returns:
            The chosen trees.
        """
        job_data, k = self._job_data, int(self._job_data.metric.split("@")[1])
        held_out = join_rows([rows for _, rows in self._validation_rows])
        start = min(cutoff for cutoff, _ in self._validation_rows)
        rows = self._known_by(self._rows, start)
        best: list[tuple[float, TreeSettings, FittedTrees, list[tuple[int, float]]]] = []

        def attempt(settings: TreeSettings) -> Tried:
            with measured() as fitting:
                fitted = fit_trees(rows, settings, self.names, seed=job_data.seed, threads=THREADS)
            curve = fitted.learning_curve(held_out, k)
            # Where cases are so few that ensembles are averaged, the highest point of the curve is luck.
            rounds, value = (
                curve[-1] if settings.ensembles > 1 else max(curve, key=lambda point: (point[1], -point[0]))
            )
            if not best or value > best[0][0]:
                best[:] = [(value, replace(settings, rounds=rounds), fitted, curve)]
            estimate = estimate_of(value, float("nan"))
            return Tried({job_data.metric: estimate}, fitting.seconds, 0.0, {"rounds": rounds})

        def propose(trial: SettingsTrial) -> TreeSettings:
            first, proposed = job_data.first_trees[0], TreeSettings.suggest(trial)
            if first.ensembles == 1:
                return proposed
            return replace(proposed, ensembles=first.ensembles, rounds=first.rounds)

        records = run_study(
            propose,
            job_data.first_trees,
            attempt,
            metric=job_data.metric,
            store=store,
            name=study,
            seed=job_data.seed,
            budget=budget,
            done=done,
        )
        top = max(records, key=lambda record: (record.tried.metrics[job_data.metric].value, -record.number))
        if not best or top.tried.metrics[job_data.metric].value > best[0][0]:
            attempt(TreeSettings(**top.parameters))  # type: ignore[arg-type]  # as they were written
        _, settings, fitted, curve = best[0]
        if settings.rounds != fitted.boosters[0].num_trees():
            fitted = fit_trees(rows, settings, self.names, seed=job_data.seed, threads=THREADS)
        calibration = calibrate(fitted.predict(held_out, settings.rounds), held_out)
        return LearnedRanker(settings, tuple(records), fitted, tuple(curve), calibration)

    def validation_models(self, fitted: FittedTrees, calibration: Calibration) -> list[OfferModel]:
        """Return the models of the validation folds, their trees fitted on the training folds."""
        return [
            self.model_on(fold.data, fitted, calibration, scorers)
            for fold, scorers in zip(self._job_data.validation, self._validation_fitted, strict=True)
        ]

    def refit(self, settings: TreeSettings, moment: float) -> FittedTrees:
        """Fit the trees on everything known at a moment."""
        rows = self._known_by(self._all_rows, moment)
        return fit_trees(rows, settings, self.names, seed=self._job_data.seed, threads=THREADS)

    def model_on(
        self, data: FitData, trees: FittedTrees, calibration: Calibration, fitted: Mapping[str, AnyScorer]
    ) -> OfferModel:
        """Put the model of a moment together; components that are not in ``fitted`` are fitted on the data.

        Args:
            data: What was known at the moment.
            trees: The fitted trees.
            calibration: From scores to probabilities.
            fitted: Scorers that are fitted already, by name.

        Returns:
            The model, ready to serve.
        """
        purchases = self._job_data.purchases
        scorers = fit_components(
            self.components, data, seed=self._job_data.seed, threads=THREADS, fitted=fitted
        )
        ranker = make_ranker(
            self.components,
            scorers,
            trees.trees,
            calibration,
            data,
            purchases.categories,
            purchases.members.table,
            cold=trees.cold,
        )
        return self._job_data.model(data, ranker)

    def _build(self, fold: Fold, fitted: Mapping[str, AnyScorer], seed: int) -> RankingRows:
        purchases = self._job_data.purchases
        scorers = fit_components(
            self.components, fold.data, seed=self._job_data.seed, threads=THREADS, fitted=fitted
        )
        return build_rows(
            fold,
            self._job_data.split.task,
            scorers,
            tuple(component.quota for component in self.components),
            offer_table(fold.data.history, fold.data.covers, purchases.categories),
            purchases.members.table,
            most_cases=MAX_RANKING_CASES,
            seed=seed,
        )

    @staticmethod
    def _known_by(parts: Sequence[tuple[float, RankingRows]], moment: float) -> RankingRows:
        return join_rows([rows.known_by(moment) for cutoff, rows in parts if cutoff <= moment])
