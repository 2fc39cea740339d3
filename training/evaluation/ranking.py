"""Ranking the whole catalogue for the cases of a fold, and what the lists are worth.

No negatives are sampled: every open offer that the task is about is a candidate. Offers that must not be shown are no
candidates at all, so no list is padded with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import sparse

from training.bundle import OfferModel
from training.evaluation.folds import Fold

Array = npt.NDArray[np.float64]
_MAX_COMPARED = 500
MAX_SHARED = 1_000
Score = Callable[[OfferModel, int, npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Scores candidates for a member, by whatever may be known of them."""


@dataclass(frozen=True, eq=False)
class RankedLists:
    """The best offers of each case.

    Attributes:
        offers: int32[cases, k], -1 where there are not enough candidates.
        scores: float32[cases, k], 0 where there is no offer.
        relevant: bool[cases, k], whether the offer is a truth.
        repeat: bool[cases, k], whether the member had bought it before.
        truth_count: int64[cases], truths that the task is about.
        repeat_truth_count: int64[cases], of these the ones bought before.
        cases: int64[cases], positions of the cases in the fold.
        members: int32[cases].
    """

    offers: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    relevant: npt.NDArray[np.bool_]
    repeat: npt.NDArray[np.bool_]
    truth_count: npt.NDArray[np.int64]
    repeat_truth_count: npt.NDArray[np.int64]
    cases: npt.NDArray[np.int64]
    members: npt.NDArray[np.int32]

    def where(self, chosen: npt.NDArray[np.bool_], others: "RankedLists") -> "RankedLists":
        """Return the chosen cases as they are here and the rest as ``others`` has them; both are of the same cases."""
        parts = {
            field.name: np.where(
                chosen.reshape(-1, *[1] * (getattr(self, field.name).ndim - 1)),
                getattr(self, field.name),
                getattr(others, field.name),
            )
            for field in fields(self)
        }
        return RankedLists(**parts)


