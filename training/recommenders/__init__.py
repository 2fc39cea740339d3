"""Ways to score offers for members, all behind one interface."""

from training.recommenders.als import Als
from training.recommenders.base import Recommender
from training.recommenders.bpr import Bpr
from training.recommenders.decayed_frequency import DecayedFrequency
from training.recommenders.ease import Ease
from training.recommenders.frequency import SeasonalPopularity
from training.recommenders.graph_filter import GraphFilter
from training.recommenders.item_item import ItemItem
from training.recommenders.lmf import Lmf
from training.recommenders.neighbours import TifuKnn
from training.recommenders.popularity import Popularity
from training.recommenders.warp import Warp

RECOMMENDERS: dict[str, type[Recommender]] = {
    recommender.name: recommender
    for recommender in (
        Popularity,
        SeasonalPopularity,
        DecayedFrequency,
        TifuKnn,
        ItemItem,
        Ease,
        GraphFilter,
        Als,
        Bpr,
        Lmf,
        Warp,
    )
}

__all__ = [
    "RECOMMENDERS",
    "Als",
    "Bpr",
    "DecayedFrequency",
    "Ease",
    "GraphFilter",
    "ItemItem",
    "Lmf",
    "Popularity",
    "Recommender",
    "SeasonalPopularity",
    "TifuKnn",
    "Warp",
]
