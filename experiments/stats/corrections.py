"""Several comparisons at once: adjusted p-values, and the alpha of the interval that goes with each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Adjusted:
    """One of several p-values, adjusted.

    Attributes:
        p_value: Adjusted, in [0, 1]; None where there was none.
        alpha: At which its interval is to be taken: the interval excludes the null exactly if the adjusted p-value is
            below the alpha of the whole family.
    """

    p_value: float | None
    alpha: float


def holm(p_values: Sequence[float | None], alpha: float) -> list[Adjusted]:
    """Adjust so that the chance of any false finding is at most alpha.

    Holm (1979, https://www.jstor.org/stable/4615733). The interval of the k-th smallest of m p-values, if found, is
    taken at ``alpha / (m - k + 1)``; those of all others at the alpha of the first that is not found.

    Args:
        p_values: In any order; None where a comparison has no p-value, which then does not count.
        alpha: Accepted error, in (0, 1).

    Returns:
        One per p-value, in their order.

    Raises:
        ValueError: A p-value is not in [0, 1].
    """
    order, values = _sorted(p_values)
    steps = len(values) - np.arange(len(values))
    adjusted = np.minimum(1, np.maximum.accumulate(values * steps))
    found = int((adjusted < alpha).sum())
    alphas = (
        alpha / steps[np.minimum(np.arange(len(values)), found)] if found < len(values) else alpha / steps
    )
    return _in_order(p_values, order, adjusted, alphas, alpha)


def benjamini_hochberg(p_values: Sequence[float | None], alpha: float) -> list[Adjusted]:
    """Adjust so that the expected share of false findings among all findings is at most alpha.

    Benjamini and Hochberg (1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x). The intervals of the k found
    of m are taken at ``alpha k / m``, whereby the expected share of them that misses its truth is at most alpha too
    (Benjamini and Yekutieli 2005, https://doi.org/10.1198/016214504000001907); the others at ``alpha (k + 1) / m``.

    Args:
        p_values: In any order; None where a comparison has no p-value, which then does not count.
        alpha: Accepted share, in (0, 1).

    Returns:
        One per p-value, in their order.

    Raises:
        ValueError: A p-value is not in [0, 1].
    """
    order, values = _sorted(p_values)
    count = len(values)
    ranks = np.arange(1, count + 1)
    adjusted = np.minimum.accumulate((values * count / ranks)[::-1])[::-1]
    found = int((adjusted < alpha).sum())
    alphas = alpha * np.where(ranks <= found, found, found + 1) / max(count, 1)
    return _in_order(p_values, order, adjusted, alphas, alpha)


def _sorted(p_values: Sequence[float | None]) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and values of the p-values that exist, ascending."""
    positions = np.array([i for i, p_value in enumerate(p_values) if p_value is not None], dtype=np.int64)
    values = np.array([p_value for p_value in p_values if p_value is not None], dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"p-values are {list(p_values)}; each must lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    return positions[order], values[order]


def _in_order(
    p_values: Sequence[float | None],
    order: np.ndarray,
    adjusted: np.ndarray,
    alphas: np.ndarray,
    alpha: float,
) -> list[Adjusted]:
    results = [Adjusted(None, alpha)] * len(p_values)
    for position, p_value, own_alpha in zip(order.tolist(), adjusted.tolist(), alphas.tolist(), strict=True):
        results[position] = Adjusted(p_value, own_alpha)
    return results
