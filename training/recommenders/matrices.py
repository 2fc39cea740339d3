"""The member-by-product matrix the collaborative recommenders share, and the way back to offers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle import Factors, OfferModel, PersonalScores
from training.data.interactions import Interactions

# Departments without goods a member chooses: fuel, corrections, coupons and the shop's own supplies.
PSEUDO_DEPARTMENTS = frozenset({"FUEL", "MISCELLANEOUS", "COUPON", "CNTRL/STORE SUP"})
MIN_MEMBERS = 20


@dataclass(frozen=True, eq=False)
class ProductMatrix:
    """Who bought what, for products enough members bought.

    Attributes:
        member_ids: Members with at least one of these products, ascending.
        weights: float32[members, products], ``log(1 + purchase rows)``.
        covers: float32[products, offers], 1 where the offer covers the product.
    """

    member_ids: tuple[str, ...]
    weights: sparse.csr_matrix
    covers: sparse.csr_matrix


def product_matrix(interactions: Interactions, min_members: int) -> ProductMatrix:
    """Build the matrix that the collaborative recommenders learn from.

    Rows with quantity 0 and products of pseudo departments are left out, as are products bought by fewer than
    ``min_members`` members, whose factors would be noise.
    """
    real = np.array([name not in PSEUDO_DEPARTMENTS for name in interactions.departments], dtype=bool)
    rows = (interactions.quantity > 0) & real[interactions.product]
    shape = (len(interactions.member_ids), len(interactions.product_ids))
    pairs = (interactions.member[rows], interactions.product[rows])
    counts = sparse.csr_matrix((np.ones(int(rows.sum()), np.float32), pairs), shape=shape)
    buyers = np.bincount(counts.indices, minlength=shape[1])
    products = np.flatnonzero(buyers >= min_members)
    weights = counts[:, products].log1p()
    members = np.flatnonzero(np.diff(weights.indptr))
    return ProductMatrix(
        member_ids=tuple(interactions.member_ids[index] for index in members),
        weights=weights[members].tocsr(),
        covers=interactions.covers[products].tocsr(),
    )


def personal_model(
    interactions: Interactions, member_ids: tuple[str, ...], scores: sparse.csr_matrix
) -> OfferModel:
    """Return sparse personal scores as a model."""
    scores = sparse.csr_matrix(scores)
    scores.sum_duplicates()
    scores.eliminate_zeros()
    return OfferModel(
        member_ids=member_ids,
        offer_ids=interactions.offer_ids,
        popular_scores=interactions.popular_scores,
        personal=PersonalScores(
            indptr=scores.indptr.astype(np.int64),
            indices=scores.indices.astype(np.int32),
            data=scores.data.astype(np.float32),
        ),
    )


def factor_model(
    interactions: Interactions,
    matrix: ProductMatrix,
    member_factors: npt.NDArray[np.float32],
    product_factors: npt.NDArray[np.float32],
    product_biases: npt.NDArray[np.float32] | None = None,
) -> OfferModel:
    """Return factors as a model.

    An offer scores the sum of the scores of its products. The score is linear, so the factors add up:
    ``offer_factors = covers.T @ product_factors``.
    """
    offer_factors = matrix.covers.T @ product_factors.astype(np.float64)
    biases = np.zeros(len(product_factors)) if product_biases is None else product_biases.astype(np.float64)
    return OfferModel(
        member_ids=matrix.member_ids,
        offer_ids=interactions.offer_ids,
        popular_scores=interactions.popular_scores,
        factors=Factors(
            member_factors=np.ascontiguousarray(member_factors, dtype=np.float32),
            offer_factors=np.ascontiguousarray(offer_factors, dtype=np.float32),
            offer_biases=np.asarray(matrix.covers.T @ biases, dtype=np.float32),
        ),
    )


def empty_factors(interactions: Interactions) -> OfferModel:
    """Return the model of a recommender that found no product to learn from: everybody gets popular offers."""
    offers = len(interactions.offer_ids)
    return OfferModel(
        member_ids=(),
        offer_ids=interactions.offer_ids,
        popular_scores=interactions.popular_scores,
        factors=Factors(
            member_factors=np.zeros((0, 1), np.float32),
            offer_factors=np.zeros((offers, 1), np.float32),
            offer_biases=np.zeros(offers, np.float32),
        ),
    )
