"""How models did on folds: estimates with errors over members, paired differences, and both as text and as JSON."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.stats.estimate import Estimate, estimate_of
from training.bundle import OfferModel
from training.bundle.ranker import Ranker
from training.errors import DatasetError
from training.evaluation.folds import Fold
from training.evaluation.ranking import (
    RankedLists,
    Score,
    case_metrics,
    catalogue_metrics,
    rank_fold,
    score_known,
)


def ratio_estimate(numerators: npt.NDArray[np.float64], denominators: npt.NDArray[np.float64]) -> Estimate:
    """Estimate a ratio of member sums, with members as clusters.

    The trips of one member are alike, so they are not independent; members are. The standard error is the delta
    method's: that of the mean of ``numerator - ratio * denominator``, over the mean denominator (Deng, Knoblich and Lu,
    *Applying the Delta Method in Metric Analytics*, 2018).

    Args:
        numerators: Sum of each member, for example hits.
        denominators: Count of each member, for example trips; their sum is above 0.

    Raises:
        DatasetError: There are fewer than 2 members or the denominators sum to 0.
    """
    members, total = len(numerators), float(denominators.sum())
    if members < 2 or total <= 0:
        raise DatasetError(f"A ratio over members needs 2 members with trips or more, found {members}.")
    ratio = float(numerators.sum()) / total
    residuals = numerators - ratio * denominators
    spread = float(np.sqrt(np.sum(residuals**2) / (members - 1) / members))
    return estimate_of(ratio, spread / (total / members))


def mean_estimate(values: npt.NDArray[np.float64]) -> Estimate:
    """Estimate a mean over members.

    Raises:
        DatasetError: There are fewer than 2 members.
    """
    return ratio_estimate(values, np.ones(len(values)))


SAMPLED_CASES = 20_000
"""Cases that stand for a fold with more than may be ranked; the error of a mean between 0 and 1 is then 0.0036 at most."""


@dataclass(frozen=True, eq=False)
class ModelEvaluation:
    """How one model did.

    Attributes:
        metrics: Estimate by name, such as ``ndcg@10``; those of the whole catalogue have no error (NaN).
        cases: float64[cases] by name, in the order of the folds' cases.
        members: int32[cases].
        lists: The ranked lists of each fold.
    """

    metrics: Mapping[str, Estimate]
    cases: Mapping[str, npt.NDArray[np.float64]]
    members: npt.NDArray[np.int32]
    lists: tuple[RankedLists, ...]


def evaluate(
    models: Sequence[OfferModel],
    folds: Sequence[Fold],
    ks: Sequence[int],
    *,
    most_cases: int | None = None,
    seed: int = 0,
    score: Score = score_known,
    progress: Callable[[int, int], None] | None = None,
) -> ModelEvaluation:
    """Rank the cases of folds, each by the model fitted on that fold, and measure.

    Args:
        models: One for each fold.
        folds: Where the cases are.
        ks: Lengths of lists, ascending.
        most_cases: When a fold has more cases, rank a random sample of them: as many as this, at most
            ``SAMPLED_CASES``. The catalogue stays whole, and the errors are those of the sample.
        seed: Of that sample.
        score: How candidates are scored.
        progress: Called with cases done and all cases of a fold.

    Returns:
        Estimates by metric.

    Raises:
        DatasetError: There are fewer than two cases.
    """
    lists = []
    for model, fold in zip(models, folds, strict=True):
        cases = None
        if most_cases is not None and len(fold.members) > most_cases:
            rng = np.random.default_rng(seed)
            taken = min(most_cases, SAMPLED_CASES)
            cases = np.sort(rng.choice(len(fold.members), taken, replace=False))
        lists.append(rank_fold(model, fold, k=max(ks), cases=cases, score=score, progress=progress))
    return summarise(lists, folds, ks, probabilities=[isinstance(model.scorer, Ranker) for model in models])


def summarise(
    lists: Sequence[RankedLists], folds: Sequence[Fold], ks: Sequence[int], *, probabilities: Sequence[bool]
) -> ModelEvaluation:
    """Measure ranked lists.

    Args:
        lists: Those of each fold.
        folds: Where the cases are.
        ks: Lengths of lists, ascending.
        probabilities: For each fold, whether scores are probabilities.

    Returns:
        Estimates by metric.

    Raises:
        DatasetError: There are fewer than two cases.
    """
    per_case = [case_metrics(part, ks) for part in lists]
    cases_of = {name: np.concatenate([part[name] for part in per_case]) for name in per_case[0]}
    members = np.concatenate([part.members for part in lists])
    if len(np.unique(members)) < 2:
        raise DatasetError(
            "Fewer than two members did anything in the window that the task is about, so nothing can be measured."
        )
    metrics = {name: over_members(values, members) for name, values in cases_of.items()}
    whole = [
        catalogue_metrics(part, fold, ks, probabilities=these)
        for part, fold, these in zip(lists, folds, probabilities, strict=True)
        if len(part.members)
    ]
    weights = np.array([len(part.members) for part in lists if len(part.members)], dtype=np.float64)
    for name in whole[0]:
        value = float(np.average([part[name] for part in whole], weights=weights))
        metrics[name] = estimate_of(value, float("nan"))
    return ModelEvaluation(metrics, cases_of, members, tuple(lists))


def join_halves(
    first: ModelEvaluation,
    second: ModelEvaluation,
    in_first: Callable[[npt.NDArray[np.int32]], npt.NDArray[np.bool_]],
    folds: Sequence[Fold],
    ks: Sequence[int],
) -> ModelEvaluation:
    """Join two evaluations of the same cases.

    Args:
        first: Of one model.
        second: Of another one.
        in_first: Tells which members, int32[n], are taken from the first.
        folds: Where the cases are.
        ks: Lengths of lists, ascending.

    Returns:
        Metrics of some members as the first model ranks them, and of the rest as the second does.
    """
    lists = [
        one.where(in_first(one.members), other) for one, other in zip(first.lists, second.lists, strict=True)
    ]
    return summarise(lists, folds, ks, probabilities=[False] * len(folds))


def sample_note(folds: Sequence[Fold], most_cases: int) -> str:
    """Say which folds are ranked on a sample, in words for the notes of a job; nothing where none is."""
    taken = min(most_cases, SAMPLED_CASES)
    parts = [
        f"{fold.name}: a random {taken:,} of {len(fold.members):,} members"
        for fold in folds
        if len(fold.members) > most_cases
    ]
    return f"Ranked on a sample, which the errors account for: {'; '.join(parts)}." if parts else ""


def over_members(values: npt.NDArray[np.float64], members: npt.NDArray[np.int32]) -> Estimate:
    """Return the mean over cases with its error over members, who may have several cases; NaN cases do not count."""
    counted = ~np.isnan(values)
    _, position = np.unique(members[counted], return_inverse=True)
    if len(position) == 0 or position.max() < 1:
        return estimate_of(float(values[counted].mean()) if counted.any() else 0.0, float("nan"))
    sums = np.bincount(position, weights=values[counted]).astype(np.float64)
    return ratio_estimate(sums, np.bincount(position).astype(np.float64))


def paired_difference(evaluation: ModelEvaluation, baseline: ModelEvaluation, metric: str) -> Estimate:
    """Compare two models on the same cases, taking differences case by case, so that what makes cases differ cancels.

    Args:
        evaluation: The model's.
        baseline: The other model's.
        metric: Name of the metric.

    Returns:
        The metric's mean difference, model minus baseline, with its standard error over members.

    Raises:
        ValueError: The two were not measured on the same cases.
    """
    if not np.array_equal(evaluation.members, baseline.members):
        raise ValueError("The two evaluations are not of the same cases.")
    return over_members(evaluation.cases[metric] - baseline.cases[metric], evaluation.members)


COUNTING = "decayed_frequency"
"""What every candidate must beat before it serves."""

_ABBREVIATIONS = {"ndcg", "map", "mrr"}


def metric_title(metric: str) -> str:
    """Return the name of a metric for people: ``ndcg@10`` is NDCG@10, ``hit_rate@10`` is hit rate@10."""
    name, at, k = metric.partition("@")
    return (name.upper() if name in _ABBREVIATIONS else name.replace("_", " ")) + at + k


def shown_estimate(estimate: Estimate) -> str:
    """Return an estimate with its standard error, where that is known."""
    error = "" if math.isnan(estimate.standard_error) else f" ± {estimate.standard_error:.4f}"
    return f"{estimate.value:.4f}{error}"


def shown_interval(estimate: Estimate) -> str:
    """Return the 95 % interval of a difference in words."""
    if math.isnan(estimate.standard_error):
        return "interval unknown"
    low, high = estimate.interval
    return f"95 % {low:+.4f} to {high:+.4f}"


def shown_difference(estimate: Estimate) -> str:
    """Return a difference with its sign and interval."""
    return f"{estimate.value:+.4f} ({shown_interval(estimate)})"


def estimate_json(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate as plain values; an error that is not known is null."""
    error = estimate.standard_error
    return {"value": estimate.value, "se": None if math.isnan(error) else error}


def estimates_json(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    """Return estimates by name as plain values."""
    return {name: estimate_json(estimate) for name, estimate in estimates.items()}
