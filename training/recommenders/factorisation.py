"""From factors of products to a scorer of offers."""

import numpy as np
import numpy.typing as npt

from training.bundle.scorers import Factors, FoldIn
from training.data.fit_data import FitData

Floats = npt.NDArray[np.floating]


def factor_scorer(
    data: FitData,
    product_factors: Floats,
    product_biases: Floats | None,
    *,
    member_factors: Floats | None = None,
    fold_in: FoldIn | None = None,
) -> Factors:
    """Return the scorer of learned factors.

    An offer scores the sum of the scores of its products. The score is linear, so factors and biases add up. A bias of
    the member moves all products alike and ranks none; kept, it would favour offers by how many products they cover.

    Args:
        data: What the factors were learned from.
        product_factors: float[products, k].
        product_biases: float[products], or ``None`` for none.
        member_factors: float[members, k], or ``None`` where they are folded in.
        fold_in: How member factors follow from a history, or ``None``.
    """
    biases = np.zeros(len(product_factors)) if product_biases is None else product_biases.astype(np.float64)
    return Factors(
        offer_factors=plain(data.onto_offers(product_factors.astype(np.float64))),
        offer_biases=plain(data.onto_offers(biases)),
        member_factors=None if member_factors is None else plain(member_factors),
        fold_in=fold_in,
    )


def no_factors(data: FitData) -> Factors:
    """Return the scorer of a factorisation that found no purchase to learn from: every offer scores 0."""
    history = data.history
    return factor_scorer(
        data,
        np.zeros((history.product_count, 1)),
        None,
        member_factors=np.zeros((history.member_count, 1)),
    )


def passes(wanted: int, pairs: int, most_steps: int) -> int:
    """Return how often to pass over the pairs of member and product: as often as wanted within so many steps, at least once.

    A pass over many pairs teaches more than one over few, so large data needs fewer.
    """
    return max(1, min(wanted, most_steps // max(pairs, 1)))


def plain(values: Floats) -> npt.NDArray[np.float32]:
    """Return values as float32 in rows, the form a bundle holds."""
    return np.ascontiguousarray(values, dtype=np.float32)
