"""A programme of a stated size for benchmarks and load tests: catalogue, model, experiment, configuration."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from server.catalogue import Catalogue, Offer, Placement, dump_catalogue
from training.bundle import OfferModel, PersonalScores, write_bundle

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


def write_scene(folder: Path, *, member_count: int = 2500, offer_count: int = 1000, seed: int = 1) -> Path:
    """Write everything a server needs into an empty folder and return the path of its configuration.

    Args:
        folder: Where.
        member_count: Members the model knows: ``m0``, ``m1``, …
        offer_count: Offers, all valid: ``o0``, ``o1``, …
        seed: Of the scores.
    """
    random = np.random.default_rng(seed)
    members = tuple(sorted(f"m{index}" for index in range(member_count)))
    offers = tuple(f"o{index}" for index in range(offer_count))
    scored = min(100, offer_count)
    indices = np.concatenate(
        [np.sort(random.choice(offer_count, scored, replace=False)) for _ in members]
    ).astype(np.int32)
    model = OfferModel(
        member_ids=members,
        offer_ids=offers,
        popular_scores=random.random(offer_count, dtype=np.float32),
        personal=PersonalScores(
            np.arange(member_count + 1, dtype=np.int64) * scored,
            indices,
            random.random(member_count * scored, dtype=np.float32),
        ),
    )
    version = folder / "models" / "default" / "offers" / "versions" / "1"
    version.parent.mkdir(parents=True)
    write_bundle(
        version,
        model,
        programme="default",
        model_name="scene",
        model_version=f"scene@{seed}",
        data_fingerprint="scene",
        feature_time=datetime(2017, 12, 4, 5, tzinfo=UTC),
    )
    (version.parents[1] / "champion").symlink_to(version)
    catalogue = Catalogue(
        placements=(Placement(placement_id="checkout"),),
        offers=tuple(Offer(offer_id=offer, title=f"Offer {offer}") for offer in offers),
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
