"""How the champion of today does on the cases of a new job, so that the gate can compare the two."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.bundle import BundleError, OfferModel, open_bundle
from training.bundle.history import Profile
from training.bundle.ids import Ids
from training.errors import DatasetError
from training.evaluation import Evaluation, Fold, evaluate
from training.problem import MOST_TEST_CASES, Problem
from training.tracking import ModelRegistry
from training.tracking.registry import CHAMPION_ALIAS

Places = npt.NDArray[np.int64]


def evaluate_champion(
    store: Path, programme: str, problem: Problem, folds: Sequence[Fold]
) -> tuple[str, Evaluation] | None:
    """Measure the champion's bundle as it would serve: its own fit, with every purchase up to the fold's moment.

    Returns:
        The champion's version and how it did; ``None`` when there is no champion or it ranks other offers.
    """
    registry = ModelRegistry(store, programme, str(problem.split.task))
    if not registry.exists() or CHAMPION_ALIAS not in registry.aliases():
        return None
    version = registry.version_of(CHAMPION_ALIAS)
    with tempfile.TemporaryDirectory(prefix="troth-") as folder:
        try:
            champion = open_bundle(registry.bundle(version, Path(folder))).model
        except BundleError:
            return None
        evaluation = _evaluate(champion, problem, folds)
    return None if evaluation is None else (version.version, evaluation)


def _evaluate(champion: OfferModel, problem: Problem, folds: Sequence[Fold]) -> Evaluation | None:
    products = _places(problem.purchases.product_ids, champion.product_ids)
    offers = _places(problem.purchases.offer_ids, champion.offer_ids)
    if not (offers >= 0).any():
        return None

    def score(model: OfferModel, member: int, candidates: Places) -> npt.NDArray[np.float32]:
        profile = _translated(model.profile(member), products)
        position = champion.member_ids.index(model.member_ids[member])
        known = offers[candidates] >= 0
        # What the champion does not know scores lowest, as in the server.
        scores = np.zeros(len(candidates), np.float32)
        scores[known] = champion.scores(profile, position, offers[candidates[known]])
        return scores

    here = [problem.model(fold.data, champion.scorer) for fold in folds]
    try:
        return evaluate(here, folds, problem.ks, most_cases=MOST_TEST_CASES, seed=problem.seed, score=score)
    except DatasetError:
        return None


def _translated(profile: Profile, products: Places) -> Profile:
    """Return a history in the champion's positions; products it does not know are left out."""
    place = products[profile.products]
    kept = np.flatnonzero(place >= 0)
    order = kept[np.argsort(place[kept], kind="stable")]
    return Profile(place[order].astype(np.int32), profile.columns[order], profile.stats)


def _places(ids: Sequence[str], known: Ids) -> Places:
    found = [known.index(identifier) for identifier in ids]
    return np.array([-1 if place is None else place for place in found], dtype=np.int64)
