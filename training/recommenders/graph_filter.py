"""Graph filter: purchases smoothed over the graph of members and products, in closed form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Mixture, Projection, Weighting
from training.data.purchases import FitData
from training.recommenders.associations import (
    KEPT,
    blocks_of,
    fits_dense,
    linear_from_blocks,
    linear_from_sparse,
    nearest,
    power,
    scaled,
)
from training.recommenders.base import Recommender, SettingsTrial, check_weighting
from training.recommenders.factorisation import plain

SMALL = 1_000
"""Up to so many members or products all singular vectors are computed at once."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GraphFilter(Recommender):
    """GF-CF (Shen et al., *How Powerful is Graph Convolution for Recommendation?*, 2021, algorithm 1).

    With ``R̃ = D_U^-½ R D_I^-½`` and its first right singular vectors ``V``, a history r scores
    ``r (R̃ᵀR̃ + α D_I^-½ V Vᵀ D_I^½)``: a linear filter over neighbours plus an ideal low-pass filter.

    Attributes:
        factors: Number of singular vectors.
        alpha: Weight of the low-pass filter.
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "graph_filter"
    summary: ClassVar[str] = "Purchases smoothed over the graph of members and products (GF-CF)."
    slow: ClassVar[bool] = True

    factors: int = 64
    alpha: float = 0.3
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings."""
        return cls(
            factors=trial.suggest_int("factors", 16, 512, log=True),
            alpha=trial.suggest_float("alpha", 0.03, 3.0, log=True),
            weighting=trial.suggest_categorical(
                "weighting", ("binary", "log", "log_decayed_84", "log_decayed_168")
            ),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Mixture:
        """Compute both filters; the seed starts the search for singular vectors. See ``Recommender.fit``."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        matrix = data.matrix(self.weighting)
        by_member = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
        by_product = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
        normalised = scaled(matrix, power(by_member, -0.5), power(by_product, -0.5))
        if fits_dense(data):
            neighbours = linear_from_blocks(data, self.weighting, _gram_rows(normalised))
        else:
            neighbours = linear_from_sparse(data, self.weighting, nearest(normalised, KEPT, threads=threads))
        # The bits of dense algebra depend on the number of threads.
        with threadpool_limits(1, "blas"):
            vectors = right_singular_vectors(normalised, self.factors, seed=seed)
        low_pass = Projection(
            self.weighting,
            product_factors=plain(power(by_product, -0.5)[:, None] * vectors),
            offer_factors=plain(data.onto_offers(power(by_product, 0.5)[:, None] * vectors)),
        )
        return Mixture((neighbours, low_pass), (1.0, self.alpha))


def right_singular_vectors(matrix: sparse.csr_matrix, count: int, *, seed: int) -> Floats:
    """Compute the right singular vectors of the largest singular values.

    Args:
        matrix: float[rows, columns].
        count: How many.
        seed: Starts the search.

    Returns:
        float64[columns, k], at most ``count`` of them.
    """
    from scipy.sparse.linalg import svds

    rows, columns = matrix.shape
    if matrix.nnz == 0:
        return np.zeros((columns, 1))
    if min(rows, columns) > max(SMALL, count):
        start = np.random.default_rng(seed).standard_normal(min(rows, columns))
        _, values, found = svds(matrix, k=count, v0=start, return_singular_vectors="vh")
        return np.asarray(found[values > 0].T, dtype=np.float64)
    if columns <= rows:
        return _leading(matrix.T @ matrix, count)[0]
    left, values = _leading(matrix @ matrix.T, count)
    return np.asarray(matrix.T @ (left / np.sqrt(values)))


def _leading(gram: sparse.csr_matrix, count: int) -> tuple[Floats, Floats]:
    """Return the eigenvectors of the largest eigenvalues, and those; what rounds to 0 is left out."""
    values, vectors = np.linalg.eigh(gram.toarray())
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    kept = values > values[0] * 1e-9
    return vectors[:, kept], values[kept]


def _gram_rows(normalised: sparse.csr_matrix) -> Iterator[Floats]:
    by_product = sparse.csr_matrix(normalised.T)
    for block in blocks_of(normalised.shape[1]):
        yield (by_product[block] @ normalised).toarray()
