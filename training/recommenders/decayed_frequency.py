"""Decayed personal frequency: what a member bought before, recent purchases counting more."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import Array, Frequency
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.popularity import Popularity
from training.recommenders.weightings import check_half_life, decayed


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
    def suggest(cls, trial: Trial) -> Self:
        """Return a half-life, or none."""
        return cls(half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Frequency:
        """Take over what offers cover and count popularity; histories are counted when they are scored."""
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
