"""The mixture: the other models' scores on one scale, added up with weights learned by ensemble selection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.bundle.model import Task, applicable
from training.bundle.scorers import AnyScorer, Mixture
from training.data.purchases import FitData
from training.evaluation import Fold, ModelEvaluation, join_halves
from training.offers.job_data import MAX_VALIDATION_CASES, JobData

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MAX_CASES = 2_000
MAX_MEMBERS = 500
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
    """Measure how far apart each scorer's scores usually are.

    It is their standard deviation over the offers that the task is about for a member, averaged over a sample of members
    who bought anything; 0 for a scorer that scores all offers alike.

    Args:
        scorers: Fitted on ``data``.
        data: Histories of the members.
        task: What is asked.
        seed: Of the sample.

    Returns:
        float64[scorers], in the units of each scorer's scores.
    """
    history = data.history
    members = np.flatnonzero(np.diff(history.indptr) > 0)
    if len(members) > MAX_MEMBERS:
        members = np.random.default_rng(seed).choice(members, MAX_MEMBERS, replace=False)
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
    """Pool the cases of a fold that have a truth, or a random sample of them when there are many.

    Args:
        fold: Cases and truths that the scorers have not seen.
        task: What is asked.
        scorers: Fitted on the fold's data.
        scales: float64[scorers], their ``spreads``.
        k: Length of the lists that will be looked at.
        seed: Of the sample.

    Returns:
        The cases, with the candidates that any scorer puts into its list.
    """
    cases = np.arange(len(fold.members))
    if len(cases) > MAX_CASES:
        cases = np.sort(np.random.default_rng(seed).choice(cases, MAX_CASES, replace=False))
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


BAGS = 5
BAG_SHARE = 0.6
STEPS = 20
"""Scorers that are added to a bag's mixture one by one, so that a weight is a multiple of about 5 percent."""


def select_weights(cases: PooledCases, *, k: int, seed: int) -> Floats:
    """Return the weights of scorers that rank held-out truths best.

    Ensemble selection (Caruana et al., *Ensemble Selection from Libraries of Models*, 2004, sections 2.1 to 2.3): from the
    best scorer on, the one that helps most is added, again and again, also a second time; the best mixture on the way is
    kept. A sample of a few hundred cases is noisy, so this is done on several random samples of them and averaged.

    Args:
        cases: Held-out cases.
        k: Length of the ranked list.
        seed: Of the samples.

    Returns:
        float64[scorers], from 0 on; they add up to 1.
    """
    count, total = len(cases.scores), len(cases.truth_count)
    if not total or count < 2:
        return np.full(count, 1.0 / max(count, 1))
    rng = np.random.default_rng(seed)
    size = max(int(BAG_SHARE * total), 1)
    bags = [_select(cases.take(np.sort(rng.choice(total, size, replace=False))), k) for _ in range(BAGS)]
    weights: Floats = np.sum(bags, axis=0) / BAGS
    return weights


def _select(cases: PooledCases, k: int) -> Floats:
    count = len(cases.scores)
    weights, best_value, best = np.zeros(count), -1.0, np.zeros(count)
    for _ in range(STEPS + 1):
        values = [float(cases.ndcg(weights + one, k).mean()) for one in np.eye(count)]
        added = int(np.argmax(values))
        weights[added] += 1.0
        if values[added] > best_value:
            best_value, best = values[added], weights.copy()
    shares: Floats = best / best.sum()
    return shares


class MixtureStage:
    """Learns weights for the models of a job on its validation folds.

    Args:
        job_data: What the job works on.
        fitted: The scorers of each model, one for each validation fold.
    """

    def __init__(self, job_data: JobData, fitted: Mapping[str, Sequence[AnyScorer]]) -> None:
        self._job_data = job_data
        self._names = tuple(fitted)
        self._fitted = [
            [fitted[name][number] for name in self._names] for number in range(len(job_data.validation))
        ]
        k = int(job_data.metric.split("@")[1])
        self._scales = [
            spreads(scorers, fold.data, job_data.split.task, seed=job_data.seed)
            for scorers, fold in zip(self._fitted, job_data.validation, strict=True)
        ]
        cases = join_cases(
            [
                pool_cases(fold, job_data.split.task, scorers, scales, k=k, seed=job_data.seed)
                for scorers, scales, fold in zip(self._fitted, self._scales, job_data.validation, strict=True)
            ]
        )
        half = self._first_half(cases.members)
        self._weights = select_weights(cases, k=k, seed=job_data.seed)
        self._of_half = [
            select_weights(cases.take(np.flatnonzero(part)), k=k, seed=job_data.seed)
            for part in (half, ~half)
        ]

    @property
    def weights(self) -> dict[str, float]:
        """Return the weight of each model that has one."""
        return {
            name: float(weight) for name, weight in zip(self._names, self._weights, strict=True) if weight > 0
        }

    def validate(self) -> ModelEvaluation:
        """Measure on validation: each half of the members by the weights that were learned on the other half."""
        first, second = (
            self._job_data.evaluate(
                [
                    self._model(fold.data, number, weights)
                    for number, fold in enumerate(self._job_data.validation)
                ],
                self._job_data.validation,
                MAX_VALIDATION_CASES,
            )
            for weights in self._of_half
        )
        return join_halves(second, first, self._first_half, self._job_data.validation, self._job_data.ks)

    def model_on(self, data: FitData, fitted: Mapping[str, AnyScorer]) -> OfferModel:
        """Return the model of a moment.

        Args:
            data: What was known.
            fitted: The models' scorers fitted on it.
        """
        scorers = [fitted[name] for name in self._names]
        scales = spreads(scorers, data, self._job_data.split.task, seed=self._job_data.seed)
        return self._job_data.model(data, mix(scorers, self._weights, scales))

    def _model(self, data: FitData, number: int, weights: Floats) -> OfferModel:
        return self._job_data.model(data, mix(self._fitted[number], weights, self._scales[number]))

    def _first_half(self, members: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        order = np.random.default_rng(self._job_data.seed).permutation(self._job_data.purchases.member_count)
        first: npt.NDArray[np.bool_] = order[members] % 2 == 0
        return first


def mix(scorers: Sequence[AnyScorer], weights: Floats, scales: Floats) -> Mixture:
    """Add up scorers, each divided by its scale; those without weight or scale are left out.

    Args:
        scorers: Fitted scorers.
        weights: float64[scorers], from 0 on.
        scales: float64[scorers], the ``spreads`` of these very scorers.

    Returns:
        The weighted sum as one scorer.
    """
    used = [
        (scorer, float(weight / scale))
        for scorer, weight, scale in zip(scorers, weights, scales, strict=True)
        if weight > 0 and scale > 0
    ]
    # When no scorer tells offers apart, any of them gives the same order.
    parts = used or [(scorers[0], 1.0)]
    return Mixture(tuple(scorer for scorer, _ in parts), tuple(weight for _, weight in parts))
