"""What a training job for offers works on: where its purchases come from, how they are split, and how models are measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from experiments.errors import OptionError
from training.bundle import OfferModel
from training.bundle.history import DECAYED, HALF_LIVES, TRIPS
from training.bundle.model import Task
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer
from training.data.purchases import FitData, Purchases
from training.data.tables import Tables, load_tables
from training.errors import TrainingError
from training.evaluation import DataSplit, Fold, ModelEvaluation, evaluate
from training.evaluation.folds import (
    HORIZON_DAYS,
    fit_data,
    given_split,
    offer_rows,
    temporal_split,
    wants_repeats,
)
from training.offers import complete_journey
from training.offers.second_stage_trees import TreeSettings

COMPLETE_JOURNEY = "complete-journey"
DATASETS = (COMPLETE_JOURNEY,)

_SMALL_TREES = TreeSettings(
    objective="rank_xendcg",
    leaves=5,
    learning_rate=0.05,
    rounds=100,
    min_rows=100,
    row_share=0.8,
    l2=10.0,
    ensembles=5,
    monotone=True,
    cold=False,
    relative=True,
)
FEW_CASES = (_SMALL_TREES, replace(_SMALL_TREES, learning_rate=0.03))
"""Settings to begin with where cases are few: small trees that only rise with what speaks for an offer, several ensembles
averaged. Two, because so many are tried: a few hundred cases cannot tell a good setting from a lucky one."""


@dataclass(frozen=True, eq=False)
class JobSource:
    """What a job works on.

    Attributes:
        purchases: Everything that was bought.
        split: What is used for what.
        first_trees: Settings of the second stage to begin with.
    """

    purchases: Purchases
    split: DataSplit
    first_trees: tuple[TreeSettings, ...] = (TreeSettings(), TreeSettings(objective="binary"))


def chosen_source(
    dataset: str, tables: Tables | None, task: str, *, seed: int, horizon: float = HORIZON_DAYS
) -> JobSource:
    """Return a data set, or a user's own tables, split for a task.

    Args:
        dataset: Name of a data set that comes with a package; empty where ``tables`` are given.
        tables: The user's own.
        task: What is asked; if empty what suits the data.
        seed: Of random parts.
        horizon: Days of a window, where the split is by time.

    Returns:
        The purchases and their split.

    Raises:
        OptionError: Both or neither are given, or there is no such task.
        TrainingError: There is no such data set, or a table cannot be used.
    """
    if bool(dataset) == (tables is not None):
        raise OptionError("Give either interactions or dataset.")
    if task and task not in tuple(Task):
        raise OptionError(f"There is no task {task!r}; choose from {', '.join(Task)}.", "--task")
    if tables is not None:
        return from_tables(tables, Task(task) if task else None, seed=seed, horizon=horizon)
    return from_dataset(dataset, Task(task) if task else Task.REPLENISH)


def from_dataset(name: str, task: Task) -> JobSource:
    """Return a data set that comes with an installed package, split as its published comparison is.

    Raises:
        TrainingError: There is none of this name.
        DatasetError: It cannot be read.
    """
    if name != COMPLETE_JOURNEY:
        raise TrainingError(f"There is no data set {name!r}; there is {', '.join(DATASETS)}.", dataset=name)
    if task is Task.REDEEM:
        coupons = complete_journey.load_coupons()
        return JobSource(coupons.purchases, complete_journey.campaign_split(coupons), FEW_CASES)
    purchases = complete_journey.load_categories()
    return JobSource(
        purchases,
        temporal_split(
            purchases,
            task,
            end=complete_journey.week_end(53),
            min_buyers=complete_journey.MIN_BUYERS,
        ),
    )


def from_coupons_until(week: int, most_products: int) -> JobSource:
    """Return the Complete Journey's coupons with nothing later than a week; nothing is held out as a test.

    Args:
        week: Last week that may be seen.
        most_products: Leave out coupons that cover more products.
    """
    now = complete_journey.week_end(week)
    coupons = complete_journey.load_coupons(now, most_products)
    return JobSource(coupons.purchases, complete_journey.last_campaigns_split(coupons, now), FEW_CASES)


def from_tables(tables: Tables, task: Task | None, *, seed: int, horizon: float = HORIZON_DAYS) -> JobSource:
    """Read a user's own tables, and split them by time or as given.

    Args:
        tables: Which tables and columns.
        task: What is asked; by default *replenish* when later interactions repeat earlier ones, else *discover*.
        seed: Of random parts.
        horizon: Days of a window, where the split is by time.

    Returns:
        The purchases and their split.

    Raises:
        DatasetError: A table cannot be used.
    """
    loaded = load_tables(tables)
    purchases = loaded.purchases
    if loaded.test is not None:
        chosen = task or (Task.REPLENISH if wants_repeats(purchases, loaded.test) else Task.DISCOVER)
        return JobSource(purchases, given_split(purchases, loaded.test, chosen, seed=seed))
    split = temporal_split(purchases, task or Task.REPLENISH, horizon=horizon)
    if task is None:
        rows = purchases.rows
        cutoff = float(rows["time"].max() or 0.0) - horizon  # type: ignore[arg-type]  # a float column
        later = offer_rows(purchases, rows.filter(rows["time"] > cutoff))
        earlier = _before(purchases, cutoff)
        if not wants_repeats(earlier, later):
            split = temporal_split(purchases, Task.DISCOVER, horizon=horizon)
    return JobSource(purchases, split)


def _before(purchases: Purchases, cutoff: float) -> Purchases:
    return replace(purchases, rows=purchases.rows.filter(purchases.rows["time"] <= cutoff))


THREADS = 2
MAX_VALIDATION_CASES = 5_000
MAX_TEST_CASES = 100_000
_D28 = DECAYED + HALF_LIVES.index(28.0)


@dataclass(frozen=True, eq=False)
class JobData:
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
