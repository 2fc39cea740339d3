"""The features of the second stage: one row of numbers per candidate offer, computed for one member.

Training builds its tables with the function that serves, so the server computes what the trees were trained on.

Some features are about product lines: groups of products that replace each other, such as one brand's yoghurts. Who buys
a line is likely to take an offer on it, even on a flavour that they never bought.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle.history import (
    COLUMNS,
    DECAYED,
    DISCOUNTED,
    FIRST_AGE,
    HALF_LIVES,
    LAST_AGE,
    TRIPS,
    VALUE,
    History,
    Profile,
)
from training.bundle.scorers import Covers

PAIR_FEATURES = (
    "trips",
    "days_since_last",
    "days_since_first",
    "value_per_trip",
    "discounted_share",
    *COLUMNS[DECAYED:],
    "products_bought",
    "recent_value",
    "usual_interval",
    "due_by_own_interval",
    "due_by_offer_interval",
    "momentum",
    "share_of_trips",
    "share_of_recent_trips",
    "share_of_latest_trips",
    "value",
    "discounted_trips",
    "category_share",
)
LINE_FEATURES = ("line_decayed_84", "line_recent_value", "line_discounted_trips")
"""The same over all products of the lines that the offer covers something of."""

RELATIVE_FEATURES = (
    "decayed_84_of_most",
    "recent_value_of_most",
    "line_decayed_84_of_most",
    "line_recent_value_of_most",
    "offer_decayed_84_of_most",
)
"""Shares of the highest number among the candidates: what is much for one member is little for another."""

MEMBER_FEATURES = (
    "member_trips",
    "member_days_since_last",
    "member_days_since_first",
    "member_recent_trips",
    "member_latest_trips",
    "member_offers",
    "member_value_per_trip",
    "member_discounted_share",
)
OFFER_FEATURES = (
    "offer_buyers",
    "offer_buyers_28_days",
    "offer_buyers_56_days",
    "offer_decayed_7",
    "offer_decayed_28",
    "offer_decayed_84",
    "offer_decayed_336",
    "offer_trend",
    "offer_repeat_share",
    "offer_interval",
    "offer_trips_per_buyer",
    "offer_value_per_trip",
    "offer_discounted_share",
    "offer_products",
    "offer_lines",
)

RISING = frozenset(
    (
        "trips",
        *COLUMNS[DECAYED:],
        "products_bought",
        "recent_value",
        "value",
        "share_of_trips",
        "share_of_recent_trips",
        "share_of_latest_trips",
        "category_share",
        *LINE_FEATURES,
        *RELATIVE_FEATURES,
    )
)
"""Features that speak for an offer the more the higher they are: what the member did with it and with its like."""

FALLING = frozenset(("days_since_last",))
"""Features that speak against an offer the more the higher they are."""


Array = npt.NDArray[np.float32]


def line_offers(covers: Covers) -> Covers | None:
    """Return which offers each line belongs to: all that cover one of its products; ``None`` where there are no lines."""
    if covers.lines is None or not (covers.lines >= 0).any():
        return None
    positions, offers = covers.expand(np.arange(len(covers.lines), dtype=np.int32))
    lines = covers.lines[positions].astype(np.int64)
    known = lines >= 0
    pairs = np.unique(lines[known] * covers.offer_count + offers[known])
    line, offer = np.divmod(pairs, covers.offer_count)
    counts = np.bincount(line, minlength=int(covers.lines.max()) + 1)
    return Covers(
        covers.offer_count, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), offer.astype(np.int32)
    )


def line_counts(lines: Covers | None, offer_count: int) -> npt.NDArray[np.float64]:
    """Return float64[offers], how many lines each offer covers something of; 0 where there are no lines."""
    if lines is None or lines.indices is None:
        return np.zeros(offer_count)
    return np.bincount(lines.indices, minlength=offer_count).astype(np.float64)


def line_columns(
    products: npt.NDArray[np.int32],
    values: Sequence[Array],
    candidates: npt.NDArray[np.int64],
    covers: Covers,
    lines: Covers | None,
) -> Array:
    """Add up what a member did with all products of the lines that each candidate covers something of.

    Args:
        products: What the member bought.
        values: float32[products] each.
        candidates: Offers.
        covers: Which line each product belongs to.
        lines: Which offers each line belongs to.

    Returns:
        float32[values, candidates]; 0 where there are no lines.
    """
    sums = np.zeros((len(values), len(candidates)), np.float32)
    if lines is None or covers.lines is None:
        return sums
    line = covers.lines[products]
    known = np.flatnonzero(line >= 0)
    bought, place = np.unique(line[known], return_inverse=True)
    positions, offers = lines.expand(bought)
    for row, one in enumerate(values):
        per_line = np.bincount(place, weights=one[known], minlength=len(bought))
        per_offer = np.bincount(offers, weights=per_line[positions], minlength=covers.offer_count)
        sums[row] = per_offer[candidates]
    return sums


NEVER = np.float32(9999.0)
"""Days since something that never happened."""
UNKNOWN = np.float32(-1.0)

_RECENT = len(COLUMNS)
"""Column of what the member spent lately: trips decayed over 84 days, each at the usual price of its product."""
_D28, _D84, _D168 = (DECAYED + HALF_LIVES.index(days) for days in (28.0, 84.0, 168.0))

_SOLD = OFFER_FEATURES.index("offer_decayed_84")


def feature_names(components: Sequence[str], member_attributes: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that ``candidate_features`` fills."""
    return (
        *PAIR_FEATURES,
        *LINE_FEATURES,
        *RELATIVE_FEATURES,
        *MEMBER_FEATURES,
        *(f"attribute_{name}" for name in member_attributes),
        *OFFER_FEATURES,
        *(f"score_{name}" for name in components),
    )


