"""Choosing the best candidates."""

import numpy as np
import numpy.typing as npt

AnyFloats = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_FEW = 16
"""Up to here, taking the maximum again and again beats partitioning once the offers are many: 3 of 1,000 take half the time,
3 of 10,000 a tenth (``python -m bench.kernels``)."""


def best(scores: AnyFloats, popularity: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the highest scores, best first.

    Equal scores are ordered by popularity, then by position, so that the answer is the same on every machine and a member
    without history of her own gets what others buy.

    Args:
        scores: One for each candidate; finite.
        popularity: One for each candidate.
        count: How many at most, at least 1.
    """
    leaders = _leaders(scores, count)
    if len(leaders) > count:
        reached = scores[leaders]
        lowest = reached.min()
        above, tied = leaders[reached > lowest], leaders[reached == lowest]
        tied = tied[_leaders(popularity[tied], count - len(above))]
        leaders = np.concatenate((above, tied))
    order = np.lexsort((leaders, -popularity[leaders], -scores[leaders]))
    return leaders[order[:count]]


def _leaders(values: AnyFloats, count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the highest values and of all that equal the last of them."""
    if count >= len(values):
        return np.arange(len(values))
    if count > _FEW:
        threshold = np.partition(values, len(values) - count)[len(values) - count]
    else:
        left = values.copy()
        for _ in range(count - 1):
            left[left.argmax()] = -np.inf
        threshold = left.max()
    return np.flatnonzero(values >= threshold)
