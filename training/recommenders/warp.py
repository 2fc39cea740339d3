"""LightFM WARP: factors trained until a bought product ranks above the violators that are found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.lightfm_wheel import import_lightfm
from training.recommenders.matrices import MIN_MEMBERS, empty_factors, factor_model, product_matrix


@dataclass(frozen=True)
class Warp(Recommender):
    """Weighted approximate-rank pairwise loss (Weston et al., 2011), from LightFM.

    A member's bias moves all products alike and ranks none, so it is left out; kept, it would favour offers by how
    many products they cover.

    Attributes:
        factors: Number of factors.
        learning_rate: Initial step size of Adagrad.
        epochs: Passes over the purchases.
        min_members: Members who must have bought a product for it to take part.
    """

    name: ClassVar[str] = "warp"
    summary: ClassVar[str] = "Factors trained on the top of the ranking (LightFM, WARP loss)."
    slow: ClassVar[bool] = True

    factors: int = 64
    learning_rate: float = 0.05
    epochs: int = 10
    min_members: int = MIN_MEMBERS

    @classmethod
    def grid(cls) -> Sequence[Self]:
        """Return the one setting, the better of 2 at product level on this kind of data."""
        return (cls(),)

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        matrix = product_matrix(interactions, self.min_members)
        if matrix.weights.nnz == 0:
            return empty_factors(interactions)
        bought = matrix.weights.tocoo()
        bought.data = np.ones_like(bought.data)
        model = import_lightfm().LightFM(
            no_components=self.factors, loss="warp", learning_rate=self.learning_rate, random_state=seed
        )
        model.fit(bought, epochs=self.epochs, num_threads=1)
        return factor_model(
            interactions, matrix, model.user_embeddings, model.item_embeddings, model.item_biases
        )
