"""Inverting a large positive definite matrix without holding the interpreter.

SciPy's Python wrappers of LAPACK keep the interpreter's lock, for minutes with 20,000 rows: no progress would be shown
and no interrupt heard. The same routines of the same library are exported for Cython; called through ctypes, which gives
the lock up, they return the same bits.
"""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

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
