"""Implicit BPR: factors that rank what a member bought above what the member did not."""

from dataclasses import dataclass
from typing import ClassVar

from training.recommenders.factorisation import FactorRecommender, LearnedFactors
from training.recommenders.matrices import ProductMatrix


@dataclass(frozen=True)
class Bpr(FactorRecommender):
    """Bayesian personalised ranking (Rendle et al., 2009), from implicit.

    The one setting is the best of 4 at product level on this kind of data.

    Attributes:
        factors: Number of factors, besides the product bias that implicit keeps as one more.
        learning_rate: Step size of stochastic gradient descent.
        regularisation: L2 weight.
        iterations: Passes over the purchases.
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

    def factorise(self, matrix: ProductMatrix, *, seed: int) -> LearnedFactors:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=self.iterations,
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix.weights, show_progress=False)
        return LearnedFactors(model.user_factors, model.item_factors)
