"""LightFM WARP: factors trained until a bought product ranks above the violators that are found."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from training.recommenders.factorisation import FactorRecommender, LearnedFactors
from training.recommenders.lightfm_wheel import import_lightfm
from training.recommenders.matrices import ProductMatrix


@dataclass(frozen=True)
class Warp(FactorRecommender):
    """Weighted approximate-rank pairwise loss (Weston et al., 2011), from LightFM.

    A member's bias moves all products alike and ranks none, so it is left out; kept, it would favour offers by how
    many products they cover.

    The one setting is the better of 2 at product level on this kind of data.

    Attributes:
        factors: Number of factors.
        learning_rate: Initial step size of Adagrad.
        epochs: Passes over the purchases.
    """

    name: ClassVar[str] = "warp"
    summary: ClassVar[str] = "Factors trained on the top of the ranking (LightFM, WARP loss)."
    slow: ClassVar[bool] = True

    factors: int = 64
    learning_rate: float = 0.05
    epochs: int = 10

    def factorise(self, matrix: ProductMatrix, *, seed: int) -> LearnedFactors:
        """Descend in one thread: with two, updates race and no two fits are alike."""
        bought = matrix.weights.tocoo()
        bought.data = np.ones_like(bought.data)
        model = import_lightfm().LightFM(
            no_components=self.factors, loss="warp", learning_rate=self.learning_rate, random_state=seed
        )
        model.fit(bought, epochs=self.epochs, num_threads=1)
        return LearnedFactors(model.user_embeddings, model.item_embeddings, model.item_biases)
