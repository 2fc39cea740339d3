"""TIFU-KNN: personal frequency mixed with that of the most similar members."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.history import COLUMNS, HALF_LIVES, TRIPS
from training.bundle.scorers import Mixture, Personal
from training.data.fit_data import FitData
from training.recommenders.associations import (
    blocks_of,
    nearest,
    nearest_among,
    power,
    pruned_sparse,
    scaled,
    without_diagonal,
)
from training.recommenders.base import Recommender, Trial
from training.recommenders.decayed_frequency import DecayedFrequency
from training.recommenders.weightings import check_half_life, decayed


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
    def suggest(cls, trial: Trial) -> Self:
        """Return settings."""
        return cls(
            half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)),
            neighbours=trial.suggest_int("neighbours", 50, 900, log=True),
            alpha=trial.suggest_float("alpha", 0.05, 0.95),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Mixture:
        """Find the neighbours and keep the largest entries of their mean; the seed draws who can be one."""
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