@dataclass(frozen=True, slots=True, eq=False)
class OfferTable:
    """What is known of offers at one moment.

    Attributes:
        values: float32[offers, len(OFFER_FEATURES)].
        categories: int32[offers], the category of each offer, or -1.
        category_count: Number of categories.
        lines: Which offers each product line belongs to; ``None`` where no lines are known.
    """

    values: Array
    categories: npt.NDArray[np.int32]
    category_count: int
    lines: Covers | None = None


def offer_table(history: History, covers: Covers, categories: npt.NDArray[np.int32]) -> OfferTable:
    """Sum a history up to one row per offer; shares and rates, so that it compares over histories of different size.

    Args:
        history: What members did.
        covers: Which offers each product belongs to.
        categories: int32[offers], -1 for none.

    Returns:
        One row per offer.
    """
    columns, lines = history.columns, line_offers(covers)
    trips, last, first = columns[:, TRIPS], columns[:, LAST_AGE], columns[:, FIRST_AGE]
    per_pair = [
        np.ones(len(trips), np.float32),
        (last < 28).astype(np.float32),
        (last < 56).astype(np.float32),
        *(columns[:, DECAYED + HALF_LIVES.index(days)] for days in (7.0, 28.0, 84.0, 336.0)),
        (trips > 1).astype(np.float32),
        first - last,
        trips - 1,
        trips,
        columns[:, VALUE],
        columns[:, DISCOUNTED],
    ]
    sums = np.stack([_onto_offers(history.product_sums(values), covers) for values in per_pair], axis=1)
    members = max(history.member_count, 1)
    buyers, all_trips = np.maximum(sums[:, 0], 1e-9), np.maximum(sums[:, 10], 1e-9)
    again = sums[:, 9]
    known = sums[:, 0] > 0
    table = np.stack(
        [
            *(sums[:, column] / members for column in range(7)),
            np.where(sums[:, 5] > 0, sums[:, 4] / np.maximum(sums[:, 5], 1e-9), 0),
            sums[:, 7] / buyers,
            np.where(again > 0, sums[:, 8] / np.maximum(again, 1e-9), UNKNOWN),
            sums[:, 10] / buyers,
            sums[:, 11] / all_trips,
            sums[:, 12] / all_trips,
            _onto_offers(np.ones(history.product_count), covers),
            line_counts(lines, covers.offer_count),
        ],
        axis=1,
    )
    table[~known, 8:13] = UNKNOWN
    return OfferTable(table.astype(np.float32), categories, int(categories.max(initial=-1)) + 1, lines)


