"""Recommenders by neighbours: TIFU-KNN among members, item-item among products."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.history import COLUMNS, HALF_LIVES, TRIPS
from training.bundle.scorers import Linear, Mixture, Personal, Weighting
from training.data.purchases import FitData
from training.recommenders.associations import (
    blocks_of,
    linear_from_sparse,
    nearest,
    nearest_among,
    power,
    pruned_sparse,
    scaled,
    without_diagonal,
)
from training.recommenders.base import Recommender, SettingsTrial, check_half_life, check_weighting, decayed
from training.recommenders.frequency import DecayedFrequency


@dataclass(frozen=True)
class TifuKnn(Recommender):
    """After Hu et al., *Modeling Personalized Item Frequency Information for Next-basket Recommendation*, 2020.

    A member's vector is the share of trips with each product, old trips weighing less; it is mixed with the mean vector
    of the nearest members (equation 6). Weights halve with age here where the paper decays by groups of baskets, and
    neighbours are found by cosine, which does not depend on how much a member buys. Both parts are scaled by the
    member's own trips, which ranks the same and lets purchases since the fit count.

    Attributes:
        half_life_days: Age at which a trip counts half, one of ``HALF_LIVES``, or 0 to count all alike.
        neighbours: Members nearest to a member.
        alpha: Weight of the member's own vector; the rest is the neighbours'.
        candidates: Members who can be neighbours: a random sample of so many where there are more, because the search
            takes time in proportion to members × candidates. Everybody has neighbours among them.
    """

    name: ClassVar[str] = "tifu_knn"
    summary: ClassVar[str] = "Personal frequency mixed with that of similar members (TIFU-KNN)."
    slow: ClassVar[bool] = True

    half_life_days: float = 84.0
    neighbours: int = 300
    alpha: float = 0.7
    candidates: int = 50_000

    def __post_init__(self) -> None:
        check_half_life(self.half_life_days)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha == {self.alpha}, must be in [0, 1].")

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings."""
        return cls(
            half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)),
            neighbours=trial.suggest_int("neighbours", 50, 900, log=True),
            alpha=trial.suggest_float("alpha", 0.05, 0.95),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Mixture:
        """Find the neighbours and keep the largest entries of their mean; the seed draws who can be one. See ``Recommender.fit``."""
        own = DecayedFrequency(self.half_life_days).fit(data, seed=seed, threads=threads)
        means = self._neighbours_means(data, seed, threads)
        personal = Personal(
            indptr=means.indptr.astype(np.int64),
            indices=means.indices.astype(np.int32),
            data=means.data.astype(np.float32),
            offer_count=data.covers.offer_count,
        )
        return Mixture((own, personal), (self.alpha, 1.0 - self.alpha))

    def _neighbours_means(self, data: FitData, seed: int, threads: int) -> sparse.csr_matrix:
        weighting = decayed(self.half_life_days)
        matrix = data.matrix(weighting)
        column = COLUMNS.index(weighting) if weighting in COLUMNS else TRIPS
        trips = data.history.members[:, column].astype(np.float64)
        near = self._near(matrix, seed, threads)
        shares = sparse.csr_matrix(data.columns_onto_offers(scaled(matrix, power(trips, -1.0))))
        # The mean over the neighbours there are, times the member's own trips.
        weights = scaled(near, trips * power(np.diff(near.indptr).astype(float), -1.0))
        with ThreadPoolExecutor(threads) as pool:
            rows = list(pool.map(lambda block: pruned_sparse(weights[block] @ shares), blocks_of(len(trips))))
        return sparse.csr_matrix(sparse.vstack(rows, format="csr") if rows else (0, 0))

    def _near(self, matrix: sparse.csr_matrix, seed: int, threads: int) -> sparse.csr_matrix:
        """Return bool[members, members], who is near whom."""
        lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=1), dtype=np.float64).ravel())
        directions = scaled(matrix, power(lengths, -1.0))
        active = np.flatnonzero(lengths)
        if len(active) > self.candidates:
            chosen = np.sort(np.random.default_rng(seed).choice(active, self.candidates, replace=False))
            return nearest_among(directions, chosen, self.neighbours, threads=threads) > 0
        found = nearest(sparse.csr_matrix(directions.T), self.neighbours + 1, threads=threads)
        return sparse.csr_matrix(without_diagonal(found) > 0)


KINDS = ("bm25", "cosine")


@dataclass(frozen=True)
class ItemItem(Recommender):
    """Nearest neighbours between products, by cosine or under BM25 weights.

    BM25 after Robertson and Zaragoza, *The Probabilistic Relevance Framework: BM25 and Beyond*, 2009. A product is not its own
    neighbour: repeated purchases are left to decayed frequency.

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
    def suggest(cls, trial: SettingsTrial) -> Self:
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
        """Compute the neighbours; the seed is not used. See ``Recommender.fit``."""
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
