"""Ways to score offers for members, all behind one interface."""

from training.recommenders.als import Als
from training.recommenders.base import Recommender
from training.recommenders.bpr import Bpr
from training.recommenders.decayed_frequency import DecayedFrequency
from training.recommenders.item_item import ItemItem
from training.recommenders.popularity import Popularity
from training.recommenders.warp import Warp

RECOMMENDERS: dict[str, type[Recommender]] = {
    recommender.name: recommender for recommender in (Popularity, DecayedFrequency, ItemItem, Als, Bpr, Warp)
}

__all__ = [
    "RECOMMENDERS",
    "Als",
    "Bpr",
    "DecayedFrequency",
    "ItemItem",
    "Popularity",
    "Recommender",
    "Warp",
]
