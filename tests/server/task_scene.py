"""A programme with a placement for each of several tasks, each with a model of its own that can be worked out by hand."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from server.catalogue import Catalogue, Offer, Placement, dump_catalogue
from tests.server import scene
from tests.server.running import Running, running
from training.bundle import AttributeCodes, OfferModel, Task
from training.bundle.features import feature_names, offer_table
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import Covers, Frequency, Linear
from training.bundle.trees import compile_trees

PRODUCTS = ("bread", "butter", "eggs", "jam", "milk", "salt")
POPULAR = (6.0, 5.0, 4.0, 3.0, 2.0, 1.0)
BOUGHT = {
    "anna": {"bread": 3, "milk": 1},
    "bert": {"salt": 2},
    "nemo": {},
    "omnia": dict.fromkeys(PRODUCTS, 1),
}
"""How often each member bought what, every 10 days, the last time 3 days before the feature time."""
NOW = scene.FEATURE_TIME + timedelta(days=2)
REPLENISH, DISCOVER, WIN_BACK = "counts@1", "goes-with@1", "lapsed@1"
"""Versions of the models."""
GOES_WITH = {("bread", "butter"): 0.5, ("bread", "jam"): 0.25, ("salt", "eggs"): 0.75, ("eggs", "salt"): 0.5}
"""What the model of ``discover`` adds to an offer for a product; everything else adds nothing."""

CATALOGUE = Catalogue(
    placements=(
        Placement(placement_id="checkout"),
        Placement(placement_id="ideas", task=Task.DISCOVER),
        Placement(placement_id="best-ideas", task=Task.DISCOVER, ranking="popular"),
        Placement(placement_id="back", task=Task.WIN_BACK),
        Placement(placement_id="coupons", task=Task.REDEEM),
    ),
    offers=(
        Offer(offer_id="novel", title="No model knows it", placements=("checkout",)),
        *(Offer(offer_id=product) for product in PRODUCTS),
    ),
)

CONFIG = """\
[server]
port = 0
metrics_port = 0
drain_wait = 0.0
watch_interval = 0.05
[store]
path = "troth.db"
[programmes.default]
catalogue = "catalogue.yaml"
models = "models"
"""


def counting(task: Task = Task.REPLENISH) -> OfferModel:
    """Return the model that counts trips."""
    return scene.counting_model(task, PRODUCTS, BOUGHT, POPULAR)


def associating() -> OfferModel:
    """Return the model of ``discover``: what goes with what was bought."""
    counted = counting(Task.DISCOVER)
    dense = np.zeros((len(PRODUCTS), len(PRODUCTS)), dtype=np.float32)
    for (product, offer), value in GOES_WITH.items():
        dense[PRODUCTS.index(product), PRODUCTS.index(offer)] = value
    return _with_scorer(counted, Linear("binary", len(PRODUCTS), dense=dense))


def tiered(task: Task = Task.REPLENISH) -> OfferModel:
    """Return a second stage that puts what many bought first for tier ``gold``, and last for every other tier."""
    counted = counting(task)
    covers = Covers(len(PRODUCTS))
    frequency = Frequency("count", covers, np.zeros(len(PRODUCTS), dtype=np.float32))
    names = feature_names(("count",), ("tier",))
    buyers, tier = names.index("offer_trips_per_buyer"), names.index("attribute_tier")

    def by_buyers(few: float, many: float) -> dict[str, object]:
        return {
            "split_feature": buyers,
            "threshold": 1.4,
            "left_child": {"leaf_value": few},
            "right_child": {"leaf_value": many},
        }

    root = {
        "split_feature": tier,
        "threshold": 0.5,
        "left_child": by_buyers(0.8, 0.2),
        "right_child": by_buyers(0.1, 0.9),
    }
    ranker = Ranker(
        names=("count",),
        components=(frequency,),
        quotas=(len(PRODUCTS),),
        trees=compile_trees([root]),
        calibration=Calibration(np.array([0.0, 1.0, 0.0, 0.0, 0.0])),
        covers=covers,
        table=offer_table(counted.history, covers, np.full(len(PRODUCTS), -1, dtype=np.int32)),
        attributes=np.full((len(BOUGHT), 1), -1, dtype=np.float32),
    )
    return _with_scorer(counted, ranker, AttributeCodes(("tier",), (("plain", "gold"),)))


def _with_scorer(
    model: OfferModel, scorer: Linear | Ranker, attributes: AttributeCodes | None = None
) -> OfferModel:
    return OfferModel(
        task=model.task,
        member_ids=model.member_ids,
        product_ids=model.product_ids,
        offer_ids=model.offer_ids,
        history=model.history,
        covers=model.covers,
        popular_scores=model.popular_scores,
        scorer=scorer,
        attributes=attributes or AttributeCodes(),
    )


def serve(folder: Path, model: OfferModel, version: str) -> None:
    """Write a model as the newest version of its task and make it champion."""
    scene.promote(folder, scene.write_version(folder, version, version, fitted=model), model.task)


def write_tasks(folder: Path) -> Path:
    """Write catalogue and models into an empty folder and return the path of the configuration."""
    (folder / "models").mkdir(parents=True)
    (folder / "catalogue.yaml").write_text(dump_catalogue(CATALOGUE), encoding="utf-8")
    serve(folder, counting(), REPLENISH)
    serve(folder, associating(), DISCOVER)
    serve(folder, counting(Task.WIN_BACK), WIN_BACK)
    config = folder / "troth.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def serving(
    folder: Path, clock: Callable[[], datetime] = lambda: NOW, **settings: object
) -> AbstractContextManager[Running]:
    """Run a server on what ``write_tasks`` wrote, two days after the feature time unless another clock is given."""
    return running(folder / "troth.toml", clock, **settings)


def ids(decision: object) -> list[str]:
    """Return the chosen offers, best first."""
    return [offer.offer_id for offer in decision.offers]  # type: ignore[attr-defined]
