"""What the experiment will measure, measured on the validation window."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.bundle import OfferModel
from training.errors import DatasetError
from training.evaluation.estimates import Estimate, mean_estimate, ratio_estimate
from training.evaluation.window import ValidationWindow

OFFERS_SHOWN = 3
NDCG_AT = 10
METRICS = {
    "hits_per_trip": "Offers hit per trip",
    "usd_per_trip": "USD per trip on shown offers",
    "ndcg_at_10": "NDCG@10 of valid offers",
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How one model did on a window.

    Attributes:
        metrics: Estimate by name (the keys of ``METRICS``).
        hits: float64[members], shown offers with a covered product bought on the trip, summed over trips.
        usd: float64[members], USD of rows covered by a shown offer (a dollar counted once), summed over trips.
        ndcg: float64[members], NaN for members without a relevant offer.
        cold_trip_share: Share of trips of members the model does not know.
    """

    metrics: Mapping[str, Estimate]
    hits: npt.NDArray[np.float64]
    usd: npt.NDArray[np.float64]
    ndcg: npt.NDArray[np.float64]
    cold_trip_share: float


def evaluate(model: OfferModel, window: ValidationWindow) -> Evaluation:
    """Try a model on every trip of a window.

    On each trip the offers valid on its local day are ranked by the member's scores, ties by popularity and then by the
    lower offer index, as the server does; an offer without a personal score competes with 0; the top 3 are shown.
    Members the model does not know get popular offers. A shown offer is a hit when one of its products is bought on
    that trip.

    Raises:
        DatasetError: The model's offers are not the window's, or nobody bought on a valid offer.
    """
    if model.offer_ids != window.offer_ids:
        raise DatasetError("The model and the validation window do not have the same offers.")
    positions = {member_id: index for index, member_id in enumerate(model.member_ids)}
    known = [positions.get(member_id) for member_id in window.member_ids]
    scores = np.stack([model.popular_scores if index is None else model.scores(index) for index in known])
    # Popular offers first: whoever takes the first of equals then takes the most popular of them.
    order = np.argsort(-model.popular_scores, kind="stable")
    shown = _top(scores, window, order, OFFERS_SHOWN)
    row_hits = window.covered[window.row_product[:, None], shown[window.row_trip]] & (
        shown[window.row_trip] >= 0
    )
    trip_hits = np.zeros(len(window.trip_member))
    for place in range(row_hits.shape[1]):
        trip_hits += np.bincount(window.row_trip, weights=row_hits[:, place], minlength=len(trip_hits)) > 0
    row_usd = window.row_value * row_hits.any(axis=1)
    trip_usd = np.bincount(window.row_trip, weights=row_usd, minlength=len(trip_hits)).astype(np.float64)
    hits, usd, trips = window.member_sums(trip_hits), window.member_sums(trip_usd), window.member_trips
    ndcg = _ndcg(scores, window, order)
    cold = np.array([index is None for index in known])
    return Evaluation(
        metrics={
            "hits_per_trip": ratio_estimate(hits, trips),
            "usd_per_trip": ratio_estimate(usd, trips),
            "ndcg_at_10": mean_estimate(ndcg[~np.isnan(ndcg)]),
        },
        hits=hits,
        usd=usd,
        ndcg=ndcg,
        cold_trip_share=float(trips[cold].sum() / trips.sum()),
    )


def difference(evaluation: Evaluation, baseline: Evaluation, window: ValidationWindow) -> dict[str, Estimate]:
    """Return the paired differences to a baseline on the same trips, by metric name.

    The difference is taken within each member first, so what makes members differ cancels.
    """
    trips = window.member_trips
    ndcg = evaluation.ndcg - baseline.ndcg
    return {
        "hits_per_trip": ratio_estimate(evaluation.hits - baseline.hits, trips),
        "usd_per_trip": ratio_estimate(evaluation.usd - baseline.usd, trips),
        "ndcg_at_10": mean_estimate(ndcg[~np.isnan(ndcg)]),
    }


def _top(
    scores: npt.NDArray[np.float32], window: ValidationWindow, order: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    """Return int64[trips, count], the best valid offers of each trip, -1 where there are not enough."""
    valid, ordered = window.valid[:, order], scores[:, order]
    ranked = np.where(valid[window.trip_day], ordered[window.trip_member], np.float32(-np.inf))
    trips = np.arange(len(ranked))
    shown = np.full((len(ranked), count), -1, dtype=np.int64)
    for place in range(count):
        # argmax returns the first of equals, which is the rule for ties.
        best = ranked.argmax(axis=1)
        found = ranked[trips, best] > -np.inf
        shown[found, place] = order[best[found]]
        ranked[trips, best] = -np.inf
    return shown


def _ndcg(
    scores: npt.NDArray[np.float32], window: ValidationWindow, order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return binary NDCG@10 of each member over the offers valid on any day of the window (Järvelin, Kekäläinen 2002)."""
    ever_valid: npt.NDArray[np.bool_] = np.any(window.valid, axis=0)
    candidates = order[ever_valid[order]]
    relevant = window.relevant[:, candidates]
    best = np.argsort(-scores[:, candidates], axis=1, kind="stable")[:, :NDCG_AT]
    gains = 1.0 / np.log2(np.arange(2, best.shape[1] + 2))
    found = (np.take_along_axis(relevant, best, axis=1) * gains).sum(axis=1)
    ideal = np.concatenate([[0.0], np.cumsum(gains)])[np.minimum(relevant.sum(axis=1), best.shape[1])]
    if not (ideal > 0).any():
        raise DatasetError("Nobody bought a product of a valid offer in the validation window.")
    ndcg: npt.NDArray[np.float64] = np.divide(found, ideal, out=np.full(len(ideal), np.nan), where=ideal > 0)
    return ndcg
