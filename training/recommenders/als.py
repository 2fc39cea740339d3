"""Implicit ALS: matrix factorisation of purchases by alternating least squares."""

from dataclasses import dataclass
from typing import ClassVar, Self

from training.bundle.scorers import Factors, FoldIn, Weighting
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.factorisation import factor_scorer, no_factors, plain
from training.recommenders.weightings import check_weighting


@dataclass(frozen=True)
class Als(Recommender):
    """Collaborative filtering for implicit feedback (Hu, Koren and Volinsky, 2008), from implicit.

    Member factors are the least-squares solution for the history at hand, so a purchase counts as soon as it is known
    and members who came after the fit have factors too.

    Attributes:
        factors: Number of factors.
        regularisation: L2 weight.
        alpha: Confidence per unit of weight.
        iterations: Sweeps over members and products.
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "als"
    summary: ClassVar[str] = "Matrix factorisation of purchases (implicit alternating least squares)."
    slow: ClassVar[bool] = True

    factors: int = 64
    regularisation: float = 30.0
    alpha: float = 1.0
    iterations: int = 15
    weighting: Weighting = "log_decayed_168"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)
        # Zero would leave a member of few products with a singular system.
        if not self.regularisation > 0:
            raise ValueError(f"regularisation == {self.regularisation}, must be > 0.")

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings; many factors want much regularisation."""
        return cls(
            factors=trial.suggest_int("factors", 8, 256, log=True),
            regularisation=trial.suggest_float("regularisation", 0.1, 300.0, log=True),
            alpha=trial.suggest_float("alpha", 0.25, 32.0, log=True),
            weighting=trial.suggest_categorical(
                "weighting", ("binary", "log", "log_decayed_84", "log_decayed_168")
            ),
        )

    @classmethod
    def starts(cls) -> tuple[Self, ...]:
        """Return settings for purchases that repeat, and for ratings and clicks that do not."""
        return cls(), cls(factors=24, regularisation=50.0, alpha=10.0, weighting="binary")

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Factorise; implicit's sweeps give the same bits for any number of threads."""
        from implicit.cpu.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        matrix = data.matrix(self.weighting)
        if matrix.nnz == 0:
            return no_factors(data)
        # implicit runs its own threads; BLAS threads below them would fight for the same cores.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=self.alpha,
                iterations=self.iterations,
                num_threads=threads,
                random_state=seed,
            )
            model.fit(matrix, show_progress=False)
            products = plain(model.item_factors)
            gram = plain(products.astype("float64").T @ products.astype("float64"))
        fold_in = FoldIn(self.weighting, self.alpha, self.regularisation, products, gram)
        return factor_scorer(data, products, None, fold_in=fold_in)
