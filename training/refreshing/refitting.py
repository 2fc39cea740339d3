"""Fitting a model again by its recipe."""

import numpy as np

from training.bundle.attributes import AttributeCodes
from training.bundle.features import feature_names
from training.bundle.history import History
from training.bundle.ranker import Ranker
from training.bundle.scorers import AnyScorer
from training.bundle.task import Task
from training.data.fit_data import FitData
from training.errors import TrainingError
from training.evaluation.folds import SEASON_DAYS
from training.mixing import mix, spreads
from training.offers.problem import THREADS
from training.offers.recipe import Kind, Known, Recipe
from training.offers.refreshing import Grown
from training.second_stage import Component, make_ranker


def check_features(recipe: Recipe, member_codes: AttributeCodes) -> None:
    """Raise TrainingError when the trees of a ranker learned from other columns than are computed now."""
    now = feature_names([part.name for part in recipe.parts], member_codes.names)
    if recipe.kind is Kind.RANKER and recipe.features != now:
        raise TrainingError(
            "The trees of the model look at other numbers than this Troth computes: train once."
        )


def data_of(
    grown: Grown, history: History, recipe: Recipe, member_codes: AttributeCodes, moment: float
) -> FitData:
    """Return what the recommenders of a recipe are fitted on at a moment, in days since 1970."""
    known, calendar = grown.known, grown.known.calendar
    return FitData(
        history,
        grown.covers,
        known.member_attributes(member_codes).one_hot(),
        known.product_attributes(recipe.product_codes).one_hot(),
        known.product_categories,
        None if calendar is None else calendar.season(moment, SEASON_DAYS, history.product_count),
    )


def refit(
    recipe: Recipe, before: AnyScorer | Ranker, data: FitData, known: Known, task: Task
) -> AnyScorer | Ranker:
    """Fit the first stage on histories, and put it together as it was.

    A mixture keeps its weights, its scales are measured again; a ranker keeps its trees and its calibration, what it knows
    of offers is counted again.

    Args:
        recipe: What to fit.
        before: The scorer that is fitted again.
        data: Histories up to the new moment.
        known: What is known beside them.
        task: What is asked.

    Raises:
        TrainingError: The recipe is not of this scorer, or the data is too large for a part of it.
    """
    settings = [part.settings() for part in recipe.parts]
    scorers = [one.fit(data, seed=recipe.seed, threads=THREADS) for one in settings]
    if recipe.kind is Kind.SINGLE:
        return scorers[0]
    if recipe.kind is Kind.MIXTURE:
        weights = np.array([part.weight for part in recipe.parts])
        return mix(scorers, weights, spreads(scorers, data, task, seed=recipe.seed))
    if not isinstance(before, Ranker) or before.names != tuple(part.name for part in recipe.parts):
        raise TrainingError("The recipe of the model is of another model: train once.")
    components = [
        Component(part.name, one, part.quota) for part, one in zip(recipe.parts, settings, strict=True)
    ]
    return make_ranker(
        components,
        scorers,
        before.trees,
        before.calibration,
        data,
        known.categories,
        known.members,
        cold=before.cold,
    )
