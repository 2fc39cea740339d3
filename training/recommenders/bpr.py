"""Implicit BPR: factors that rank what a member bought above what the member did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.matrices import MIN_MEMBERS, empty_factors, factor_model, product_matrix


@dataclass(frozen=True)
class Bpr(Recommender):
    """Bayesian personalised ranking (Rendle et al., 2009), from implicit.

    Attributes:
        factors: Number of factors, besides the product bias that implicit keeps as one more.
        learning_rate: Step size of stochastic gradient descent.
        regularisation: L2 weight.
        iterations: Passes over the purchases.
        min_members: Members who must have bought a product for it to take part.
    """

    name: ClassVar[str] = "bpr"
    summary: ClassVar[str] = (
        "Factors that rank bought above not bought (implicit Bayesian personalised ranking)."
    )
    slow: ClassVar[bool] = True

    factors: int = 64
    learning_rate: float = 0.01
    regularisation: float = 0.01
    iterations: int = 50
    min_members: int = MIN_MEMBERS

    @classmethod
    def grid(cls) -> Sequence[Self]:
        """Return the one setting, the best of 4 at product level on this kind of data."""
        return (cls(),)

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        matrix = product_matrix(interactions, self.min_members)
        if matrix.weights.nnz == 0:
            return empty_factors(interactions)
        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=self.iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix.weights, show_progress=False)
        return factor_model(interactions, matrix, model.user_factors, model.item_factors)
