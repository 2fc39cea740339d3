"""Implicit BPR: factors that rank what a member bought above what the member did not."""

from dataclasses import dataclass
from typing import ClassVar, Self

from training.bundle.scorers import Factors
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.factorisation import factor_scorer, no_factors, passes

MOST_STEPS = 400_000_000
"""Most steps of a fit, which are passes × pairs of member and product."""


@dataclass(frozen=True)
class Bpr(Recommender):
    """Bayesian personalised ranking (Rendle et al., 2009), from implicit.

    Attributes:
        factors: Number of factors, besides the product bias that implicit keeps as one more.
        learning_rate: Step size of stochastic gradient descent.
        regularisation: L2 weight.
        iterations: Passes over the purchases; fewer where they would be more than ``MOST_STEPS`` steps.
    """

    name: ClassVar[str] = "bpr"
    summary: ClassVar[str] = (
        "Factors that rank bought above not bought (implicit Bayesian personalised ranking)."
    )
    slow: ClassVar[bool] = True
    descent: ClassVar[bool] = True

    factors: int = 64
    learning_rate: float = 0.01
    regularisation: float = 0.01
    iterations: int = 50

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings; the number of passes says how far the steps lead."""
        return cls(
            factors=trial.suggest_int("factors", 8, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.003, 0.1, log=True),
            regularisation=trial.suggest_float("regularisation", 0.0003, 0.1, log=True),
            iterations=trial.suggest_int("iterations", 20, 150, log=True),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        del threads
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        matrix = data.matrix("binary")
        if matrix.nnz == 0:
            return no_factors(data)
        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=passes(self.iterations, matrix.nnz, MOST_STEPS),
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix, show_progress=False)
        # The last factor of a product is its bias; that of a member is 1.
        products, members = model.item_factors, model.user_factors
        return factor_scorer(data, products[:, :-1], products[:, -1], member_factors=members[:, :-1])