def offer_rows(profile: Profile, covers: Covers) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Return what a member did with offers: offers (ascending), their columns, and the products bought of each."""
    return _onto_bought_offers(profile.products, profile.columns, covers)


def candidate_features(  # noqa: PLR0917  # the parts of one row, in their order
    profile: Profile,
    candidates: npt.NDArray[np.int64],
    covers: Covers,
    table: OfferTable,
    attributes: Array,
    component_scores: Sequence[Array],
) -> Array:
    """Describe candidate offers to the second stage.

    Args:
        profile: What the member did.
        candidates: Offers to describe; what is told relative to the others depends on all of them.
        covers: Which offers each product belongs to.
        table: What is known of offers.
        attributes: float32[attributes] of the member, -1 for unknown.
        component_scores: float32[offers] of each component.

    Returns:
        float32[candidates, features], in the order of ``feature_names``.
    """
    # Each product's own price: what an offer covers may cost very different sums.
    paid = profile.columns[:, VALUE] / np.maximum(profile.columns[:, TRIPS], 1)
    extended = np.column_stack([profile.columns, paid * profile.columns[:, _D84]])
    offers, columns, bought = _onto_bought_offers(profile.products, extended, covers)
    place = np.searchsorted(offers, candidates)
    place_inside = np.minimum(place, max(len(offers) - 1, 0))
    has = offers[place_inside] == candidates if len(offers) else np.zeros(len(candidates), bool)
    own = np.zeros((extended.shape[1], len(candidates)), np.float32)
    products = np.zeros(len(candidates), np.float32)
    if len(offers):
        own[:, has] = columns[place_inside[has]].T
        products[has] = bought[place_inside[has]]
    stats, of_offers = profile.stats, table.values[candidates].T
    lines = line_columns(
        profile.products,
        [extended[:, _D84], extended[:, _RECENT], profile.columns[:, DISCOUNTED]],
        candidates,
        covers,
        table.lines,
    )
    blocks: tuple[Array | Sequence[Array], ...] = (
        _pair_columns(own, has, products, stats, of_offers),
        _category_share(offers, columns, candidates, table)[None, :],
        lines,
        _of_most([own[_D84], own[_RECENT], lines[0], lines[1], of_offers[_SOLD]]),
        _member_row(stats, len(offers))[:, None],
        attributes[:, None],
        of_offers,
        [scores[candidates] for scores in component_scores],
    )
    # Filled and read a column at a time.
    result = np.empty((sum(map(len, blocks)), len(candidates)), np.float32)
    start = 0
    for block in blocks:
        if isinstance(block, np.ndarray):
            result[start : start + len(block)] = block
        else:
            for row, values in enumerate(block, start=start):
                result[row] = values
        start += len(block)
    return result.T


def _onto_bought_offers(
    products: npt.NDArray[np.int32], columns: Array, covers: Covers
) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Add up rows per product to rows per offer; columns beyond those of a history are added up, too."""
    if covers.indptr is None:
        return products.astype(np.int64), columns, np.ones(len(products), np.float32)
    positions, offers = covers.expand(products)
    if not len(offers):
        return offers, np.zeros((0, columns.shape[1]), np.float32), np.zeros(0, np.float32)
    order = np.argsort(offers, kind="stable")
    offers, rows = offers[order], columns[positions[order]]
    starts = np.flatnonzero(np.concatenate([[True], offers[1:] != offers[:-1]]))
    summed: Array = np.add.reduceat(rows, starts, axis=0)
    summed[:, LAST_AGE] = np.minimum.reduceat(rows[:, LAST_AGE], starts)
    summed[:, FIRST_AGE] = np.maximum.reduceat(rows[:, FIRST_AGE], starts)
    bought = np.diff(np.concatenate([starts, [len(offers)]])).astype(np.float32)
    return offers[starts], summed, bought


