"""What weights are learned from: the scores of all scorers for the offers that any of them ranks high."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle.scorers import AnyScorer
from training.bundle.task import Task, applicable
from training.data.fit_data import FitData
from training.evaluation import Fold

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MOST_CASES = 2_000
MOST_MEMBERS = 500
"""Members that the scale of a scorer is measured on; its mean over so many moves by a few percent at most."""
POOL = 50
"""Offers that each scorer puts into a case's pool: a mixture ranks nothing first that all scorers rank low."""


@dataclass(frozen=True, eq=False)
class PooledCases:
    """Cases with the scores of several scorers, each on its usual scale.

    Attributes:
        scores: float64[scorers, cases, width].
        hits: bool[cases, width], whether the offer is a truth.
        padding: bool[cases, width], where a case has fewer offers.
        truth_count: int64[cases], all truths of the case, in the pool or not.
        members: int32[cases].
    """

    scores: Floats
    hits: npt.NDArray[np.bool_]
    padding: npt.NDArray[np.bool_]
    truth_count: Places
    members: npt.NDArray[np.int32]

    def take(self, cases: Places) -> "PooledCases":
        """Return some of the cases."""
        return PooledCases(
            self.scores[:, cases],
            self.hits[cases],
            self.padding[cases],
            self.truth_count[cases],
            self.members[cases],
        )

    def ndcg(self, weights: Floats, k: int) -> Floats:
        """Return float64[cases], binary NDCG of the first ``k`` by the weighted sum of scores."""
        total = np.tensordot(weights, self.scores, axes=1)
        total[self.padding] = -np.inf
        deep = min(k, total.shape[1])
        first = np.argpartition(-total, deep - 1, axis=1)[:, :deep]
        order = np.argsort(-np.take_along_axis(total, first, axis=1), axis=1, kind="stable")
        first = np.take_along_axis(first, order, axis=1)
        gains = 1.0 / np.log2(np.arange(2, k + 2))
        ideal = np.cumsum(gains)[np.minimum(self.truth_count, k) - 1]
        found: Floats = np.take_along_axis(self.hits, first, axis=1) @ gains[:deep] / ideal
        return found


def spreads(scorers: Sequence[AnyScorer], data: FitData, task: Task, *, seed: int) -> Floats:
    """Return float64[scorers], how far scores usually are apart.

    It is their standard deviation over the offers that the task is about for a member, averaged over a sample of members
    who bought anything; 0 for a scorer that scores all offers alike.

    Args:
        scorers: Fitted on ``data``.
        data: Histories of the members.
        task: What is asked.
        seed: Of the sample.
    """
    history = data.history
    members = np.flatnonzero(np.diff(history.indptr) > 0)
    if len(members) > MOST_MEMBERS:
        members = np.random.default_rng(seed).choice(members, MOST_MEMBERS, replace=False)
    found, counted = np.zeros(len(scorers)), 0
    for member in members.tolist():
        profile = history.profile(member)
        candidates = np.flatnonzero(applicable(task, profile, data.covers))
        if not len(candidates):
            continue
        counted += 1
        for place, scorer in enumerate(scorers):
            found[place] += scorer.scores(profile, member)[candidates].std(dtype=np.float64)
    return found / max(counted, 1)


def pool_cases(
    fold: Fold, task: Task, scorers: Sequence[AnyScorer], scales: Floats, *, k: int, seed: int
) -> PooledCases:
    """Return the cases of a fold that have a truth; a random sample of them when there are many.

    Args:
        fold: Cases and truths that the scorers have not seen.
        task: What is asked.
        scorers: Fitted on the fold's data.
        scales: float64[scorers], their ``spreads``.
        k: Length of the lists that will be looked at.
        seed: Of the sample.
    """
    cases = np.arange(len(fold.members))
    if len(cases) > MOST_CASES:
        cases = np.sort(np.random.default_rng(seed).choice(cases, MOST_CASES, replace=False))
    divisors = np.where(scales > 0, scales, 1.0)[:, None]
    rows, truth_count, members = [], [], []
    for case in cases.tolist():
        member = int(fold.members[case])
        profile = fold.data.history.profile(member)
        candidates = np.flatnonzero(fold.open_offers & applicable(task, profile, fold.data.covers))
        truths = fold.truths.indices[fold.truths.indptr[case] : fold.truths.indptr[case + 1]]
        hits = np.isin(candidates, truths)
        if not hits.any():
            continue
        scores = np.stack([scorer.scores(profile, member)[candidates] for scorer in scorers]) / divisors
        deep = min(max(POOL, 5 * k), len(candidates))
        pooled = np.zeros(len(candidates), bool)
        for one in scores:
            pooled[np.argpartition(-one, deep - 1)[:deep]] = True
        rows.append((scores[:, pooled], hits[pooled]))
        truth_count.append(int(hits.sum()))
        members.append(member)
    width = max((len(hits) for _, hits in rows), default=0)
    found = np.zeros((len(scorers), len(rows), width))
    all_hits, padding = np.zeros((len(rows), width), bool), np.ones((len(rows), width), bool)
    for place, (scores, hits) in enumerate(rows):
        found[:, place, : len(hits)] = scores
        all_hits[place, : len(hits)] = hits
        padding[place, : len(hits)] = False
    return PooledCases(found, all_hits, padding, np.array(truth_count, np.int64), np.array(members, np.int32))


def join_cases(parts: Sequence[PooledCases]) -> PooledCases:
    """Put the cases of several folds together."""
    width = max(part.hits.shape[1] for part in parts)

    def widened(values: npt.NDArray[np.generic], fill: float | bool) -> npt.NDArray[np.generic]:
        missing = [(0, 0)] * (values.ndim - 1) + [(0, width - values.shape[-1])]
        return np.pad(values, missing, constant_values=fill)

    return PooledCases(
        np.concatenate([widened(part.scores, 0.0) for part in parts], axis=1).astype(np.float64),
        np.concatenate([widened(part.hits, fill=False) for part in parts]).astype(bool),
        np.concatenate([widened(part.padding, fill=True) for part in parts]).astype(bool),
        np.concatenate([part.truth_count for part in parts]),
        np.concatenate([part.members for part in parts]),
    )
