"""Where a job's purchases come from, and how they are split for a task."""

from dataclasses import dataclass, replace

from experiments.errors import OptionError
from training.bundle.task import Task
from training.data.purchases import Purchases
from training.data.tables import Tables, load_tables
from training.errors import TrainingError
from training.evaluation.folds import HORIZON_DAYS, DataSplit, offer_rows
from training.evaluation.splitting import given_split, temporal_split, wants_repeats
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
    """Return a user's own tables, split by time or as given.

    Args:
        tables: Which tables and columns.
        task: What is asked; by default *replenish* when later interactions repeat earlier ones, else *discover*.
        seed: Of random parts.
        horizon: Days of a window, where the split is by time.

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
