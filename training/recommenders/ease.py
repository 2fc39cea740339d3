"""EASE: the linear item-item model with a closed form."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Linear, Weighting
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.recommenders.associations import blocks_of, linear_from_blocks
from training.recommenders.base import Recommender, Trial
from training.recommenders.cholesky import invert_in_place
from training.recommenders.weightings import check_weighting

MOST_PRODUCTS = 30_000
DOUBLE_PRODUCTS = 15_000
"""Up to here in double precision; above, a gram matrix takes gigabytes and single precision has to do."""

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Ease(Recommender):
    """Embarrassingly shallow autoencoder (Steck, *Embarrassingly Shallow Autoencoders for Sparse Data*, 2019).

    With ``P = (XᵀX + λI)⁻¹`` the associations are ``B = I - P · diag(1 / diag(P))`` (equation 8): each product is
    regressed on all others at once, and a product never explains itself.

    Attributes:
        regularisation: λ.
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "ease"
    summary: ClassVar[str] = "Each product regressed on all others (EASE)."
    slow: ClassVar[bool] = True

    regularisation: float = 500.0
    weighting: Weighting = "log"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)
        if not self.regularisation > 0:
            raise ValueError(f"regularisation == {self.regularisation}, must be > 0.")

    @classmethod
    def suggest(cls, trial: Trial) -> Self:
        """Return settings: repeats want a tiny regularisation and discovery a large one."""
        return cls(
            regularisation=trial.suggest_float("regularisation", 0.1, 10_000.0, log=True),
            weighting=trial.suggest_categorical(
                "weighting", ("binary", "log", "log_decayed_84", "log_decayed_168")
            ),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Linear:
        """Invert in one thread, as the bits of a factorisation depend on their number; the seed is not used."""
        del seed, threads
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        count = data.history.product_count
        if count > MOST_PRODUCTS:
            gigabytes = 4 * count**2 / 1e9
            raise TrainingError(
                f"EASE inverts a matrix of {count:,} × {count:,} products, which takes {gigabytes:,.0f} GB; "
                f"it is fitted up to {MOST_PRODUCTS:,} products, and graph_filter beyond.",
                recommender=self.name,
            )
        with threadpool_limits(1, "blas"):
            inverse = inverse_gram(data.matrix(self.weighting), self.regularisation)
            return linear_from_blocks(data, self.weighting, _associations(inverse))


def inverse_gram(matrix: sparse.csr_matrix, regularisation: float) -> Floats:
    """Return float[products, products], ``(XᵀX + λI)⁻¹``, in the memory of one dense matrix.

    Raises:
        TrainingError: Rounding made the matrix singular.
    """
    count = matrix.shape[1]
    if count == 0:
        return np.zeros((0, 0))
    double = count <= DOUBLE_PRODUCTS
    dtype = np.float64 if double else np.float32
    by_product = sparse.csr_matrix(matrix.T, dtype=np.float64)
    columns = sparse.csc_matrix(matrix, dtype=np.float64)
    # Column-major, or LAPACK would work on a copy.
    gram: Floats = np.zeros((count, count), dtype, order="F")
    for block in blocks_of(count):
        gram[:, block] = (by_product @ columns[:, block]).toarray()
    gram[np.diag_indices(count)] += regularisation
    if not invert_in_place(gram):
        raise TrainingError(
            f"EASE cannot invert its matrix with a regularisation of {regularisation:g}; use a larger one.",
            recommender=Ease.name,
        )
    inverse = gram
    # Only the lower triangle holds the inverse.
    for block in blocks_of(count):
        corner = np.tril(inverse[block, block])
        inverse[block, block] = corner + np.tril(corner, -1).T
        inverse[block, block.stop :] = inverse[block.stop :, block].T
    return inverse


def _associations(inverse: Floats) -> Iterator[Floats]:
    diagonal = np.diag(inverse).copy()
    for block in blocks_of(len(inverse)):
        rows = inverse[block] / -diagonal
        rows[np.arange(len(rows)), np.arange(block.start, block.stop)] = 0.0
        yield rows
