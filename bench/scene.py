"""A programme of a stated size for benchmarks and load tests: catalogue, model, experiment, configuration."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.scene_catalogue import decisioning_catalogue
from server.catalogue import Catalogue, Offer, Placement, dump_catalogue
from training.bundle import AttributeCodes, Ids, OfferModel, Task, write_bundle
from training.bundle.features import candidate_features, offer_table
from training.bundle.history import HALF_LIVES, History
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import AnyScorer, Covers, Factors, FoldIn, Frequency, Linear, Popular
from training.bundle.trees import compile_trees

Array = npt.NDArray[np.float32]

EXPERIMENT = """\
experiment_id: offer-ranking
revision: 1
hypothesis: Personal ranking is bought more than popular offers.
owner: bench
unit: member
state: running
placements: [checkout]
control: popular
variants:
  - {variant_id: popular, weight: 1, description: Popular offers, parameters: {ranking: popular}}
  - {variant_id: personal, weight: 1, description: Personal offers, parameters: {ranking: champion}}
metrics:
  - metric_id: offers-hit
    name: Offers hit per trip
    role: success
    kind: ratio
    numerator: {event: outcomes, outcome_type: purchase, aggregate: count}
    denominator: {event: exposures, aggregate: count}
"""


BOUGHT = 100
"""Products that each member bought."""


def history(member_count: int, offer_count: int, random: np.random.Generator) -> History:
    """Return a history in which every member bought some products on 1 to 10 trips within a year."""
    bought = min(BOUGHT, offer_count)
    indices = np.concatenate(
        [np.sort(random.choice(offer_count, bought, replace=False)) for _ in range(member_count)]
    )
    columns = _columns(random, len(indices), 10)
    return History(
        np.arange(member_count + 1, dtype=np.int64) * bought,
        indices.astype(np.int32),
        columns,
        _columns(random, member_count, 100),
        offer_count,
    )


def _columns(random: np.random.Generator, rows: int, most_trips: int) -> Array:
    trips = random.integers(1, most_trips + 1, rows)
    first = random.uniform(1, 365, rows)
    last = np.where(trips > 1, first * random.random(rows), first)
    decayed = [trips * 0.5 ** ((first + last) / 2 / half_life) for half_life in HALF_LIVES]
    value = trips * random.uniform(1, 5, rows)
    return np.stack([trips, last, first, value, trips * 0.3, *decayed], axis=1).astype(np.float32)


def counting_model(member_count: int, offer_count: int, seed: int) -> OfferModel:
    """Return a model that counts purchases, the recent ones most."""
    random = np.random.default_rng(seed)
    covers = Covers(offer_count)
    popular = random.random(offer_count, dtype=np.float32)
    return _model(
        member_count,
        history(member_count, offer_count, random),
        popular,
        Frequency("decayed_84", covers, popular),
    )


def ranking_model(
    member_count: int, offer_count: int, seed: int, *, trees: int = 300, leaves: int = 31
) -> OfferModel:
    """Return a second stage of the usual size, LightGBM's trees over five components, fitted to noise.

    Args:
        member_count: Members it knows.
        offer_count: Offers.
        seed: Of everything.
        trees: Number of trees.
        leaves: Leaves of each, at most 32.
    """
    import lightgbm

    random = np.random.default_rng(seed)
    bought, covers, width = history(member_count, offer_count, random), Covers(offer_count), 32
    popular = random.random(offer_count, dtype=np.float32)
    factors = random.normal(size=(offer_count, width)).astype(np.float32)
    fold_in = FoldIn("log", 10.0, 1.0, factors, factors.T @ factors)
    dense = (random.normal(size=(offer_count, offer_count)) / 100).astype(np.float32)
    components: dict[str, AnyScorer] = {
        "recent": Frequency("decayed_28", covers, popular),
        "often": Frequency("log", covers, popular),
        "item_item": Linear("log_decayed_84", offer_count, dense=dense),
        "factors": Factors(factors, popular, fold_in=fold_in),
        "popular": Popular(popular),
    }
    table = offer_table(bought, covers, random.integers(0, 20, offer_count).astype(np.int32))
    attributes = random.integers(0, 6, (member_count, 3)).astype(np.float32)
    rows = []
    for member in range(min(100, member_count)):
        profile = bought.profile(member)
        first = [component.scores(profile, member) for component in components.values()]
        some = np.sort(random.choice(offer_count, min(200, offer_count), replace=False))
        rows.append(candidate_features(profile, some, covers, table, attributes[member], first))
    table_of_rows = np.concatenate(rows)
    booster = lightgbm.train(
        {"objective": "regression", "num_leaves": leaves, "use_missing": False, "verbose": -1, "seed": seed},
        lightgbm.Dataset(table_of_rows, random.random(len(table_of_rows))),
        num_boost_round=trees,
    )
    dump = [one["tree_structure"] for one in booster.dump_model()["tree_info"]]
    ranker = Ranker(
        names=tuple(components),
        components=tuple(components.values()),
        quotas=(100,) * len(components),
        trees=compile_trees(dump),
        calibration=Calibration(np.array([-3.0, 1.0, 0.1, 0.1, 0.1])),
        covers=covers,
        table=table,
        attributes=attributes,
    )
    codes = AttributeCodes(("age", "income", "household"), ((), (), ()))
    return _model(member_count, bought, popular, ranker, codes)


def _model(
    member_count: int,
    bought: History,
    popular: Array,
    scorer: Frequency | Ranker,
    attributes: AttributeCodes | None = None,
) -> OfferModel:
    offers = Ids.of(sorted(f"o{index}" for index in range(len(popular))))
    return OfferModel(
        task=Task.REPLENISH,
        member_ids=Ids.of(sorted(f"m{index}" for index in range(member_count))),
        product_ids=offers,
        offer_ids=offers,
        history=bought,
        covers=Covers(len(popular)),
        popular_scores=popular,
        scorer=scorer,
        attributes=attributes or AttributeCodes(),
    )


def write_scene(
    folder: Path,
    *,
    member_count: int = 2500,
    offer_count: int = 1000,
    seed: int = 1,
    second_stage: bool = False,
    decisioning: bool = False,
) -> Path:
    """Write everything a server needs into an empty folder and return the path of its configuration.

    Args:
        folder: Where.
        member_count: Members the model knows: ``m0``, ``m1``, …
        offer_count: Offers, all valid: ``o0``, ``o1``, …
        seed: Of the scores.
        second_stage: Whether trees rank; otherwise purchases are counted.
        decisioning: Whether the catalogue has rules, limits, budgets, arbitration and exploration.
    """
    make = ranking_model if second_stage else counting_model
    version = folder / "models" / "default" / "offers" / "replenish" / "versions" / "1"
    version.parent.mkdir(parents=True)
    write_bundle(
        version,
        make(member_count, offer_count, seed),
        programme="default",
        model_name="scene",
        model_version=f"scene@{seed}",
        data_fingerprint="scene",
        feature_time=datetime(2017, 12, 4, 5, tzinfo=UTC),
    )
    (version.parents[1] / "champion").symlink_to(version)
    catalogue = (
        decisioning_catalogue(offer_count, seed)
        if decisioning
        else Catalogue(
            placements=(Placement(placement_id="checkout"),),
            offers=tuple(Offer(offer_id=f"o{n}", title=f"Offer o{n}") for n in range(offer_count)),
        )
    )
    (folder / "catalogue.yaml").write_text(dump_catalogue(catalogue), encoding="utf-8")
    (folder / "experiments.yaml").write_text(EXPERIMENT, encoding="utf-8")
    config = folder / "troth.toml"
    config.write_text(
        '[server]\nport = 0\nmetrics_port = 0\ndrain_wait = 0.0\n[store]\npath = "troth.db"\n'
        '[programmes.default]\ncatalogue = "catalogue.yaml"\nexperiments = "experiments.yaml"\nmodels = "models"\n',
        encoding="utf-8",
    )
    return config
