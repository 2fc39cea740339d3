"""Popularity: the same offers for everybody, those whose products sell most."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import Popular, weigh
from training.data.fit_data import FitData
from training.recommenders.base import Recommender, Trial
from training.recommenders.weightings import check_half_life, decayed


@dataclass(frozen=True)
class Popularity(Recommender):
    """Trips with the covered products, recent ones counting more.

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
    def suggest(cls, trial: Trial) -> Self:
        """Return a half-life, or none."""
        return cls(half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)))

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Popular:
        """Count; neither the seed nor more than one thread is used."""
        del seed, threads
        sold = data.history.product_sums(weigh(data.history.columns, decayed(self.half_life_days)))
        return Popular(np.asarray(data.onto_offers(sold), dtype=np.float32))
