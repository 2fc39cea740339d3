"""What a training job for offers works on, and how its models are measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from training.bundle import OfferModel
from training.bundle.history import DECAYED, HALF_LIVES, TRIPS
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer
from training.data.purchases import FitData, Purchases
from training.evaluation import DataSplit, Fold, ModelEvaluation, evaluate
from training.evaluation.folds import fit_data
from training.offers.second_stage_trees import TreeSettings

THREADS = 2
MAX_VALIDATION_CASES = 5_000
MAX_TEST_CASES = 100_000
_D28 = DECAYED + HALF_LIVES.index(28.0)


@dataclass(frozen=True, eq=False)
class TrainingProblem:
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
    split: DataSplit
    ks: tuple[int, ...]
    metric: str
    seed: int
    first_trees: tuple[TreeSettings, ...] = (TreeSettings(), TreeSettings(objective="binary"))

    @cached_property
    def validation(self) -> tuple[Fold, ...]:
        """The folds that settings are chosen on."""
        return tuple(make() for make in self.split.validate)

    @cached_property
    def tests(self) -> tuple[Fold, ...]:
        """The folds that are looked at once; none when nothing is held out."""
        return tuple(make() for make in self.split.test)

    @cached_property
    def moments(self) -> tuple[tuple[float, FitData], ...]:
        """When models are fitted, in days since 1970, and on what: for each test fold, or for service alone; the last serves."""
        if self.tests:
            return tuple((fold.cutoff, fold.data) for fold in self.tests)
        last = self.split.now
        if last is None:
            last = float(self.purchases.rows.select(pl.col("time").max()).item())
        return ((last, fit_data(self.purchases, self.purchases.rows, last)),)

    @property
    def judged(self) -> tuple[Fold, ...]:
        """The folds that models are judged on: the test, or validation when nothing is held out."""
        return self.tests or self.validation

    def model(self, data: FitData, scorer: AnyScorer | Ranker) -> OfferModel:
        """Put a scorer that was fitted on the data into a model."""
        purchases, history = self.purchases, data.history
        return OfferModel(
            task=self.split.task,
            member_ids=purchases.member_index,
            product_ids=purchases.product_index,
            offer_ids=purchases.offer_index,
            history=history,
            covers=purchases.covers,
            popular_scores=popular_scores(data, has_times=purchases.has_times),
            scorer=scorer,
            attributes=purchases.members.codes,
        )

    def evaluate(self, models: Sequence[OfferModel], folds: Sequence[Fold], most: int) -> ModelEvaluation:
        """Measure models, each on the fold it was fitted for.

        Args:
            models: Fitted models.
            folds: What it is measured on.
            most: Cases that are measured at most.

        Returns:
            Estimates by metric.
        """
        return evaluate(models, folds, self.ks, most_cases=most, seed=self.seed)


def popular_scores(data: FitData, *, has_times: bool) -> npt.NDArray[np.float32]:
    """Return float32[offers], how much of each is sold, recent sales counting more where times are known."""
    history = data.history
    # Without times nothing decays, and both columns are the same.
    sold = history.product_sums(history.columns[:, _D28 if has_times else TRIPS])
    return np.asarray(data.onto_offers(sold[:, None]))[:, 0].astype(np.float32)
