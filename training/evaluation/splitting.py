"""Making splits: by time where there are times, else as the given test split was made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from training.bundle.task import Task
from training.data.purchases import Purchases
from training.errors import DatasetError
from training.evaluation.folds import (
    HORIZON_DAYS,
    DataSplit,
    Fold,
    describe_day,
    fit_data,
    offer_rows,
    truth_matrix,
    window_fold,
)

MAX_TRAIN_FOLDS = 4
MANY_ROWS = 5_000_000
_FEW_TRAIN_FOLDS = 2


def temporal_split(
    purchases: Purchases,
    task: Task,
    *,
    end: float | None = None,
    horizon: float = HORIZON_DAYS,
    min_buyers: int = 1,
) -> DataSplit:
    """Hold out the last ``horizon`` days as test, the ones before as validation, and those before to train on.

    Args:
        purchases: Everything.
        task: What the folds ask.
        end: End of the test window, in days since 1970; the last purchase by default.
        horizon: Days of a window.
        min_buyers: Members who must have bought an offer before a window for it to be ranked.

    Returns:
        The split.

    Raises:
        DatasetError: There are no times, or they span less than three windows.
    """
    if not purchases.has_times:
        raise DatasetError(
            f"{purchases.name} has no times to split by: name --time-column, or give a test split with --test."
        )
    first = float(purchases.rows["time"].min() or 0.0)  # type: ignore[arg-type]  # a float column
    last = float(purchases.rows["time"].max() or 0.0) if end is None else end  # type: ignore[arg-type]
    if last - first < 3 * horizon:
        raise DatasetError(
            f"{purchases.name} spans {last - first:.0f} days; windows of {horizon:g} days for test, validation and "
            f"training need {3 * horizon:g} or more. Name a shorter --horizon or give a test split with --test."
        )
    test, validation = last - horizon, last - 2 * horizon
    fold = partial(window_fold, purchases=purchases, horizon=horizon, min_buyers=min_buyers)
    return DataSplit(
        task=task,
        train=_earlier_folds(purchases, first, validation, horizon, fold),
        validate=[partial(fold, _window_name("validation", validation, horizon), cutoff=validation)],
        test=[partial(fold, _window_name("test", test, horizon), cutoff=test)],
        description=(
            f"by time: train up to {describe_day(validation)}, validate on the {horizon:g} days after it, test on the "
            f"{horizon:g} days after {describe_day(test)}"
        ),
    )


def given_split(purchases: Purchases, test: pl.DataFrame, task: Task, *, seed: int) -> DataSplit:
    """Use a given test split; settings are chosen on parts held out of the training table in the same way.

    When every test interaction is later than the training table, the inner parts are held out by time; when each
    member's test interactions are later than the same member's others, the last ones of each member; else a random
    part of each member's.

    Args:
        purchases: The training table.
        test: ``member``, ``offer`` and ``time`` of the test split.
        task: What the folds ask.
        seed: Of random parts.

    Returns:
        The split.
    """
    cutoff = float(purchases.rows["time"].max() or 0.0)  # type: ignore[arg-type]  # a float column
    everything = np.ones(purchases.offer_count, bool)

    def test_fold() -> Fold:
        members, truths = truth_matrix(test, purchases.offer_count, everything)
        return Fold(
            "test: as given",
            fit_data(purchases, purchases.rows, cutoff),
            cutoff,
            cutoff,
            members,
            truths,
            everything,
        )

    kind = _kind(purchases, test)
    if kind == "time":
        horizon = max(float(test["time"].max() or 0.0) - cutoff, 1.0)  # type: ignore[arg-type]  # a float column
        first = float(purchases.rows["time"].min() or 0.0)  # type: ignore[arg-type]
        horizon = min(horizon, (cutoff - first) / 3)
        validation = cutoff - horizon
        fold = partial(window_fold, purchases=purchases, horizon=horizon)
        return DataSplit(
            task,
            _earlier_folds(purchases, first, validation, horizon, fold),
            [partial(fold, _window_name("validation", validation, horizon), cutoff=validation)],
            [test_fold],
            f"test as given, later than all training rows; inner windows of {horizon:g} days",
        )
    per_member = len(test) / max(test["member"].n_unique(), 1)
    share = len(test) / max(len(test) + len(purchases.rows), 1)
    part = _Part(latest=kind == "latest", per_member=per_member, share=share)
    count = 1 if len(purchases.rows) > MANY_ROWS else _FEW_TRAIN_FOLDS
    words = "the latest of each member" if kind == "latest" else "a random part of each member's"
    return DataSplit(
        task,
        [
            partial(_held_out_fold, purchases, part, f"training part {number + 1}", seed, number + 1)
            for number in range(count)
        ],
        [partial(_held_out_fold, purchases, part, "validation part", seed, 0)],
        [test_fold],
        f"test as given; inner parts hold out {words} interactions, {share:.0%} of them",
        notes=(
            "What the validation part holds out is unknown in the training parts, as the test is in all of them.",
        ),
    )


def wants_repeats(purchases: Purchases, later: pl.DataFrame) -> bool:
    """Tell whether later interactions repeat earlier ones, so that removing what was bought would remove truths."""
    before = _pair_keys(offer_rows(purchases, purchases.rows), purchases.offer_count)
    pairs = _pair_keys(later, purchases.offer_count)
    return bool((pairs.is_in(before.implode()).sum() or 0) > 0.01 * len(pairs))


def _pair_keys(rows: pl.DataFrame, offer_count: int) -> pl.Series:
    """Return one number per pair of member and offer: several times faster to compare than two columns."""
    return (rows["member"].cast(pl.Int64) * offer_count + rows["offer"].cast(pl.Int64)).unique()


def _earlier_folds(
    purchases: Purchases, first: float, validation: float, horizon: float, fold: Callable[..., Fold]
) -> list[Callable[[], Fold]]:
    most = _FEW_TRAIN_FOLDS if len(purchases.rows) > MANY_ROWS else MAX_TRAIN_FOLDS
    # A fold needs a history at least as long as its window.
    count = int(min(most, max((validation - first) // horizon - 1, 1)))
    cutoffs = [validation - horizon * number for number in range(count, 0, -1)]
    return [
        partial(fold, _window_name("training", cutoff, horizon), cutoff=cutoff)
        for cutoff in cutoffs
        if cutoff > first
    ]


def _window_name(kind: str, cutoff: float, horizon: float) -> str:
    return f"{kind}: {horizon:g} days after {describe_day(cutoff)}"


def _kind(purchases: Purchases, test: pl.DataFrame) -> str:
    if not purchases.has_times or float(test["time"].max() or 0.0) == 0.0:  # type: ignore[arg-type]  # a float column
        return "random"
    last = float(purchases.rows["time"].max() or 0.0)  # type: ignore[arg-type]
    if float(test["time"].min() or 0.0) >= last:  # type: ignore[arg-type]
        return "time"
    bounds = (
        purchases.rows.group_by("member")
        .agg(last=pl.col("time").max())
        .join(test.group_by("member").agg(first=pl.col("time").min()), on="member")
    )
    later = bounds.select((pl.col("first") >= pl.col("last")).mean()).item()
    return "latest" if (later or 0.0) > 0.95 else "random"


@dataclass(frozen=True)
class _Part:
    """What is held out of a training table, as the given test split was.

    Attributes:
        latest: Whether each member's latest are held out; else random ones.
        per_member: How many of each member's pairs, where the latest are.
        share: Which share of each member's pairs, where random ones are.
    """

    latest: bool
    per_member: float
    share: float

    def of(self, rows: pl.DataFrame, seed: int) -> pl.DataFrame:
        """Return the ``member`` and ``product`` of the pairs to hold out of rows."""
        order = rows["time"].to_numpy() if self.latest else np.random.default_rng(seed).random(len(rows))
        # A pair is held out as a whole, or the task would still find it in the history.
        pairs = rows.with_columns(order=order).group_by("member", "product").agg(pl.col("order").max())
        pairs = pairs.sort("member", "product")
        ranked = pairs.with_columns(
            place=pl.col("order").rank("ordinal", descending=True).over("member"),
            count=pl.len().over("member"),
        )
        if self.latest:
            wanted = pl.lit(max(1, round(self.per_member)))
        else:
            wanted = (pl.col("count") * min(max(self.share, 0.05), 0.5)).round()
        out = (pl.col("place") <= wanted) & (pl.col("count") > wanted)
        return ranked.filter(out).select("member", "product")


def _held_out_fold(purchases: Purchases, part: _Part, name: str, seed: int, number: int) -> Fold:
    """Hold some interactions of each member out of the training table; those of fold 0 are unknown in all others.

    If they were candidates here and truths there, trees could learn single pairs by heart, and those of the test as misses.
    """
    inside = purchases.rows
    # Of the latest, each fold holds out those before the last one's; of random ones, others.
    earlier = range(number) if part.latest else range(min(number, 1))
    for other in earlier:
        inside = inside.join(
            part.of(inside, seed + other), on=["member", "product"], how="anti", maintain_order="left"
        )
    held = part.of(inside, seed + number)
    inside = inside.join(held, on=["member", "product"], how="anti", maintain_order="left")
    truth_rows = held.with_columns(time=pl.lit(0.0))
    open_offers = np.ones(purchases.offer_count, bool)
    members, truths = truth_matrix(offer_rows(purchases, truth_rows), purchases.offer_count, open_offers)
    if not len(members) or inside.is_empty():
        raise DatasetError(f"{purchases.name}: the members have too few interactions to hold any out.")
    cutoff = float(inside["time"].max() or 0.0)  # type: ignore[arg-type]  # a float column
    return Fold(name, fit_data(purchases, inside, cutoff), cutoff, cutoff, members, truths, open_offers)
