"""Popularity: the same offers for everybody, those whose products sold most in the last 8 weeks."""

from dataclasses import dataclass
from typing import ClassVar

from training.bundle import OfferModel
from training.data.interactions import POPULARITY_DAYS, Interactions
from training.recommenders.base import Recommender


@dataclass(frozen=True)
class Popularity(Recommender):
    """Sales of the covered products in the last 8 weeks, counted in purchase rows.

    Attributes:
        window_days: Days counted; every bundle carries this same vector as its cold path, so it is not tuned.
    """

    name: ClassVar[str] = "popularity"
    summary: ClassVar[str] = "Sales of the covered products in the last 8 weeks, the same for every member."

    window_days: float = POPULARITY_DAYS

    def fit(self, interactions: Interactions, *, seed: int) -> OfferModel:
        """Take over the popular scores; the seed is not used."""
        del seed
        return OfferModel(
            member_ids=interactions.member_ids,
            offer_ids=interactions.offer_ids,
            popular_scores=interactions.popular_scores,
        )
