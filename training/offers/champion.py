"""How the champion of today does on the cases of a new job, so that the gate can compare the two."""

import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.bundle import BundleError, OfferModel, open_bundle
from training.bundle.history import Profile
from training.bundle.model import Ids
from training.data.histories import DAY
from training.errors import DatasetError, RegistryError
from training.evaluation import Fold, ModelEvaluation, evaluate
from training.offers.job_data import MAX_TEST_CASES, JobData
from training.tracking import ModelRegistry, RegisteredVersion
from training.tracking.registry import CHAMPION_ALIAS

Places = npt.NDArray[np.int64]


def evaluate_champion(
    store: Path, programme: str, job_data: JobData, folds: Sequence[Fold]
) -> tuple[str, ModelEvaluation] | None:
    """Measure the champion's bundle as it would serve: its own fit, with every purchase up to the fold's moment.

    A champion that was refreshed with purchases of the folds' windows has seen the truths; it is measured by the latest
    version before it that had not.

    Args:
        store: Folder of the MLflow store.
        programme: The loyalty programme.
        job_data: What the job works on.
        folds: What it is measured on.

    Returns:
        The champion's version and how it did; ``None`` when there is no champion or it ranks other offers.
    """
    registry = ModelRegistry(store, programme, str(job_data.split.task))
    if not registry.exists() or CHAMPION_ALIAS not in registry.aliases():
        return None
    version = registry.version_of(CHAMPION_ALIAS)
    judged = _before_truths(registry, version, min(fold.cutoff for fold in folds))
    with tempfile.TemporaryDirectory(prefix="troth-") as folder:
        try:
            champion = open_bundle(registry.bundle(judged, Path(folder))).model
        except BundleError:
            return None
        here = [job_data.model(fold.data, champion.scorer) for fold in folds]
        evaluation = evaluate_elsewhere(
            champion, here, folds, job_data.ks, most_cases=MAX_TEST_CASES, seed=job_data.seed
        )
    return None if evaluation is None else (version.version, evaluation)


def _before_truths(registry: ModelRegistry, version: RegisteredVersion, cutoff: float) -> RegisteredVersion:
    """Return the latest version on the way back from a refreshed one that knew nothing after a moment."""
    before = version
    while before.refreshed_from and datetime.fromisoformat(before.feature_time).timestamp() / DAY > cutoff:
        try:
            before = registry.version(before.refreshed_from)
        except RegistryError:
            # It was deleted: what serves is all there is to measure.
            return version
    return before


def evaluate_elsewhere(
    champion: OfferModel,
    here: Sequence[OfferModel],
    folds: Sequence[Fold],
    ks: Sequence[int],
    *,
    most_cases: int,
    seed: int,
) -> ModelEvaluation | None:
    """Measure a model on folds whose members, products and offers stand at other positions than its own.

    Args:
        champion: The model.
        here: The histories, ids and candidates of each fold; their scorers are not asked.
        folds: Where the cases are.
        ks: Lengths of lists, ascending.
        most_cases: Take a random sample of the members' cases when there are more.
        seed: Of that sample.

    Returns:
        How it did; ``None`` when it ranks other offers or there are fewer than two cases.
    """
    products = _places(here[0].product_ids.texts(), champion.product_ids)
    offers = _places(here[0].offer_ids.texts(), champion.offer_ids)
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

    try:
        return evaluate(here, folds, ks, most_cases=most_cases, seed=seed, score=score)
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
