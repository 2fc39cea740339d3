"""Folds: what was known at one moment, and what happened afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.bundle.task import Task
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
    """Return the members with a truth among the open offers, ascending, and bool[members, offers].

    Args:
        rows: ``member`` and ``offer`` codes; repeats count once.
        offer_count: Number of offers.
        open_offers: Offers that can be ranked.
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
