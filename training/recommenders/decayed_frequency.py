"""Decayed personal frequency: what a member bought before, recent purchases counting more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from training.bundle import OfferModel
from training.data.interactions import Interactions
from training.recommenders.base import Recommender
from training.recommenders.matrices import personal_model


@dataclass(frozen=True)
class DecayedFrequency(Recommender):
    """The number of purchase rows of the covered products, each weighing ``0.5 ** (age / half life)``.

    Attributes:
        half_life_days: Age at which a purchase counts half, in days, above 0.
    """

    name: ClassVar[str] = "decayed_frequency"
    summary: ClassVar[str] = (
        "How often the member bought the covered products, recent purchases counting more."
    )

    half_life_days: float = 84.0

    def __post_init__(self) -> None:
        if not self.half_life_days > 0:
            raise ValueError(f"half_life_days == {self.half_life_days}, must be > 0.")

    @classmethod
    def grid(cls) -> Sequence[Self]:
        """Return half-lives from one to six months."""
        return tuple(cls(half_life_days=days) for days in (28.0, 56.0, 84.0, 168.0))

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Count; the seed is not used."""
        del seed
        weights = np.exp2(-interactions.age_days / self.half_life_days)
        bought = sparse.csr_matrix(
            (weights, (interactions.member, interactions.product)),
            shape=(len(interactions.member_ids), len(interactions.product_ids)),
        )
        return personal_model(interactions, interactions.member_ids, bought @ interactions.covers)
