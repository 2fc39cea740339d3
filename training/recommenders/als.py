"""Implicit ALS: matrix factorisation of purchase counts by alternating least squares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.matrices import MIN_MEMBERS, empty_factors, factor_model, product_matrix


@dataclass(frozen=True)
class Als(Recommender):
    """Collaborative filtering for implicit feedback (Hu, Koren and Volinsky, 2008), from implicit.

    Attributes:
        factors: Number of factors.
        regularisation: L2 weight.
        alpha: Confidence per unit of weight.
        iterations: Sweeps over members and products.
        min_members: Members who must have bought a product for it to take part.
    """

    name: ClassVar[str] = "als"
    summary: ClassVar[str] = "Matrix factorisation of purchase counts (implicit alternating least squares)."

    factors: int = 128
    regularisation: float = 30.0
    alpha: float = 1.0
    iterations: int = 15
    min_members: int = MIN_MEMBERS

    @classmethod
    def grid(cls) -> Sequence[Self]:
        """Return the one setting, the best of 12 at product level on this kind of data."""
        return (cls(),)

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Factorise in one thread; the job runs several fits side by side."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        matrix = product_matrix(interactions, self.min_members)
        if matrix.weights.nnz == 0:
            return empty_factors(interactions)
        # implicit runs its own threads; BLAS threads below them would fight for the same cores.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=self.alpha,
                iterations=self.iterations,
                num_threads=1,
                random_state=seed,
            )
            model.fit(matrix.weights, show_progress=False)
        return factor_model(interactions, matrix, model.user_factors, model.item_factors)
