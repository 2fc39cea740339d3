"""Room for members and products that a model did not know; what it knew keeps its ids."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.bundle import Ids, OfferModel
from training.bundle.history import COLUMNS, History
from training.bundle.scorers import Covers
from training.errors import TrainingError
from training.offers.recipe import Known

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
