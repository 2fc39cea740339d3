"""Every member's best offers as a table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from training.bundle import OfferModel
from training.errors import TrainingError
from training.evaluation.ranking import best_positions

_REPORTED = 1_000


def recommend_all(
    model: OfferModel, k: int, *, progress: Callable[[str, int, int], None] | None = None
) -> pl.DataFrame:
    """Return ``member``, ``offer``, ``rank`` (from 1) and ``score`` of the best ``k`` offers that the task is about.

    Args:
        model: The model; every member it knows gets a list.
        k: Length of the lists.
        progress: Called with a line of text, members done and all members.
    """
    count, most = len(model.member_ids), min(k, len(model.offer_ids))
    lengths = np.zeros(count, np.int64)
    offers, scores = np.zeros((count, most), np.int32), np.zeros((count, most), np.float32)
    for member in range(count):
        profile = model.profile(member)
        candidates = np.flatnonzero(model.applicable(profile))
        values = model.scores(profile, member, candidates)
        best = best_positions(values, model.popular_scores[candidates], k)
        lengths[member] = len(best)
        offers[member, : len(best)] = candidates[best]
        scores[member, : len(best)] = values[best]
        if progress is not None and member % _REPORTED == _REPORTED - 1:
            progress("recommending", member + 1, count)
    taken = np.arange(most) < lengths[:, None]
    member_ids, offer_ids = pl.Series(model.member_ids.texts()), pl.Series(model.offer_ids.texts())
    return pl.DataFrame(
        {
            "member": member_ids.gather(np.repeat(np.arange(count), lengths)) if count else [],
            "offer": offer_ids.gather(offers[taken]) if count else [],
            "rank": np.broadcast_to(np.arange(1, most + 1, dtype=np.int32), taken.shape)[taken],
            "score": scores[taken],
        }
    )


def write_recommendations(
    model: OfferModel, k: int, path: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> None:
    """Write every member's best offers as Parquet.

    Raises:
        TrainingError: The file cannot be written.
    """
    table = recommend_all(model, k, progress=progress)
    try:
        table.write_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TrainingError(f"{path} cannot be written: {error}.", path=str(path)) from error
