"""How a model takes in new purchases: room for new ids, histories merged, the recipe fitted again."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from experiments.stats.estimate import Estimate
from training.bundle import Ids, OfferModel
from training.bundle.encoding import AttributeCodes
from training.bundle.features import feature_names
from training.bundle.history import COLUMNS, DECAYED, FIRST_AGE, HALF_LIVES, LAST_AGE, TRIPS, Array, History
from training.bundle.model import Task
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer, Covers
from training.data.histories import build_history, merge_histories
from training.data.purchases import FitData
from training.errors import TrainingError
from training.evaluation.evaluation import estimate_json
from training.evaluation.folds import SEASON_DAYS
from training.offers.job_data import THREADS
from training.offers.mixture import mix, spreads
from training.offers.recipe import Kind, Known, Recipe
from training.offers.second_stage import make_ranker
from training.offers.second_stage_rows import Component
from training.promotion import PromotionResult

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grown:
    """A model's histories among more members and products.

    Attributes:
        member_ids: Members, the new ones among them.
        product_ids: Products, the new ones among them.
        offer_ids: Offers; new products are new offers only where offers are the products themselves.
        history: What the model knew, in the new positions.
        covers: Which offers each product belongs to; a new product belongs to none where something covers.
        known: What is known beside histories: nothing of what is new.
    """

    member_ids: Ids
    product_ids: Ids
    offer_ids: Ids
    history: History
    covers: Covers
    known: Known


def grow(model: OfferModel, known: Known, members: Iterable[str], products: Iterable[str]) -> Grown:
    """Make room for ids that a model may not know.

    Args:
        model: What was known.
        known: What was known beside histories.
        members: Ids of members, known or not.
        products: Ids of products, known or not.

    Returns:
        The ids with room for new ones.

    Raises:
        TrainingError: ``known`` is not of this model.
    """
    sizes = (len(model.member_ids), len(model.product_ids), len(model.product_ids), len(model.offer_ids))
    if tuple(map(len, (known.members, known.products, known.product_categories, known.categories))) != sizes:
        raise TrainingError("What was kept to fit the model again is of another model: train once.")
    member_ids, member_places = grow_ids(model.member_ids, members)
    product_ids, product_places = grow_ids(model.product_ids, products)
    identity = model.covers.indptr is None
    offer_places = product_places if identity else np.arange(len(model.offer_ids))
    offer_ids = product_ids if identity else model.offer_ids
    return Grown(
        member_ids,
        product_ids,
        offer_ids,
        _grow_history(model.history, member_places, product_places, len(member_ids), len(product_ids)),
        _grow_covers(model.covers, product_places, len(product_ids)),
        Known(
            _spread(known.members, member_places, len(member_ids)),
            _spread(known.products, product_places, len(product_ids)),
            _spread(known.product_categories, product_places, len(product_ids)),
            _spread(known.categories, offer_places, len(offer_ids)),
            None if known.calendar is None else known.calendar.moved(product_places),
        ),
    )


def grow_ids(ids: Ids, more: Iterable[str]) -> tuple[Ids, Places]:
    """Return the ids with those that were missing, and int64[ids], where each old one stands now."""
    old = ids.texts()
    new = sorted(set(more) - set(old))
    places = np.arange(len(old))
    if not new:
        return ids, places
    before = np.array([bisect_left(old, identifier) for identifier in new])
    return Ids.of(sorted([*old, *new])), places + np.searchsorted(before, places, side="right")


def _grow_history(
    history: History, members: Places, products: Places, member_count: int, product_count: int
) -> History:
    counts = np.zeros(member_count, np.int64)
    counts[members] = np.diff(history.indptr)
    stats = np.zeros((member_count, len(COLUMNS)), np.float32)
    stats[members] = history.members
    return History(
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        # Old ids keep their order among each other, so products stay ascending within a member.
        indices=products[history.indices].astype(np.int32),
        columns=np.array(history.columns),
        members=stats,
        product_count=product_count,
    )


def _grow_covers(covers: Covers, products: Places, product_count: int) -> Covers:
    if covers.indptr is None or covers.indices is None:
        return Covers(product_count)
    counts = np.zeros(product_count, np.int64)
    counts[products] = np.diff(covers.indptr)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Covers(covers.offer_count, indptr, np.array(covers.indices))


def _spread(values: npt.NDArray[Any], places: Places, count: int) -> npt.NDArray[Any]:
    """Return values at their new places, -1 where nothing is known."""
    spread = np.full((count, *values.shape[1:]), -1, values.dtype)
    spread[places] = values
    return spread


@dataclass(frozen=True)
class Drift:
    """How the previous champion ranks the new purchases, which it has not seen.

    Attributes:
        metric: The metric that decides.
        value: What it reaches on them.
        cases: Members with a purchase that the task is about.
        days: Days of the new purchases; the fewer, the fewer truths each case has.
        judged: What it, or the version it goes back to, reached when it was judged, where that is known.
    """

    metric: str
    value: Estimate
    cases: int
    days: float
    judged: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metric": self.metric,
            **estimate_json(self.value),
            "cases": self.cases,
            "days": self.days,
            "when_judged": self.judged,
        }


@dataclass(frozen=True)
class Added:
    """What was read and what entered.

    Attributes:
        rows: New purchases.
        left_out: Rows that the champion knows already: not later than its feature time.
        first_left_out: Place of the first of them in the table, from 1; 0 for none.
        members: Members that are new.
        products: Products that are new; new offers where offers are the products themselves.
        gap_days: Days from the feature time to the first new purchase.
    """

    rows: int
    left_out: int
    first_left_out: int
    members: int
    products: int
    gap_days: float


@dataclass(frozen=True)
class RefreshResult:
    """What a refresh made.

    Attributes:
        programme: Loyalty programme.
        task: What the model is for.
        model: Name of its recommender.
        version: The new version.
        refreshed_from: The champion that purchases were added to.
        evidence_from: The version whose evaluation stands for the new one.
        run_id: MLflow run.
        feature_time: The moment that the new version reaches to, RFC 3339 in UTC.
        known_until: The moment that the champion reached to.
        added: What entered.
        drift: How the champion ranks the new purchases; ``None`` where that cannot be measured.
        promotion: What the gate said.
    """

    programme: str
    task: str
    model: str
    version: str
    refreshed_from: str
    evidence_from: str
    run_id: str
    feature_time: str
    known_until: str
    added: Added
    drift: Drift | None
    promotion: PromotionResult

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        added = self.added
        return {
            "programme": self.programme,
            "task": self.task,
            "model": self.model,
            "version": self.version,
            "refreshed_from": self.refreshed_from,
            "evidence_from": self.evidence_from,
            "run_id": self.run_id,
            "known_until": self.known_until,
            "feature_time": self.feature_time,
            "rows": added.rows,
            "rows_left_out": added.left_out,
            "new_members": added.members,
            "new_products": added.products,
            "gap_days": added.gap_days,
            "drift": None if self.drift is None else self.drift.to_json(),
            "promoted": self.promotion.promoted,
            "reason": self.promotion.reason,
        }


def check_features(recipe: Recipe, member_codes: AttributeCodes) -> None:
    """Raise TrainingError when the trees of a ranker learned from other columns than are computed now."""
    now = feature_names([part.name for part in recipe.parts], member_codes.names)
    if recipe.kind is Kind.RANKER and recipe.features != now:
        raise TrainingError(
            "The trees of the model look at other numbers than this Troth computes: train once."
        )


def data_of(
    grown: Grown, history: History, recipe: Recipe, member_codes: AttributeCodes, moment: float
) -> FitData:
    """Gather what the recommenders of a recipe are fitted on.

    Args:
        grown: Room for every id.
        history: What members did.
        recipe: How the model was put together.
        member_codes: Attributes of members.
        moment: Days since 1970.

    Returns:
        Histories and what is known of members and products at the moment.
    """
    known, calendar = grown.known, grown.known.calendar
    return FitData(
        history,
        grown.covers,
        known.member_attributes(member_codes).one_hot(),
        known.product_attributes(recipe.product_codes).one_hot(),
        known.product_categories,
        None if calendar is None else calendar.season(moment, SEASON_DAYS, history.product_count),
    )


def refit(
    recipe: Recipe, before: AnyScorer | Ranker, data: FitData, known: Known, task: Task
) -> AnyScorer | Ranker:
    """Fit the first stage on histories, and put it together as it was.

    A mixture keeps its weights, its scales are measured again; a ranker keeps its trees and its calibration, what it knows
    of offers is counted again.

    Args:
        recipe: What to fit.
        before: The scorer that is fitted again.
        data: Histories up to the new moment.
        known: What is known beside them.
        task: What is asked.

    Returns:
        The scorer.

    Raises:
        TrainingError: The recipe is not of this scorer, or the data is too large for a part of it.
    """
    settings = [part.settings() for part in recipe.parts]
    scorers = [one.fit(data, seed=recipe.seed, threads=THREADS) for one in settings]
    if recipe.kind is Kind.SINGLE:
        return scorers[0]
    if recipe.kind is Kind.MIXTURE:
        weights = np.array([part.weight for part in recipe.parts])
        return mix(scorers, weights, spreads(scorers, data, task, seed=recipe.seed))
    if not isinstance(before, Ranker) or before.names != tuple(part.name for part in recipe.parts):
        raise TrainingError("The recipe of the model is of another model: train once.")
    components = [
        Component(part.name, one, part.quota) for part, one in zip(recipe.parts, settings, strict=True)
    ]
    return make_ranker(
        components,
        scorers,
        before.trees,
        before.calibration,
        data,
        known.categories,
        known.members,
        cold=before.cold,
    )


_ROUNDING = 1e-6
"""Days by which an age may be off as a float32: a tenth of a second."""


def add_purchases(before: History, rows: pl.DataFrame, known_until: float, moment: float) -> History:
    """Add later purchases to a history.

    What a member bought on one day is one trip, so a day on both sides of ``known_until`` is made one trip again.

    Args:
        before: What was known, of the same members and products.
        rows: Later purchases, see ``build_history``; ``trip`` is the day.
        known_until: The moment that ``before`` reaches to, in days since 1970.
        moment: The moment of the new history, from the last purchase on.

    Returns:
        The history of everything, as of ``moment``.
    """
    since = build_history(rows, moment, member_count=before.member_count, product_count=before.product_count)
    days = moment - known_until
    merged = merge_histories(before, since, days)
    day = int(np.floor(known_until))
    same_day = rows.filter(pl.col("trip") == day)
    if same_day.is_empty():
        return merged
    latest = known_until - day + _ROUNDING
    columns, members = np.array(merged.columns), np.array(merged.members)
    codes = np.unique(same_day["member"].to_numpy())
    codes = codes[(before.members[codes, TRIPS] > 0) & (before.members[codes, LAST_AGE] <= latest)]
    _count_once(members, codes, before.members[codes], since.members[codes], days)
    keys = [_pair_keys(history) for history in (before, since, merged)]
    bought = same_day["member"].to_numpy().astype(np.int64) * before.product_count
    pairs = np.intersect1d(
        bought + same_day["product"].to_numpy(), keys[0][before.columns[:, LAST_AGE] <= latest]
    )
    first, second, both = (np.searchsorted(known, pairs) for known in keys)
    _count_once(columns, both, before.columns[first], since.columns[second], days)
    return History(merged.indptr, merged.indices, columns, members, merged.product_count)


def _pair_keys(history: History) -> npt.NDArray[np.int64]:
    """Return int64[pairs], ascending."""
    member = np.repeat(np.arange(history.member_count, dtype=np.int64), np.diff(history.indptr))
    return member * history.product_count + history.indices


def _count_once(
    merged: Array, places: Sequence[int] | npt.NDArray[np.int64], before: Array, since: Array, days: float
) -> None:
    """Take the last trip of ``before`` out of merged rows: the first one of ``since`` is the same trip."""
    age = before[:, LAST_AGE, None].astype(np.float64) + days
    merged[places, TRIPS] -= 1
    merged[places, DECAYED:] -= (0.5 ** (age / np.array(HALF_LIVES))).astype(np.float32)
    only = before[:, TRIPS] == 1
    merged[np.asarray(places)[only], FIRST_AGE] = since[only, FIRST_AGE]
