"""Small models of every kind, for the tests of bundles."""

from collections.abc import Sequence

import numpy as np

from training.bundle import AttributeCodes, Ids, OfferModel, Task
from training.bundle.features import feature_names, offer_table
from training.bundle.history import History, empty_profile, one_trip
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import (
    AnyScorer,
    Covers,
    Factors,
    FoldIn,
    Frequency,
    Linear,
    Mixture,
    Personal,
    Popular,
    Projection,
)
from training.bundle.trees import compile_trees

MEMBERS = ("a", "b", "ü-member")
PRODUCTS = ("p1", "p2", "p3", "p4", "ß-product")
OFFERS = ("o1", "o2", "ö3", "ö4")
COVERS = Covers(
    4,
    np.array([0, 1, 3, 3, 4, 5]),
    np.array([0, 0, 1, 2, 3], dtype=np.int32),
    np.array([0, 0, 1, 1, -1], dtype=np.int32),
)
"""p1 belongs to o1, p2 to o1 and o2, p3 to none, p4 to ö3, ß-product to ö4; p1 and p2 are a line, p3 and p4 another."""
_RANDOM = np.random.default_rng(7)


def small_history() -> History:
    """Three members; the second one bought nothing."""
    rows = [one_trip(3.0), one_trip(10.0) + one_trip(20.0), one_trip(70.0)]
    rows[1][1:3] = 10.0, 20.0
    stats = [rows[1], np.zeros_like(rows[0]), rows[2]]
    return History(
        np.array([0, 2, 2, 3]),
        np.array([0, 3, 1], dtype=np.int32),
        np.array(rows, dtype=np.float32),
        np.array(stats, dtype=np.float32),
        len(PRODUCTS),
    )


def _floats(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return _RANDOM.normal(size=shape).astype(np.float32)


POPULAR_SCORES = np.array([4, 3, 2, 1], dtype=np.float32)
_FREQUENCY = Frequency("decayed_28", COVERS, (POPULAR_SCORES / 8).astype(np.float32))
_PRODUCT_FACTORS = _floats(5, 3)
SCORERS: dict[str, AnyScorer] = {
    "popular": Popular(POPULAR_SCORES),
    "personal": Personal(
        np.array([0, 2, 2, 3]), np.array([0, 3, 1], dtype=np.int32), np.array([1.5, 2.5, 7], np.float32), 4
    ),
    "frequency": _FREQUENCY,
    "linear dense": Linear("log", 4, dense=_floats(5, 4)),
    "linear sparse": Linear(
        "binary",
        4,
        indptr=np.array([0, 2, 3, 3, 4, 4]),
        indices=np.array([1, 3, 0, 2], dtype=np.int32),
        data=_floats(4),
    ),
    "factors stored": Factors(_floats(4, 3), _floats(4), member_factors=_floats(3, 3)),
    "factors folded in": Factors(
        _floats(4, 3),
        _floats(4),
        fold_in=FoldIn("count", 10.0, 0.5, _PRODUCT_FACTORS, _PRODUCT_FACTORS.T @ _PRODUCT_FACTORS),
    ),
    "projection": Projection("log_decayed_84", _PRODUCT_FACTORS, _floats(4, 3)),
}
SCORERS["mixture"] = Mixture((_FREQUENCY, SCORERS["linear dense"]), (0.25, 2.0))


def ranker() -> Ranker:
    """Return a second stage of three hand-made trees over two components."""
    names = ("recent", "item_item")
    columns = feature_names(names, ("age",))
    trips, age, score, line, most = (
        columns.index(name)
        for name in (
            "trips",
            "attribute_age",
            "score_item_item",
            "line_decayed_84",
            "recent_value_of_most",
        )
    )
    trees = [
        split(trips, 0.5, split(score, 0.0, leaf(-0.5), leaf(0.25)), leaf(1.0)),
        split(age, 30.0, leaf(0.0), split(score, 0.5, leaf(0.125), leaf(0.75))),
        split(line, 0.5, leaf(0.0), split(most, 0.5, leaf(0.0625), leaf(0.375))),
    ]
    return Ranker(
        names=names,
        components=(_FREQUENCY, SCORERS["linear dense"]),
        quotas=(1, 1),
        trees=compile_trees(trees),
        calibration=Calibration(np.array([-1.0, 2.0, 0.1, 0.2, 0.3])),
        covers=COVERS,
        table=offer_table(small_history(), COVERS, np.array([0, 0, 1, -1], dtype=np.int32)),
        attributes=np.array([[25.0], [-1.0], [50.0]], dtype=np.float32),
    )


def split(feature: int, threshold: float, left: object, right: object) -> dict[str, object]:
    """Return a node as LightGBM dumps it."""
    return {
        "split_feature": feature,
        "threshold": threshold,
        "decision_type": "<=",
        "left_child": left,
        "right_child": right,
    }


def leaf(value: float) -> dict[str, object]:
    """Return a leaf as LightGBM dumps it."""
    return {"leaf_value": value}


def small_model(scorer: AnyScorer | Ranker, task: Task = Task.REPLENISH) -> OfferModel:
    """Return a model of three members, five products and four offers with this scorer."""
    return OfferModel(
        task=task,
        member_ids=Ids.of(MEMBERS),
        product_ids=Ids.of(PRODUCTS),
        offer_ids=Ids.of(OFFERS),
        history=small_history(),
        covers=COVERS,
        popular_scores=POPULAR_SCORES,
        scorer=scorer,
        attributes=AttributeCodes(("age",), ((),)),
    )


def bare_model(members: Sequence[str], offers: Sequence[str]) -> OfferModel:
    """Return a model that knows these ids and nothing else."""
    empty, popular = empty_profile(), np.ones(len(offers), dtype=np.float32)
    history = History(
        np.zeros(len(members) + 1, dtype=np.int64),
        empty.products,
        empty.columns,
        np.zeros((len(members), len(empty.stats)), dtype=np.float32),
        len(offers),
    )
    ids = Ids.of(offers)
    return OfferModel(
        task=Task.REPLENISH,
        member_ids=Ids.of(members),
        product_ids=ids,
        offer_ids=ids,
        history=history,
        covers=Covers(len(offers)),
        popular_scores=popular,
        scorer=Popular(popular),
    )
