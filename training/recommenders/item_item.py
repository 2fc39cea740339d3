"""Item-item: offers for products that are bought by the same members as what this member buys."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.scorers import Linear, Weighting
from training.data.fit_data import FitData
from training.recommenders.associations import linear_from_sparse, nearest, power, scaled, without_diagonal
from training.recommenders.base import Recommender, Trial
from training.recommenders.weightings import check_weighting

KINDS = ("bm25", "cosine")


@dataclass(frozen=True)
class ItemItem(Recommender):
    """Nearest neighbours between products, under BM25 weights (Robertson and Zaragoza, 2009) or by cosine.

    A product is not its own neighbour: what a member bought before is what decayed frequency is for.

    Attributes:
        kind: ``bm25`` or ``cosine``.
        neighbours: Neighbours kept per product.
        k1: Saturation of repeated purchases, for BM25.
        b: Normalisation by how much is bought of a product, from 0 to 1, for BM25.
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "item_item"
    summary: ClassVar[str] = "Products bought by the same members as what this member buys (neighbours)."

    kind: str = "bm25"
    neighbours: int = 200
    k1: float = 1.2
    b: float = 0.75
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)
        if self.kind not in KINDS:
            raise ValueError(f"kind == {self.kind!r}, must be one of {', '.join(KINDS)}.")

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings; those of BM25 are left alone by cosine."""
        weighting = trial.suggest_categorical("weighting", ("binary", "log", "log_decayed_84"))
        neighbours = trial.suggest_int("neighbours", 20, 1000, log=True)
        if trial.suggest_categorical("kind", KINDS) == "cosine":
            return cls(kind="cosine", neighbours=neighbours, weighting=weighting)
        return cls(
            neighbours=neighbours,
            k1=trial.suggest_float("k1", 0.1, 10.0, log=True),
            b=trial.suggest_float("b", 0.0, 1.0),
            weighting=weighting,
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Linear:
        """Compute the neighbours; the seed is not used."""
        del seed
        from implicit.nearest_neighbours import bm25_weight

        matrix = data.matrix(self.weighting)
        if matrix.nnz == 0:
            return linear_from_sparse(data, self.weighting, nearest(matrix, 1, threads=1))
        if self.kind == "cosine":
            lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=0)).ravel())
            weighted = scaled(matrix, columns=power(lengths, -1.0))
        else:
            weighted = sparse.csr_matrix(bm25_weight(matrix.T, self.k1, self.b).T)
        # One more than asked for: a product is among its own neighbours until it is left out.
        neighbours = without_diagonal(nearest(weighted, self.neighbours + 1, threads=threads))
        return linear_from_sparse(data, self.weighting, neighbours)
