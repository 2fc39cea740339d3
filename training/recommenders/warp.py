"""LightFM: factors of members, products and their attributes, trained by a ranking loss."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Factors, Weighting
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.factorisation import factor_scorer, no_factors, passes
from training.recommenders.lightfm_wheel import import_lightfm
from training.recommenders.weightings import check_weighting

LOSSES = ("warp", "bpr")
MOST_STEPS = 80_000_000
"""Most steps of a fit, which are passes × pairs of member and product: minutes, where more passes would take hours."""


@dataclass(frozen=True)
class Warp(Recommender):
    """Weighted approximate-rank pairwise loss (Weston et al., 2011), from LightFM (Kula, 2015).

    A member is the mean of the factors of what is known of the member: the member's own, and those of the attributes
    where there are any; so is a product. The means are taken once after the fit, so serving is an inner product.

    Attributes:
        loss: ``warp``, or ``bpr`` for Bayesian personalised ranking as LightFM trains it.
        factors: Number of factors.
        learning_rate: Initial step size of Adagrad.
        epochs: Passes over the purchases; fewer where they would be more than ``MOST_STEPS`` steps.
        regularisation: L2 weight on members and products.
        weighting: How much a pair weighs in the loss.
    """

    name: ClassVar[str] = "warp"
    summary: ClassVar[str] = "Factors of members, products and attributes trained on the ranking (LightFM)."
    slow: ClassVar[bool] = True
    descent: ClassVar[bool] = True

    loss: str = "warp"
    factors: int = 64
    learning_rate: float = 0.02
    epochs: int = 30
    regularisation: float = 0.0
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)
        if self.loss not in LOSSES:
            raise ValueError(f"loss == {self.loss!r}, must be one of {', '.join(LOSSES)}.")

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings; BPR is left out, as WARP was better wherever both were tried."""
        return cls(
            factors=trial.suggest_int("factors", 16, 128, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.005, 0.1, log=True),
            epochs=trial.suggest_int("epochs", 5, 60, log=True),
            regularisation=trial.suggest_categorical("regularisation", (0.0, 1e-6, 1e-5, 1e-4)),
            weighting=trial.suggest_categorical("weighting", ("binary", "log")),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Factors:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        del threads
        weights = data.matrix(self.weighting)
        if weights.nnz == 0:
            return no_factors(data)
        members = features(data.member_attributes, weights.shape[0])
        products = features(data.product_attributes, weights.shape[1])
        bought = sparse.coo_matrix(weights)
        positive = sparse.coo_matrix((np.ones_like(bought.data), bought.coords), shape=bought.shape)
        model = import_lightfm().LightFM(
            no_components=self.factors,
            loss=self.loss,
            learning_rate=self.learning_rate,
            item_alpha=self.regularisation,
            user_alpha=self.regularisation,
            random_state=seed,
        )
        model.fit(
            positive,
            user_features=members,
            item_features=products,
            sample_weight=None if self.weighting == "binary" else bought,
            epochs=passes(self.epochs, weights.nnz, MOST_STEPS),
            num_threads=1,
        )
        # Who bought nothing still has the random start, and what nobody bought was only ever drawn as a negative.
        members = known(members, np.diff(weights.indptr) > 0)
        sold = weights.getnnz(axis=0) > 0
        if data.product_attributes is not None:
            products = known(products, sold | (data.product_attributes.getnnz(axis=1) == 0))
        return factor_scorer(
            data,
            products @ model.item_embeddings,
            products @ model.item_biases,
            member_factors=members @ model.user_embeddings,
        )


def features(attributes: sparse.csr_matrix | None, count: int) -> sparse.csr_matrix:
    """Return float32[count, count + values]: itself and its attributes, as shares of 1.

    LightFM's own ``Dataset`` builds the same: an identity beside the attributes, each row normalised.
    """
    itself = sparse.identity(count, dtype=np.float32, format="csr")
    if attributes is None:
        return itself
    both = sparse.hstack([itself, attributes], format="csr", dtype=np.float32)
    return _shares(both)


def known(rows: sparse.csr_matrix, active: npt.NDArray[np.bool]) -> sparse.csr_matrix:
    """Leave out the own factors of those that are not active: their attributes speak for them, if they have any.

    Args:
        rows: float32[count, count + values], as ``features`` returns them.
        active: bool[count].
    """
    if active.all():
        return rows
    count = len(active)
    itself = sparse.diags_array(active.astype(np.float32), format="csr") @ rows[:, :count]
    return _shares(sparse.hstack([itself, rows[:, count:]], format="csr", dtype=np.float32))


def _shares(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    sums = np.asarray(abs(rows).sum(axis=1)).ravel()
    scale = np.divide(1.0, sums, out=np.zeros_like(sums), where=sums > 0)
    return sparse.csr_matrix(sparse.diags_array(scale.astype(np.float32)) @ rows, dtype=np.float32)
