"""Recommenders that count: popularity, the season's, a member's own purchases, recent ones more, and those of a category."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import Array, Frequency, Linear, Popular, Weighting, weigh
from training.data.purchases import FitData
from training.errors import TrainingError
from training.recommenders.associations import linear_from_sparse, without_diagonal
from training.recommenders.base import Recommender, SettingsTrial, check_half_life, check_weighting, decayed


@dataclass(frozen=True)
class SeasonalPopularity(Recommender):
    """Shares of trips: those of the same weeks a year ago, mixed with recent ones.

    A product scores ``season · a / Σa + (1 - season) · b / Σb``, with ``a`` its trips in the season a year ago and ``b`` its trips
    as ``Popularity`` counts them; an offer scores the sum of the products that it covers.

    Attributes:
        half_life_days: Age at which one of the recent trips counts half, one of ``HALF_LIVES``, or 0 to count all alike.
        season: Weight of a year ago, in [0, 1]; recent trips have the rest.
    """

    name: ClassVar[str] = "seasonal_popularity"
    summary: ClassVar[str] = (
        "Sales of the same weeks a year ago mixed with those of lately; the same for everybody."
    )

    half_life_days: float = 28.0
    season: float = 0.5

    def __post_init__(self) -> None:
        check_half_life(self.half_life_days)
        if not 0 <= self.season <= 1:
            raise ValueError(f"season == {self.season}, must be in [0, 1].")

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings."""
        return cls(
            half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)),
            season=trial.suggest_float("season", 0.05, 1.0),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Popular:
        """Count; neither the seed nor more than one thread is used.

        Raises:
            TrainingError: The purchases do not reach back a year.

        See ``Recommender.fit``.
        """
        del seed, threads
        if data.season is None:
            raise TrainingError(
                "Seasonal popularity compares with a year ago, and the purchases do not reach back so far.",
                recommender=self.name,
            )
        late = data.history.product_sums(weigh(data.history.columns, decayed(self.half_life_days)))
        mixed = self.season * _shares(data.season) + (1.0 - self.season) * _shares(late)
        return Popular(np.asarray(data.onto_offers(mixed), dtype=np.float32))


def _shares(
    counts: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return counts / max(float(counts.sum()), 1e-12)


@dataclass(frozen=True)
class CategoryFrequency(Recommender):
    """Purchases in the categories of the covered products, whatever the product.

    It needs no purchase of the offer, so it is what the second stage knows of an offer that is new.

    Attributes:
        weighting: How much a pair weighs.
    """

    name: ClassVar[str] = "category_frequency"
    summary: ClassVar[str] = "How much the member buys in the categories of the covered products."

    weighting: Weighting = "decayed_84"

    def __post_init__(self) -> None:
        check_weighting(self.weighting)

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return a weighting."""
        return cls(weighting=trial.suggest_categorical("weighting", ("count", "decayed_28", "decayed_84")))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Linear:
        """Link every product to the offers that cover something of its category. See ``Recommender.fit``."""
        del seed, threads
        categories = data.product_categories
        if categories is None or not (categories >= 0).any():
            raise TrainingError("Category frequency needs categories of products, and there are none.")
        known = np.flatnonzero(categories >= 0)
        ones = np.ones(len(known), np.float32)
        membership = sparse.csr_matrix(
            (ones, (known, categories[known])), shape=(len(categories), int(categories.max()) + 1)
        )
        offers_of = sparse.csr_matrix(data.columns_onto_offers(membership.T.tocsr()))
        offers_of.data[:] = 1.0
        links = sparse.csr_matrix(membership @ offers_of)
        if data.covers.indptr is None:
            return linear_from_sparse(data, self.weighting, without_diagonal(links))
        return Linear(
            self.weighting,
            data.covers.offer_count,
            indptr=links.indptr.astype(np.int64),
            indices=links.indices.astype(np.int32),
            data=links.data.astype(np.float32),
        )


@dataclass(frozen=True)
class Popularity(Recommender):
    """All members' trips with the covered products, each weighing ``0.5 ** (age / half life)``.

    Attributes:
        half_life_days: Age at which a trip counts half, one of ``HALF_LIVES``, or 0 to count all alike.
    """

    name: ClassVar[str] = "popularity"
    summary: ClassVar[str] = (
        "Sales of the covered products, recent ones counting more; the same for everybody."
    )

    half_life_days: float = 28.0

    def __post_init__(self) -> None:
        check_half_life(self.half_life_days)

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return a half-life, or none."""
        return cls(half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Popular:
        """Count; neither the seed nor more than one thread is used. See ``Recommender.fit``."""
        del seed, threads
        sold = data.history.product_sums(weigh(data.history.columns, decayed(self.half_life_days)))
        return Popular(np.asarray(data.onto_offers(sold), dtype=np.float32))


@dataclass(frozen=True)
class DecayedFrequency(Recommender):
    """The member's trips with the covered products, each weighing ``0.5 ** (age / half life)``.

    What the member never bought ranks behind, by popularity.

    Attributes:
        half_life_days: Age at which a trip counts half, one of ``HALF_LIVES``, or 0 to count all alike.
    """

    name: ClassVar[str] = "decayed_frequency"
    summary: ClassVar[str] = (
        "How often the member bought the covered products, recent purchases counting more."
    )

    half_life_days: float = 84.0

    def __post_init__(self) -> None:
        check_half_life(self.half_life_days)

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return a half-life, or none."""
        return cls(half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Frequency:
        """Take over what offers cover and count popularity; histories are counted when they are scored. See ``Recommender.fit``."""
        return Frequency(
            weighting=decayed(self.half_life_days),
            offers=data.covers,
            tie_break=popular_shares(Popularity().fit(data, seed=seed, threads=threads).offer_scores),
        )


def popular_shares(offer_scores: Array) -> Array:
    """Return popularity on [0, 1), in the same order."""
    most = float(offer_scores.max(initial=0.0))
    if most <= 0:
        return np.zeros_like(offer_scores)
    return (offer_scores * (0.999 / most)).astype(np.float32)
