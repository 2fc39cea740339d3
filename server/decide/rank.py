"""Choosing the best candidates."""

import numpy as np
import numpy.typing as npt


def best(
    scores: npt.NDArray[np.float32], popularity: npt.NDArray[np.float32], count: int
) -> npt.NDArray[np.int64]:
    """Return the positions of the highest scores, best first.

    Equal scores are ordered by popularity, then by position, so that the answer is the same on every machine and a member
    without history of her own gets what others buy.

    Args:
        scores: One for each candidate; finite.
        popularity: One for each candidate.
        count: How many at most, at least 1.
    """
    if count < len(scores):
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
        contenders = np.flatnonzero(scores >= threshold)
    else:
        contenders = np.arange(len(scores))
    order = np.lexsort((-popularity[contenders], -scores[contenders]))
    chosen: npt.NDArray[np.int64] = contenders[order[:count]]
    return chosen
