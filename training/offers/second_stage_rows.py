"""What the second stage learns from: one row per shortlisted offer of a case, made by the code that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle.features import OfferTable, candidate_features
from training.bundle.history import LAST_AGE, Profile, empty_profile, one_trip
from training.bundle.model import Task, applicable
from training.bundle.ranker import activity, shortlist
from training.bundle.scorers import AnyScorer
from training.data.purchases import FitData
from training.errors import TrainingError
from training.evaluation.folds import Fold
from training.recommenders import Ease, Recommender
from training.recommenders.frequency import CategoryFrequency

COLD_SHARE = 0.1
"""Share of the cases that appear once more as if the member were unknown, and once more with the last trip only."""


@dataclass(frozen=True, eq=False)
class RankingRows:
    """Rows of candidates, grouped by case.

    Attributes:
        features: float32[rows, features].
        relevant: bool[rows].
        sizes: int64[groups], rows of each case.
        truth_counts: int64[groups], truths of each case, on the shortlist or not.
        activity: float64[groups, 3], how active the member of the case is.
        warm: bool[groups], whether the case is seen with the whole history.
        label_times: float64[rows], when a relevant row became known, in days since 1970; infinite for the others.
    """

    features: npt.NDArray[np.float32]
    relevant: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]
    truth_counts: npt.NDArray[np.int64]
    activity: npt.NDArray[np.float64]
    warm: npt.NDArray[np.bool_]
    label_times: npt.NDArray[np.float64]

    def known_by(self, moment: float) -> "RankingRows":
        """Return what could be learned at a moment: later labels are none, and cases without a label are left out."""
        relevant = self.relevant & (self.label_times <= moment)
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        labels = np.bincount(group[relevant], minlength=len(self.sizes))
        kept = labels > 0
        rows = kept[group]
        return RankingRows(
            self.features[rows],
            relevant[rows],
            self.sizes[kept],
            labels[kept],
            self.activity[kept],
            self.warm[kept],
            self.label_times[rows],
        )

    def ndcg(self, scores: npt.NDArray[np.float64], k: int) -> float:
        """Return the mean NDCG over the cases seen whole, truths off the shortlist counted as missed."""
        gains = 1.0 / np.log2(np.arange(2, k + 2))
        ideal = np.concatenate([[0.0], np.cumsum(gains)])
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        order = np.lexsort((-scores, group))
        place = np.arange(len(order)) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        counted = (place < k) & self.relevant[order]
        found = np.bincount(group[counted], weights=gains[place[counted]], minlength=len(self.sizes))
        values = found / ideal[np.minimum(self.truth_counts, k)]
        return float(values[self.warm].mean())


def first_basket(profile: Profile) -> Profile:
    """Return what would be known of a member after the last trip alone, at the moment it was made."""
    if not len(profile.products):
        return profile
    last = profile.columns[:, LAST_AGE] <= profile.stats[LAST_AGE]
    rows = np.repeat(one_trip(0.0)[None, :], int(last.sum()), axis=0)
    return Profile(profile.products[last], rows, one_trip(0.0))


def build_rows(  # noqa: PLR0917  # the parts of one row, in their order
    fold: Fold,
    task: Task,
    scorers: Sequence[AnyScorer],
    quotas: tuple[int, ...],
    table: OfferTable,
    attributes: npt.NDArray[np.float32],
    *,
    most_cases: int,
    seed: int,
) -> RankingRows:
    """Describe the shortlist of every case of a fold.

    Args:
        fold: Cases and truths.
        task: What the fold asks.
        scorers: The components, fitted on the fold's data.
        quotas: How many candidates each nominates.
        table: What is known of offers at the fold's moment.
        attributes: float32[members, attributes].
        most_cases: A random sample of so many cases is taken when there are more.
        seed: Of that sample and of who is seen cold.

    Returns:
        One row per shortlisted offer.

    Raises:
        TrainingError: No case has a relevant offer on its shortlist.
    """
    rng = np.random.default_rng(seed)
    cases = np.arange(len(fold.members))
    if len(cases) > most_cases:
        cases = np.sort(rng.choice(cases, most_cases, replace=False))
    cold = rng.random(len(cases)) < COLD_SHARE
    features, relevant, sizes, truth_counts, activities, warm, times = [], [], [], [], [], [], []
    history, covers = fold.data.history, fold.data.covers
    for case, is_cold in zip(cases.tolist(), cold.tolist(), strict=True):
        member = int(fold.members[case])
        profile = history.profile(member)
        own = slice(fold.truths.indptr[case], fold.truths.indptr[case + 1])
        truths = fold.truths.indices[own]
        label_time = np.full(len(fold.open_offers), np.inf)
        label_time[truths] = fold.label_end if fold.truth_times is None else fold.truth_times[own]
        views: list[tuple[Profile, int | None]] = [(profile, member)]
        if is_cold:
            views += [(empty_profile(), None), (first_basket(profile), None)]
        for number, (seen, position) in enumerate(views):
            candidates = np.flatnonzero(fold.open_offers & applicable(task, seen, covers))
            is_truth = np.isin(candidates, truths)
            if not is_truth.any():
                continue
            first = [scorer.scores(seen, position) for scorer in scorers]
            short = shortlist(first, quotas, candidates)
            features.append(
                candidate_features(seen, candidates[short], covers, table, attributes[member], first)
            )
            relevant.append(is_truth[short])
            sizes.append(len(short))
            truth_counts.append(int(is_truth.sum()))
            activities.append(activity(seen.stats))
            warm.append(number == 0)
            times.append(np.where(is_truth[short], label_time[candidates[short]], np.inf))
    if not features:
        raise TrainingError(f"{fold.name}: no member did anything that the task {task} is about.")
    return RankingRows(
        np.concatenate(features),
        np.concatenate(relevant),
        np.array(sizes),
        np.array(truth_counts),
        np.stack(activities),
        np.array(warm),
        np.concatenate(times),
    )


def join_rows(parts: Sequence[RankingRows]) -> RankingRows:
    """Put the rows of several folds into one table; folds without rows take no part.

    Raises:
        TrainingError: There are none.
    """
    filled = [part for part in parts if len(part.sizes)]
    if not filled:
        raise TrainingError("No case has a relevant offer, so the second stage cannot learn.")
    if len(filled) == 1:
        return filled[0]
    return RankingRows(
        np.concatenate([part.features for part in filled]),
        np.concatenate([part.relevant for part in filled]),
        np.concatenate([part.sizes for part in filled]),
        np.concatenate([part.truth_counts for part in filled]),
        np.concatenate([part.activity for part in filled]),
        np.concatenate([part.warm for part in filled]),
        np.concatenate([part.label_times for part in filled]),
    )


LEAD = "decayed_frequency"
"""The component that orders what is not on the shortlist; the most natural one, and never missing."""

_LEAD_QUOTA, _QUOTA = 60, 40
_FOR_EVERYBODY = ("popularity", "seasonal_popularity")


@dataclass(frozen=True)
class Component:
    """One scorer of the first stage.

    Attributes:
        name: Name of its column.
        recommender: How it is fitted.
        quota: How many candidates it nominates for the shortlist.
    """

    name: str
    recommender: Recommender
    quota: int


def default_components(chosen: Mapping[str, Recommender], *, with_categories: bool) -> tuple[Component, ...]:
    """Return the components for the recommenders of a job: each with its chosen settings, the lead first.

    What is the same for everybody takes no part: popularity's numbers stand among the offer's features, and earlier folds
    may not reach back a year. Item-item regression takes part twice
    more where it takes part at all: on what was bought lately, and on what was bought at all; their differences tell
    what the tuned one cannot.
    """
    order = [LEAD, *(name for name in chosen if name not in {LEAD, *_FOR_EVERYBODY})]
    components = [
        Component(name, chosen[name], _LEAD_QUOTA if name == LEAD else _QUOTA)
        for name in order
        if name in chosen
    ]
    if "ease" in chosen:
        components += [
            Component("ease_recent", Ease(regularisation=300.0, weighting="log_decayed_84"), _QUOTA),
            Component("ease_binary", Ease(regularisation=1000.0, weighting="binary"), _QUOTA),
        ]
    if with_categories:
        components.append(Component(CategoryFrequency.name, CategoryFrequency(), 0))
    return tuple(components)


def fit_components(
    components: Sequence[Component],
    data: FitData,
    *,
    seed: int,
    threads: int,
    fitted: Mapping[str, AnyScorer],
) -> tuple[AnyScorer, ...]:
    """Fit every component on a fold's data.

    Args:
        components: What to fit.
        data: What to fit it on.
        seed: Seed of everything random.
        threads: Threads that may be used.
        fitted: Scorers by component name that were fitted on the same data already.

    Returns:
        The fitted scorers.

    Raises:
        TrainingError: None can be fitted.
    """
    scorers = []
    for component in components:
        found = fitted.get(component.name)
        scorers.append(
            component.recommender.fit(data, seed=seed, threads=threads) if found is None else found
        )
    if not scorers:
        raise TrainingError("The second stage has no first stage: name at least one other model.")
    return tuple(scorers)
