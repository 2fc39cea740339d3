"""EASE: the linear item-item model with a closed form.

SciPy's Python wrappers of LAPACK keep the interpreter's lock, for minutes with 20,000 rows: no progress would be shown
and no interrupt heard. The same routines of the same library are exported for Cython; called through ctypes, which gives
the lock up, they return the same bits.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import Linear, Weighting
from training.data.purchases import FitData
from training.errors import TrainingError
from training.recommenders.associations import blocks_of, linear_from_blocks
from training.recommenders.base import Recommender, SettingsTrial, check_weighting

_PREFIXES = {np.dtype(np.float32): "s", np.dtype(np.float64): "d"}
_NUMBER = ctypes.POINTER(ctypes.c_int)


def invert_in_place(matrix: npt.NDArray[np.floating]) -> bool:
    """Replace the lower triangle of a matrix by that of its inverse; tell whether that was possible.

    Args:
        matrix: float32 or float64[n, n], column-major, symmetric; only its lower triangle is read.
    """
    if not matrix.flags.f_contiguous or matrix.shape[0] != matrix.shape[1]:
        raise ValueError("The matrix must be square and column-major.")
    prefix, size, failed = _PREFIXES[matrix.dtype], ctypes.c_int(len(matrix)), ctypes.c_int(0)
    for routine in ("potrf", "potri"):
        _routine(f"{prefix}{routine}")(b"L", size, matrix.ctypes.data, size, failed)
        if failed.value:
            return False
    return True


def _routine(name: str) -> Any:
    from scipy.linalg import cython_lapack

    capsule = cython_lapack.__pyx_capi__[name]
    capsule_name = ctypes.pythonapi.PyCapsule_GetName
    capsule_name.restype, capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    kind = ctypes.CFUNCTYPE(None, ctypes.c_char_p, _NUMBER, ctypes.c_void_p, _NUMBER, _NUMBER)
    return kind(pointer(capsule, capsule_name(capsule)))


MAX_PRODUCTS = 30_000
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
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings: repeats want a tiny regularisation and discovery a large one."""
        return cls(
            regularisation=trial.suggest_float("regularisation", 0.1, 10_000.0, log=True),
            weighting=trial.suggest_categorical(
                "weighting", ("binary", "log", "log_decayed_84", "log_decayed_168")
            ),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Linear:
        """Invert in one thread, as the bits of a factorisation depend on their number; the seed is not used. See ``Recommender.fit``."""
        del seed, threads
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

        count = data.history.product_count
        if count > MAX_PRODUCTS:
            gigabytes = 4 * count**2 / 1e9
            raise TrainingError(
                f"EASE inverts a matrix of {count:,} × {count:,} products, which takes {gigabytes:,.0f} GB; "
                f"it is fitted up to {MAX_PRODUCTS:,} products, and graph_filter beyond.",
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
