"""The second stage: trees that rank a shortlist by the scores of the first and by what is known of member and offer."""

from training.offers.second_stage_rows import RankingRows, build_rows, join_rows
from training.offers.second_stage_trees import FittedTrees, TreeSettings, fit_trees
from training.second_stage.components import Component, default_components, fit_components
from training.second_stage.ranker import make_ranker

__all__ = [
    "Component",
    "FittedTrees",
    "RankingRows",
    "TreeSettings",
    "build_rows",
    "default_components",
    "fit_components",
    "fit_trees",
    "join_rows",
    "make_ranker",
]
