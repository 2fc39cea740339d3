"""The first-stage scorers that the second stage blends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.bundle.scorers import AnyScorer
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.recommenders import Ease, Recommender
from training.recommenders.category_frequency import CategoryFrequency

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
