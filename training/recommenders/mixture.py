"""Mixtures: several fitted scorers added up, with weights learned from held-out truths.

Weights are for scores on one scale, those of ``spreads``. Weights learned on one fold hold for scorers fitted again on
more data, as long as the spreads are taken again.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle.scorers import AnyScorer, Array, Mixture
from training.data.fit_data import FitData

STEPS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
"""Weights that are tried for each scorer."""

ROUNDS = 3
"""Times that all weights are gone through."""

Members = npt.NDArray[np.integer]
Weights = tuple[float, ...]


def score_members(scorers: Sequence[AnyScorer], data: FitData, members: Members) -> Array:
    """Return float32[scorers, members, offers], the scores of some members, each scored alone.

    A few thousand members are enough to learn weights from.
    """
    history = data.history
    return np.stack(
        [
            np.stack([scorer.scores(history.profile(int(member)), int(member)) for member in members])
            for scorer in scorers
        ]
    )


def spreads(scores: Array, removed: sparse.csr_matrix | None = None) -> npt.NDArray[np.float64]:
    """Return float64[scorers], how far scores usually are apart: their deviation over a member's candidates, averaged.

    Args:
        scores: float32[scorers, members, offers].
        removed: Offers that are no candidates, bool-like[members, offers]; ``None`` where all are.
    """
    found = np.zeros(len(scores))
    candidates = _candidates(removed, scores.shape[1:])
    for position, one in enumerate(scores):
        counts = np.maximum(candidates.sum(axis=1), 1)
        means = np.where(candidates, one, 0.0).sum(axis=1, dtype=np.float64) / counts
        squares = np.where(candidates, (one - means[:, None]) ** 2, 0.0).sum(axis=1, dtype=np.float64)
        found[position] = np.sqrt(squares / counts).mean() if len(one) else 0.0
    return found


def fit_weights(
    scores: Array, truths: sparse.csr_matrix, removed: sparse.csr_matrix | None = None, *, k: int = 10
) -> Weights:
    """Return the weights of scorers by NDCG of held-out truths: those that are better than equal ones for sure.

    Coordinate ascent from equal weights over ``STEPS`` (as Metzler and Croft, *Linear feature-based models for
    information retrieval*, 2007, section 4.2). NDCG of a few hundred members is noisy, and equal weights are hard to
    beat, so what is found replaces them only if it is better by a standard error of the paired differences.

    Args:
        scores: float32[scorers, members, offers], of scorers that have not seen the truths.
        truths: What members chose, bool-like[members, offers].
        removed: Offers that are no candidates, bool-like[members, offers]; ``None`` where all are.
        k: Length of the ranked list.

    Returns:
        One number from 0 on per scorer; they are for scores divided by ``spreads`` and add up to 1.
    """
    equal = np.full(len(scores), 1.0)
    chosen = np.asarray(np.diff(truths.indptr) > 0)
    if len(scores) < 2 or not chosen.any():
        return _shares(equal)
    kept = None if removed is None else removed[chosen]
    ranking = _Ranking(scores[:, chosen], truths[chosen], kept, k)
    start = ranking.ndcg(equal)
    best, best_mean = equal, float(start.mean())
    for _ in range(ROUNDS):
        before = best
        for position in range(len(scores)):
            for step in STEPS:
                tried = best.copy()
                tried[position] = step
                mean = float(ranking.ndcg(tried).mean()) if tried.any() else -1.0
                if mean > best_mean:
                    best, best_mean = tried, mean
        if np.array_equal(before, best):
            break
    gained = ranking.ndcg(best) - start
    error = float(gained.std()) / np.sqrt(len(gained))
    return _shares(best if gained.mean() > error else equal)


def mix(scorers: Sequence[AnyScorer], weights: Weights, scales: npt.NDArray[np.float64]) -> Mixture:
    """Return the weighted sum of scorers, each divided by its scale; those without weight or spread are left out.

    Args:
        scorers: Fitted scorers.
        weights: One number per scorer, as ``fit_weights`` returns them.
        scales: float64[scorers], the ``spreads`` of these very scorers.

    Raises:
        ValueError: No scorer has both.
    """
    used = [
        (scorer, float(weight / scale))
        for scorer, weight, scale in zip(scorers, weights, scales, strict=True)
        if weight > 0 and scale > 0
    ]
    if not used:
        raise ValueError("A mixture needs a scorer that has a weight and does not score all offers alike.")
    return Mixture(tuple(scorer for scorer, _ in used), tuple(weight for _, weight in used))


class _Ranking:
    """NDCG of weighted sums, by member.

    All offers a scorer puts high are kept and the rest forgotten: a mixture ranks nothing first that all scorers rank
    low, and sorting a thousand offers for each step would take most of the time.
    """

    POOL = 50

    def __init__(
        self, scores: Array, truths: sparse.csr_matrix, removed: sparse.csr_matrix | None, k: int
    ) -> None:
        scales = spreads(scores, removed)
        candidates = _candidates(removed, scores.shape[1:])
        pooled = np.zeros(candidates.shape, dtype=bool)
        deep = min(max(self.POOL, 5 * k), candidates.shape[1])
        for one in scores:
            first = np.argpartition(np.where(candidates, -one, np.inf), deep - 1, axis=1)[:, :deep]
            np.put_along_axis(pooled, first, values=True, axis=1)
        pooled &= candidates
        width = max(int(pooled.sum(axis=1).max()), k)
        # Those in the pool first, in the order of offers.
        offers = np.argsort(~pooled, axis=1, kind="stable")[:, :width]
        self._outside = ~np.take_along_axis(pooled, offers, axis=1)
        parts = [np.take_along_axis(one, offers, axis=1) for one in scores]
        divisors = np.where(scales > 0, scales, 1.0)
        self._parts = np.stack([part / scale for part, scale in zip(parts, divisors, strict=True)])
        self._hits = np.take_along_axis(truths.toarray() > 0, offers, axis=1) & ~self._outside
        self._gains = 1.0 / np.log2(np.arange(2, k + 2))
        wanted = np.minimum(np.diff(truths.indptr), k)
        self._ideal = np.cumsum(self._gains)[wanted - 1]
        self._k = k

    def ndcg(self, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return float64[members], binary NDCG of the first k."""
        total = np.tensordot(weights, self._parts, axes=1)
        total[self._outside] = -np.inf
        first = np.argsort(-total, axis=1, kind="stable")[:, : self._k]
        found: npt.NDArray[np.float64] = (
            np.take_along_axis(self._hits, first, axis=1) @ self._gains[: first.shape[1]] / self._ideal
        )
        return found


def _candidates(removed: sparse.csr_matrix | None, shape: tuple[int, ...]) -> npt.NDArray[np.bool]:
    if removed is None:
        return np.ones(shape, dtype=bool)
    return np.asarray(removed.toarray() == 0)


def _shares(weights: npt.NDArray[np.float64]) -> Weights:
    return tuple(float(weight) for weight in weights / weights.sum())
