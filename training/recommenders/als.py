"""Implicit ALS: matrix factorisation of purchase counts by alternating least squares."""

from dataclasses import dataclass
from typing import ClassVar

from training.recommenders.factorisation import FactorRecommender, LearnedFactors
from training.recommenders.matrices import ProductMatrix


@dataclass(frozen=True)
class Als(FactorRecommender):
    """Collaborative filtering for implicit feedback (Hu, Koren and Volinsky, 2008), from implicit.

    The one setting is the best of 12 at product level on this kind of data.

    Attributes:
        factors: Number of factors.
        regularisation: L2 weight.
        alpha: Confidence per unit of weight.
        iterations: Sweeps over members and products.
    """

    name: ClassVar[str] = "als"
    summary: ClassVar[str] = "Matrix factorisation of purchase counts (implicit alternating least squares)."

    factors: int = 128
    regularisation: float = 30.0
    alpha: float = 1.0
    iterations: int = 15

    def factorise(self, matrix: ProductMatrix, *, seed: int) -> LearnedFactors:
        """Factorise in one thread; the job runs several fits side by side."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

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
        return LearnedFactors(model.user_factors, model.item_factors)
