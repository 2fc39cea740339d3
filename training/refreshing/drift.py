"""How the champion of before ranks purchases that it has not seen."""

from dataclasses import replace

import numpy as np
import polars as pl

from training.bundle import OfferModel
from training.bundle.task import Task
from training.data.fit_data import FitData
from training.evaluation import Fold
from training.evaluation.folds import buyers_of, truth_matrix
from training.offers.champion import evaluate_elsewhere
from training.offers.problem import MOST_VALIDATION_CASES
from training.refreshing.result import Drift


def measure_drift(
    champion: OfferModel,
    here: OfferModel,
    before: FitData,
    rows: pl.DataFrame,
    *,
    known_until: float,
    moment: float,
    metric: str,
    judged: float | None,
    seed: int,
) -> Drift | None:
    """Rank for every member of the new purchases by what was known before them.

    Args:
        champion: As it serves.
        here: A model of the new positions.
        before: Histories up to ``known_until``, in the new positions.
        rows: ``member`` and ``product`` of the new purchases, in the new positions.
        known_until: The moment that the champion reaches to, in days since 1970.
        moment: The last new purchase.
        metric: The metric that decides.
        judged: What it reached when it was judged.
        seed: Of a sample of the cases, when there are many.

    Returns:
        How it did; ``None`` where purchases are not what is asked for, or there are fewer than two cases.
    """
    if here.task is Task.REDEEM:
        return None
    product = rows["product"].to_numpy()
    positions, offers = before.covers.expand(product)
    truths = pl.DataFrame({"member": rows["member"].to_numpy()[positions], "offer": offers.astype(np.int32)})
    open_offers = buyers_of(before) >= 1
    members, matrix = truth_matrix(truths, before.covers.offer_count, open_offers)
    if not len(members):
        return None
    fold = Fold("new purchases", before, known_until, moment, members, matrix, open_offers)
    seen = replace(here, history=before.history)
    k = int(metric.split("@")[1])
    found = evaluate_elsewhere(champion, [seen], [fold], [k], most_cases=MOST_VALIDATION_CASES, seed=seed)
    if found is None or metric not in found.metrics:
        return None
    return Drift(metric, found.metrics[metric], len(found.members), moment - known_until, judged)
