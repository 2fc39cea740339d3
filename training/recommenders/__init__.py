"""Ways to score offers for members, all behind one interface."""

from training.recommenders.base import Recommender
from training.recommenders.ease import Ease
from training.recommenders.factorisation import Als, Bpr, Lmf
from training.recommenders.frequency import DecayedFrequency, Popularity, SeasonalPopularity
from training.recommenders.graph_filter import GraphFilter
from training.recommenders.neighbours import ItemItem, TifuKnn
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