def score_known(model: OfferModel, member: int, candidates: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Score by everything the member did.

    Args:
        model: The model.
        member: Position of the member.
        candidates: int64[n], positions of offers.

    Returns:
        float32[n].
    """
    return model.scores(model.profile(member), member, candidates)


def rank_fold(
    model: OfferModel,
    fold: Fold,
    *,
    k: int,
    cases: npt.NDArray[np.int64] | None = None,
    score: Score = score_known,
    progress: Callable[[int, int], None] | None = None,
) -> RankedLists:
    """Rank for every case with at least one truth that the task is about.

    Ties go to the more popular offer, then to the lower position, as in the server.

    Args:
        model: Fitted on ``fold.data``; its members and offers are those of the fold.
        fold: Cases and truths.
        k: Length of the lists.
        cases: Positions of the cases to rank; all by default.
        score: How candidates are scored. Candidates and truths are the same however they are.
        progress: Called with cases done and all cases.

    Returns:
        The ranked lists.
    """
    wanted = np.arange(len(fold.members)) if cases is None else cases
    count, truths = len(wanted), fold.truths
    offers = np.full((count, k), -1, np.int32)
    scores = np.zeros((count, k), np.float32)
    relevant, repeat = np.zeros((2, count, k), bool)
    truth_count, repeat_count = np.zeros((2, count), np.int64)
    is_truth = np.zeros(len(fold.open_offers), bool)
    for row, case in enumerate(wanted.tolist()):
        member = int(fold.members[case])
        full = model.profile(member)
        candidates = np.flatnonzero(fold.open_offers & model.applicable(full))
        own = truths.indices[truths.indptr[case] : truths.indptr[case + 1]]
        is_truth[own] = True
        bought = np.zeros(len(is_truth), bool)
        bought[model.covers.expand(full.products)[1]] = True
        true_candidates = is_truth[candidates]
        truth_count[row] = true_candidates.sum()
        repeat_count[row] = (true_candidates & bought[candidates]).sum()
        if truth_count[row]:
            values = score(model, member, candidates)
            best = best_positions(values, model.popular_scores[candidates], k)
            taken = candidates[best]
            offers[row, : len(taken)] = taken
            scores[row, : len(taken)] = values[best]
            relevant[row, : len(taken)] = is_truth[taken]
            repeat[row, : len(taken)] = bought[taken]
        is_truth[own] = False
        if progress is not None and row % 1000 == 999:
            progress(row + 1, count)
    kept = truth_count > 0
    return RankedLists(
        offers=offers[kept],
        scores=scores[kept],
        relevant=relevant[kept],
        repeat=repeat[kept],
        truth_count=truth_count[kept],
        repeat_truth_count=repeat_count[kept],
        cases=wanted[kept],
        members=fold.members[wanted[kept]],
    )


def best_positions(
    scores: npt.NDArray[np.float32], popularity: npt.NDArray[np.float32], k: int
) -> npt.NDArray[np.int64]:
    """Find the highest scores; ties go by popularity, then by position.

    Args:
        scores: float32[n].
        popularity: float32[n], breaks ties.
        k: How many positions.

    Returns:
        int64[min(k, n)], positions of the highest scores, best first.
    """
    leaders = np.arange(len(scores))
    if len(scores) > k:
        threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
        leaders = np.flatnonzero(scores >= threshold)
    order = np.lexsort((leaders, -popularity[leaders], -scores[leaders]))
    return leaders[order[:k]]


def case_metrics(lists: RankedLists, ks: Sequence[int]) -> dict[str, Array]:
    """Return float64[cases] for each metric and list length.

    NDCG is binary, with an ideal list of ``min(k, truths)`` (Järvelin and Kekäläinen, 2002); recall divides by all
    truths; precision by k; MAP by ``min(k, truths)``; MRR is one over the rank of the first hit. ``recall_repeat`` and
    ``recall_new`` are recalls of what was bought before and of what was not, NaN for a case without such truths;
    ``repeat_share`` is the share of the list bought before.
    """
    metrics: dict[str, Array] = {}
    gains = 1.0 / np.log2(np.arange(2, lists.offers.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    ranks = np.arange(1, lists.offers.shape[1] + 1)
    for k in ks:
        hit = lists.relevant[:, :k].astype(np.float64)
        best_possible = np.minimum(lists.truth_count, k)
        hits = hit.sum(axis=1)
        metrics[f"ndcg@{k}"] = (hit @ gains[:k]) / ideal[best_possible]
        metrics[f"recall@{k}"] = hits / lists.truth_count
        metrics[f"precision@{k}"] = hits / k
        metrics[f"map@{k}"] = (np.cumsum(hit, axis=1) / ranks[:k] * hit).sum(axis=1) / best_possible
        metrics[f"mrr@{k}"] = (hit / ranks[:k]).max(axis=1, initial=0.0)
        metrics[f"hit_rate@{k}"] = (hits > 0).astype(np.float64)
        repeat_hits = (hit * lists.repeat[:, :k]).sum(axis=1)
        new_truths = lists.truth_count - lists.repeat_truth_count
        metrics[f"recall_repeat@{k}"] = _share(repeat_hits, lists.repeat_truth_count)
        metrics[f"recall_new@{k}"] = _share(hits - repeat_hits, new_truths)
        shown = (lists.offers[:, :k] >= 0).sum(axis=1)
        metrics[f"repeat_share@{k}"] = _share(lists.repeat[:, :k].sum(axis=1).astype(np.float64), shown)
    return metrics


def catalogue_metrics(
    lists: RankedLists, fold: Fold, ks: Sequence[int], *, probabilities: bool
) -> dict[str, float]:
    """Measure lists as a whole, one number for each metric and list length.

    ``coverage``: share of the open offers that appear in any list. ``novelty``: mean of ``-log2`` of the share of members
    who bought the offer (Vargas and Castells, 2011). ``diversity``: mean over lists of one minus the mean cosine
    between the offers' buyers (Ziegler et al., 2005), over at most 500 lists. ``calibration_error``: mean absolute
    difference of predicted probability and share of hits in ten bins of equal size, of scores that are probabilities.

    Args:
        lists: Ranked lists.
        fold: What they were ranked on.
        ks: Lengths of lists.
        probabilities: Whether scores are probabilities.

    Returns:
        Values by metric, such as ``coverage@10``.
    """
    matrix = sparse.csr_matrix(fold.data.columns_onto_offers(fold.data.matrix("binary")))
    matrix.data[:] = 1.0
    buyers = np.bincount(matrix.indices, minlength=matrix.shape[1])
    share = (buyers + 0.5) / (matrix.shape[0] + 1.0)
    compared = lists.offers[:: max(1, len(lists.offers) // _MAX_COMPARED)]
    cosines = _Cosines(matrix, buyers, compared)
    metrics = {}
    for k in ks:
        shown = lists.offers[:, :k]
        taken = shown[shown >= 0]
        metrics[f"coverage@{k}"] = len(np.unique(taken)) / max(int(fold.open_offers.sum()), 1)
        metrics[f"novelty@{k}"] = float(-np.log2(share[taken]).mean()) if len(taken) else 0.0
        values = []
        for listed in compared[:, :k]:
            row = listed[listed >= 0]
            if len(row) > 1:
                alike = cosines.between(row)
                pairs = len(row) * (len(row) - 1)
                values.append(1.0 - (alike.sum() - np.trace(alike)) / pairs)
        metrics[f"diversity@{k}"] = float(np.mean(values)) if values else 0.0
        if probabilities:
            there = shown >= 0
            metrics[f"calibration_error@{k}"] = _calibration_error(
                lists.scores[:, :k][there], lists.relevant[:, :k][there]
            )
    return metrics


class _Cosines:
    """Cosines between the buyers of offers, for the offers of a few lists.

    Args:
        matrix: float32[members, offers], a one where a member bought an offer.
        buyers: int64[offers], members who bought each.
        lists: int32[lists, k], -1 for none.
    """

    def __init__(
        self, matrix: sparse.csr_matrix, buyers: npt.NDArray[np.int64], lists: npt.NDArray[np.int32]
    ) -> None:
        self._offers = np.unique(lists[lists >= 0])
        self._lengths = np.sqrt(np.maximum(buyers[self._offers], 1))
        self._columns = sparse.csc_matrix(matrix[:, self._offers])
        # Lists that are much alike share their pairs; of lists that are not, most pairs would be counted in vain.
        self._shared = (
            (self._columns.T @ self._columns).toarray() if len(self._offers) <= MAX_SHARED else None
        )

    def between(self, row: npt.NDArray[np.int32]) -> Array:
        """Return float64[n, n] for the offers of one list."""
        place = np.searchsorted(self._offers, row)
        if self._shared is None:
            columns = self._columns[:, place]
            both = (columns.T @ columns).toarray()
        else:
            both = self._shared[np.ix_(place, place)]
        cosines: Array = both / np.outer(self._lengths[place], self._lengths[place])
        return cosines


def calibration_table(
    probabilities: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Compare predicted probabilities with shares of hits, in bins of equal size.

    Args:
        probabilities: float32[n], predictions in [0, 1].
        hits: bool[n], whether they came true.
        bins: How many bins.

    Returns:
        Mean prediction, share of hits and count of each bin, by ascending prediction.
    """
    order = np.argsort(probabilities, kind="stable")
    return [
        (float(probabilities[part].mean()), float(hits[part].mean()), len(part))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def _calibration_error(probabilities: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_]) -> float:
    table = calibration_table(probabilities, hits)
    total = sum(count for _, _, count in table)
    return sum(abs(predicted - actual) * count for predicted, actual, count in table) / max(total, 1)


def _share(part: Array, whole: npt.NDArray[np.int64]) -> Array:
    result: Array = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return result
