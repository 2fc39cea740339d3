"""What the recommenders that learn factors of members and products have in common."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.matrices import (
    MIN_MEMBERS,
    ProductMatrix,
    empty_factors,
    factor_model,
    product_matrix,
)


@dataclass(frozen=True, slots=True, eq=False)
class LearnedFactors:
    """What a factorisation learned; a score is the inner product of a member and a product, plus the product's bias.

    Attributes:
        members: float[members, k].
        products: float[products, k].
        product_biases: float[products], or ``None`` for none.
    """

    members: npt.NDArray[Any]
    products: npt.NDArray[Any]
    product_biases: npt.NDArray[Any] | None = None


@dataclass(frozen=True)
class FactorRecommender(Recommender):
    """Learns at the level of products; an offer's factors are the sum of those of the products it covers.

    Attributes:
        min_members: Members who must have bought a product for it to take part.
    """

    min_members: int = MIN_MEMBERS

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Factorise; without any product that enough members bought, nobody has factors."""
        matrix = product_matrix(interactions, self.min_members)
        if matrix.weights.nnz == 0:
            return empty_factors(interactions)
        learned = self.factorise(matrix, seed=seed)
        return factor_model(interactions, matrix, learned.members, learned.products, learned.product_biases)

    @abstractmethod
    def factorise(self, matrix: ProductMatrix, *, seed: int) -> LearnedFactors:
        """Learn factors from weights of members and products, of which there is at least one."""