def _pair_columns(
    own: Array, has: npt.NDArray[np.bool_], products: Array, stats: Array, offers: Array
) -> list[Array]:
    """Return the columns of ``PAIR_FEATURES`` but the last; ``own`` and ``offers`` hold a column in each row."""
    trips, last, first = own[TRIPS], own[LAST_AGE], own[FIRST_AGE]
    per_trip = np.maximum(trips, 1)
    again = trips > 1
    interval = np.where(again, (first - last) / np.maximum(trips - 1, 1), UNKNOWN)
    offer_interval = offers[OFFER_FEATURES.index("offer_interval")]
    member_trips = max(float(stats[TRIPS]), 1.0)
    return [
        trips,
        np.where(has, last, NEVER),
        np.where(has, first, NEVER),
        np.where(has, own[VALUE] / per_trip, UNKNOWN),
        np.where(has, own[DISCOUNTED] / per_trip, UNKNOWN),
        *own[DECAYED : len(COLUMNS)],
        products,
        own[_RECENT],
        interval,
        np.where(again, last / np.maximum(interval, 0.5), UNKNOWN),
        np.where(has & (offer_interval > 0), last / np.maximum(offer_interval, 0.5), UNKNOWN),
        own[_D28] / np.maximum(own[_D168], 1e-6),
        trips / np.float32(member_trips),
        own[_D84] / np.float32(max(float(stats[_D84]), 1e-6)),
        own[_D28] / np.float32(max(float(stats[_D28]), 1e-6)),
        own[VALUE],
        own[DISCOUNTED],
    ]


def _of_most(columns: Sequence[Array]) -> Array:
    """Return each column as a share of its highest number; 0 where that is not above 0."""
    values = np.stack(columns)
    most = values.max(axis=1, initial=0.0, keepdims=True)
    most[most <= 0] = np.inf
    shares: Array = values / most
    return shares


def _category_share(
    offers: npt.NDArray[np.int64], columns: Array, candidates: npt.NDArray[np.int64], table: OfferTable
) -> Array:
    """Return how much of what the member bought, decayed, lies in each candidate's category."""
    if not table.category_count or not len(offers):
        return np.zeros(len(candidates), np.float32)
    # Category -1 takes place 0, which no candidate is compared with.
    weights = np.bincount(
        table.categories[offers] + 1, weights=columns[:, _D168], minlength=table.category_count + 1
    )
    total = weights.sum()
    if total <= 0:
        return np.zeros(len(candidates), np.float32)
    weights[0] = 0.0
    shares: Array = (weights[table.categories[candidates] + 1] / total).astype(np.float32)
    return shares


def _member_row(stats: Array, offer_count: int) -> Array:
    trips = max(float(stats[TRIPS]), 1.0)
    known = stats[TRIPS] > 0
    return np.array(
        [
            stats[TRIPS],
            stats[LAST_AGE] if known else NEVER,
            stats[FIRST_AGE] if known else NEVER,
            stats[_D84],
            stats[_D28],
            offer_count,
            stats[VALUE] / trips if known else UNKNOWN,
            stats[DISCOUNTED] / trips if known else UNKNOWN,
        ],
        dtype=np.float32,
    )


def _onto_offers(per_product: npt.NDArray[np.float64], covers: Covers) -> npt.NDArray[np.float64]:
    if covers.indptr is None or covers.indices is None:
        return per_product
    repeated = np.repeat(per_product, np.diff(covers.indptr))
    return np.bincount(covers.indices, weights=repeated, minlength=covers.offer_count).astype(np.float64)
