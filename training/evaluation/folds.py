"""Folds, each of what was known at one moment and what happened afterwards, and the splits that are made of them.

Splits are by time where purchases have times; otherwise they follow a given test split.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.bundle.model import Task
from training.data.histories import build_history, season_trips
from training.data.purchases import FitData, Purchases
from training.errors import DatasetError

HORIZON_DAYS = 28.0
SEASON_DAYS = 28


@dataclass(frozen=True, eq=False)
class Fold:
    """Histories up to a moment with what members did next.

    Attributes:
        name: For people, for example ``test: 28 days from 2017-12-04``.
        data: What a model of this fold may be fitted on.
        cutoff: The moment, in days since 1970; 0 where there are no times.
        label_end: Last moment of the truths, in days since 1970.
        members: int32[cases], the member of each case.
        truths: bool[cases, offers], what was relevant.
        open_offers: bool[offers], offers that can be ranked in this fold.
        truth_times: float64[truths] in the order of ``truths``, when each became known, in days since 1970;
            ``label_end`` for all by default.
    """

    name: str
    data: FitData
    cutoff: float
    label_end: float
    members: npt.NDArray[np.int32]
    truths: sparse.csr_matrix
    open_offers: npt.NDArray[np.bool_]
    truth_times: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class DataSplit:
    """What is used for what.

    Attributes:
        task: What the folds ask.
        train: Makes the folds that the second stage learns on, the oldest first.
        validate: Makes the folds that settings are chosen on.
        test: Makes the folds that are looked at once; none when nothing is held out.
        description: In words, for tags and notes.
        notes: Rules that shaped the split, in words.
        learn: Makes the folds that the second stage learns on beside the training folds once they are over, where these are
            not the validation folds themselves; each model learns from what was known at its own moment.
        now: The moment that the served model's histories reach to when nothing is held out, in days since 1970; the last
            purchase by default.
    """

    task: Task
    train: Sequence[Callable[[], Fold]]
    validate: Sequence[Callable[[], Fold]]
    test: Sequence[Callable[[], Fold]]
    description: str
    notes: tuple[str, ...] = field(default_factory=tuple)
    learn: Sequence[Callable[[], Fold]] | None = None
    now: float | None = None


def truth_matrix(
    rows: pl.DataFrame, offer_count: int, open_offers: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int32], sparse.csr_matrix]:
    """Gather the truths of each member among the open offers.

    Args:
        rows: ``member`` and ``offer`` codes; repeats count once.
        offer_count: Number of offers.
        open_offers: Offers that can be ranked.

    Returns:
        int32[cases], the members with a truth, ascending; and bool[members, offers], their truths.
    """
    member, offer = rows["member"].to_numpy(), rows["offer"].to_numpy()
    inside = open_offers[offer]
    members, position = np.unique(member[inside], return_inverse=True)
    ones = np.ones(int(inside.sum()), np.float32)
    shape = (len(members), offer_count)
    truths = sparse.csr_matrix((ones, (position, offer[inside])), shape=shape)
    truths.sum_duplicates()
    return members.astype(np.int32), truths.astype(np.bool_)


def fit_data(purchases: Purchases, rows: pl.DataFrame, cutoff: float) -> FitData:
    """Return what a model may be fitted on at a moment.

    Args:
        purchases: Everything that was bought.
        rows: One row per purchase.
        cutoff: Days since 1970; later rows are not seen.

    Returns:
        Histories up to ``cutoff``, with what offers cover and what is known of members and products.
    """
    history = build_history(
        rows, cutoff, member_count=purchases.member_count, product_count=purchases.product_count
    )
    return FitData(
        history,
        purchases.covers,
        purchases.members.one_hot(),
        purchases.products.one_hot(),
        purchases.product_categories,
        season_trips(rows, cutoff, SEASON_DAYS, purchases.product_count) if purchases.has_times else None,
    )


def offer_rows(purchases: Purchases, rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``member``, ``offer`` and ``time`` of rows of products."""
    if purchases.covers.indptr is None:
        return rows.select("member", offer=pl.col("product"), time=pl.col("time"))
    positions, offers = purchases.covers.expand(rows["product"].to_numpy())
    taken = rows.select("member", "time")[positions]
    return taken.select("member", offer=pl.Series(offers.astype(np.int32)), time=pl.col("time"))


def window_fold(
    name: str, purchases: Purchases, cutoff: float, *, horizon: float = HORIZON_DAYS, min_buyers: int = 1
) -> Fold:
    """Make a fold of what was bought within ``horizon`` days after a moment.

    Args:
        name: For people.
        purchases: Everything.
        cutoff: The moment, in days since 1970.
        horizon: Days of the window.
        min_buyers: Members who must have bought an offer before the moment for it to be ranked.

    Returns:
        The fold.

    Raises:
        DatasetError: Nobody bought anything before or after.
    """
    rows = purchases.rows
    later = rows.filter((pl.col("time") > cutoff) & (pl.col("time") <= cutoff + horizon))
    data = fit_data(purchases, rows, cutoff)
    open_offers = buyers_of(data) >= min_buyers
    members, truths = truth_matrix(offer_rows(purchases, later), purchases.offer_count, open_offers)
    if not len(members) or not len(data.history.indices):
        raise DatasetError(
            f"{purchases.name}: there is nothing to learn from or nothing to test on in the {horizon:g} days after "
            f"{describe_day(cutoff)}.",
            dataset=purchases.name,
        )
    return Fold(name, data, cutoff, cutoff + horizon, members, truths, open_offers)


def buyers_of(data: FitData) -> npt.NDArray[np.float64]:
    """Return float64[offers], (member, product) pairs of each offer."""
    counts = data.history.product_sums(np.ones(len(data.history.indices), np.float32))
    return np.asarray(data.onto_offers(counts[:, None]))[:, 0]


def describe_day(days: float) -> str:
    """Return a moment as a date, or as it is where it is not a date of our time."""
    if 3650 < days < 36_500:
        return str(np.datetime64("1970-01-01") + np.timedelta64(int(np.floor(days)), "D"))
    return f"day {days:g}"


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
