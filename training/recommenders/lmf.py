"""Logistic matrix factorisation: factors whose product is the log-odds of a purchase."""

from dataclasses import dataclass
from typing import ClassVar, Self

from training.bundle.scorers import Factors, Weighting
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.factorisation import factor_scorer, no_factors, passes
from training.recommenders.weightings import check_weighting

MOST_STEPS = 600_000_000
"""Most steps of a fit, which are passes × pairs of member and product."""


@dataclass(frozen=True)
class Lmf(Recommender):
    """Logistic matrix factorisation for implicit feedback (Johnson, 2014), from implicit.

    Attributes:
        factors: Number of factors, besides the biases that implicit keeps as two more.
        learning_rate: Initial step size of Adagrad.
        regularisation: L2 weight.
        iterations: Passes over members and products; fewer where they would be more than ``MOST_STEPS`` steps.
        negatives: Products drawn as not bought, per bought product.
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "lmf"
    summary: ClassVar[str] = "Factors whose product is the log-odds of a purchase (implicit)."
    slow: ClassVar[bool] = True
    descent: ClassVar[bool] = True

    factors: int = 16
    learning_rate: float = 1.0
    regularisation: float = 3.0
    iterations: int = 100
    negatives: int = 3
    weighting: Weighting = "binary"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings."""
        return cls(
            factors=trial.suggest_int("factors", 8, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.1, 2.0, log=True),
            regularisation=trial.suggest_float("regularisation", 0.3, 30.0, log=True),
            iterations=trial.suggest_int("iterations", 20, 150, log=True),
            negatives=trial.suggest_int("negatives", 1, 20, log=True),
            weighting=trial.suggest_categorical("weighting", ("binary", "log")),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Ascend in one thread: the draws of negatives depend on the number of threads."""
        del threads
        from implicit.cpu.lmf import LogisticMatrixFactorization

        matrix = data.matrix(self.weighting)
        if matrix.nnz == 0:
            return no_factors(data)
        model = LogisticMatrixFactorization(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=passes(self.iterations, matrix.nnz, MOST_STEPS),
            neg_prop=self.negatives,
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix, show_progress=False)
        # Behind the factors of a product stand its bias and a 1, behind those of a member a 1 and the member's bias.
        products, members = model.item_factors, model.user_factors
        return factor_scorer(data, products[:, :-2], products[:, -2], member_factors=members[:, :-2])
