"""TIFU-KNN: personal frequency mixed with that of the most similar members."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.history import COLUMNS, HALF_LIVES, TRIPS
from training.bundle.scorers import Mixture, Personal
from training.data.fit_data import FitData
from training.recommenders.associations import blocks_of, nearest, power, pruned, scaled, without_diagonal
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
    """

    name: ClassVar[str] = "tifu_knn"
    summary: ClassVar[str] = "Personal frequency mixed with that of similar members (TIFU-KNN)."
    slow: ClassVar[bool] = True

    half_life_days: float = 84.0
    neighbours: int = 300
    alpha: float = 0.7

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
        """Find the neighbours and keep the largest entries of their mean; the seed is not used."""
        own = DecayedFrequency(self.half_life_days).fit(data, seed=seed, threads=threads)
        rows = list(self._neighbours_means(data, threads))
        means = sparse.csr_matrix(sparse.vstack(rows, format="csr")) if rows else sparse.csr_matrix((0, 0))
        personal = Personal(
            indptr=means.indptr.astype(np.int64),
            indices=means.indices.astype(np.int32),
            data=means.data.astype(np.float32),
            offer_count=data.covers.offer_count,
        )
        return Mixture((own, personal), (self.alpha, 1.0 - self.alpha))

    def _neighbours_means(self, data: FitData, threads: int) -> Iterator[sparse.csr_matrix]:
        weighting = decayed(self.half_life_days)
        matrix = data.matrix(weighting)
        column = COLUMNS.index(weighting) if weighting in COLUMNS else TRIPS
        trips = data.history.members[:, column].astype(np.float64)
        lengths = np.sqrt(np.asarray(matrix.power(2).sum(axis=1), dtype=np.float64).ravel())
        directions = scaled(matrix, power(lengths, -1.0))
        near = without_diagonal(
            nearest(sparse.csr_matrix(directions.T), self.neighbours + 1, threads=threads)
        )
        shares = sparse.csr_matrix(data.columns_onto_offers(scaled(matrix, power(trips, -1.0))))
        # The mean over the neighbours there are, times the member's own trips.
        weights = scaled(sparse.csr_matrix(near > 0), trips * power(np.diff(near.indptr).astype(float), -1.0))
        for block in blocks_of(len(trips)):
            yield pruned((weights[block] @ shares).toarray())
