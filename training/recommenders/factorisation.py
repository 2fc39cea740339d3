"""Matrix factorisation: ALS, BPR and logistic, and how factors of products become a scorer of offers."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from training.bundle.scorers import Factors, FoldIn, Weighting
from training.data.purchases import FitData
from training.recommenders.base import Recommender, SettingsTrial, check_weighting

Floats = npt.NDArray[np.floating]


def factor_scorer(
    data: FitData,
    product_factors: Floats,
    product_biases: Floats | None,
    *,
    member_factors: Floats | None = None,
    fold_in: FoldIn | None = None,
) -> Factors:
    """Make a scorer of learned factors.

    An offer scores the sum of the scores of its products. The score is linear, so factors and biases add up. A bias of
    the member moves all products alike and ranks none; kept, it would favour offers by how many products they cover.

    Args:
        data: What the factors were learned from.
        product_factors: float[products, k].
        product_biases: float[products], or ``None`` for none.
        member_factors: float[members, k], or ``None`` where they are folded in.
        fold_in: How member factors follow from a history, or ``None``.

    Returns:
        The scorer.
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
    """Decide how often to pass over the pairs of member and product.

    A pass over many pairs teaches more than one over few, so large data needs fewer.

    Args:
        wanted: Passes that are asked for.
        pairs: Pairs of member and product.
        most_steps: Steps that are not to be exceeded.

    Returns:
        As many passes as wanted, or as fit into the steps; at least 1.
    """
    return max(1, min(wanted, most_steps // max(pairs, 1)))


def plain(values: Floats) -> npt.NDArray[np.float32]:
    """Return values as float32 in rows, the form a bundle holds."""
    return np.ascontiguousarray(values, dtype=np.float32)


@dataclass(frozen=True)
class Als(Recommender):
    """Alternating least squares (Hu, Koren and Volinsky, *Collaborative Filtering for Implicit Feedback Datasets*, 2008), from implicit.

    Member factors are the least-squares solution for the history at hand (equation 4), so a purchase counts as soon as it is known
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
    def suggest(cls, trial: SettingsTrial) -> Self:
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
        """Factorise; implicit's sweeps give the same bits for any number of threads. See ``Recommender.fit``."""
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


LMF_MAX_STEPS = 600_000_000
"""Most steps of a fit, which are passes × pairs of member and product."""


@dataclass(frozen=True)
class Lmf(Recommender):
    """Logistic matrix factorisation (Johnson, *Logistic Matrix Factorization for Implicit Feedback Data*, 2014), from implicit.

    Attributes:
        factors: Number of factors, besides the biases that implicit keeps as two more.
        learning_rate: Initial step size of Adagrad.
        regularisation: L2 weight.
        iterations: Passes over members and products; fewer where they would be more than ``MAX_STEPS`` steps.
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
    def suggest(cls, trial: SettingsTrial) -> Self:
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
        """Ascend in one thread: the draws of negatives depend on the number of threads. See ``Recommender.fit``."""
        del threads
        from implicit.cpu.lmf import LogisticMatrixFactorization

        matrix = data.matrix(self.weighting)
        if matrix.nnz == 0:
            return no_factors(data)
        model = LogisticMatrixFactorization(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=passes(self.iterations, matrix.nnz, LMF_MAX_STEPS),
            neg_prop=self.negatives,
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix, show_progress=False)
        # Behind the factors of a product stand its bias and a 1, behind those of a member a 1 and the member's bias.
        products, members = model.item_factors, model.user_factors
        return factor_scorer(data, products[:, :-2], products[:, -2], member_factors=members[:, :-2])


BPR_MAX_STEPS = 400_000_000
"""Most steps of a fit, which are passes × pairs of member and product."""


@dataclass(frozen=True)
class Bpr(Recommender):
    """Matrix factorisation by BPR (Rendle et al., *BPR: Bayesian Personalized Ranking from Implicit Feedback*, 2009), from implicit.

    Attributes:
        factors: Number of factors, besides the product bias that implicit keeps as one more.
        learning_rate: Step size of stochastic gradient descent.
        regularisation: L2 weight.
        iterations: Passes over the purchases; fewer where they would be more than ``MAX_STEPS`` steps.
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
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings; the number of passes says how far the steps lead."""
        return cls(
            factors=trial.suggest_int("factors", 8, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.003, 0.1, log=True),
            regularisation=trial.suggest_float("regularisation", 0.0003, 0.1, log=True),
            iterations=trial.suggest_int("iterations", 20, 150, log=True),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Descend in one thread: with two, updates race and no two fits are alike. See ``Recommender.fit``."""
        del threads
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        matrix = data.matrix("binary")
        if matrix.nnz == 0:
            return no_factors(data)
        model = BayesianPersonalizedRanking(
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularisation,
            iterations=passes(self.iterations, matrix.nnz, BPR_MAX_STEPS),
            num_threads=1,
            random_state=seed,
        )
        model.fit(matrix, show_progress=False)
        # The last factor of a product is its bias; that of a member is 1.
        products, members = model.item_factors, model.user_factors
        return factor_scorer(data, products[:, :-1], products[:, -1], member_factors=members[:, :-1])
