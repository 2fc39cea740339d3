"""Seasonal popularity: what sold in these weeks a year ago, beside what sells now."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from training.bundle.history import HALF_LIVES
from training.bundle.scorers import Popular, weigh
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.recommenders.base import Recommender, Trial
from training.recommenders.weightings import check_half_life, decayed


@dataclass(frozen=True)
class SeasonalPopularity(Recommender):
    """Shares of trips: those of the same weeks a year ago, mixed with those of lately.

    Attributes:
        half_life_days: Age at which one of the late trips counts half, one of ``HALF_LIVES``, or 0 to count all alike.
        season: Weight of a year ago, in [0, 1]; the rest is that of lately.
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
    def suggest(cls, trial: Trial) -> Self:
        """Return settings."""
        return cls(
            half_life_days=trial.suggest_categorical("half_life_days", (0.0, *HALF_LIVES)),
            season=trial.suggest_float("season", 0.05, 1.0),
        )

    def fit(self, data: FitData, *, seed: int, threads: int = 1) -> Popular:
        """Count; neither the seed nor more than one thread is used.

        Raises:
            TrainingError: The purchases do not reach back a year.
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
