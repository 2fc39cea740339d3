"""A small programme whose every answer can be worked out by hand: catalogue, model, experiments, configuration."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import yaml

from experiments.definition import parse_experiment
from experiments.plan import Plan, compile_plan
from server.catalogue import Catalogue, Money, Offer, Placement, dump_catalogue
from training.bundle import OfferModel, PersonalScores, write_bundle

FEATURE_TIME = datetime(2017, 12, 4, 5, tzinfo=UTC)
MODEL_VERSION = "scene@1"
MEMBERS = (*(f"m{number:02}" for number in range(40)), "Zoë", "成员", "🛒-member")
"""Whom the model knows."""

_ALWAYS = [
    "apple",
    "cheese",
    "honey",
    "ice",
    "jam",
    "kale",
    "lemon",
    "mango",
    "nuts",
    "olives",
    "pears",
    "quince",
    "rice",
    "sugar",
]
OFFERS = (
    *(Offer(offer_id=name, title=f"Offer of {name}") for name in _ALWAYS),
    Offer(
        offer_id="tea", title="Tee für zwei, 茶", discount=Money(amount=Decimal("1.55"), currency_code="USD")
    ),
    Offer(offer_id="home-only", title="Only at home", placements=("home",)),
    Offer(offer_id="brand-new", title="The model has never seen it"),
    Offer(offer_id="spring-day", valid_from=date(2017, 3, 12), valid_until=date(2017, 3, 12)),
    Offer(offer_id="autumn-day", valid_from=date(2017, 11, 5), valid_until=date(2017, 11, 5)),
    Offer(offer_id="december", valid_from=date(2017, 12, 4), valid_until=date(2017, 12, 10)),
)
"""In catalogue order. On 2017-03-12 the clocks of New York went forward, on 2017-11-05 back."""

CATALOGUE = Catalogue(
    time_zone="America/New_York",
    placements=(
        Placement(placement_id="checkout"),
        Placement(placement_id="home", default_offer_count=2, max_offer_count=4, ranking="popular"),
    ),
    offers=OFFERS,
)

SECOND_CATALOGUE = Catalogue(
    programme="second",
    placements=(Placement(placement_id="checkout", default_offer_count=1),),
    offers=(Offer(offer_id="first", title="First"), Offer(offer_id="last", title="Last")),
)

EXPERIMENTS = """\
experiments:
  - experiment_id: offer-ranking
    revision: 3
    hypothesis: Personal ranking is bought more.
    owner: tests
    unit: member
    state: running
    placements: [checkout]
    control: popular
    variants:
      - {variant_id: popular, weight: 1, parameters: {ranking: popular}}
      - {variant_id: personal, weight: 1, parameters: {ranking: champion}}
    metrics: &metrics
      - metric_id: offers-hit
        name: Offers hit per trip
        role: success
        kind: ratio
        numerator: {event: outcomes, outcome_type: purchase, aggregate: count}
        denominator: {event: exposures, aggregate: count}
  - experiment_id: banner
    revision: 1
    hypothesis: A banner is seen.
    owner: tests
    unit: member
    state: running
    traffic_ppm: 500000
    placements: [checkout, home]
    control: plain
    variants:
      - {variant_id: plain, weight: 1}
      - variant_id: loud
        weight: 2
        parameters: {text: "Hallo, 世界", size: 12, share: 0.25, bold: true}
    metrics: *metrics
  - experiment_id: over
    revision: 7
    hypothesis: It is over.
    owner: tests
    unit: member
    state: stopped
    placements: [home]
    control: a
    variants:
      - {variant_id: a, weight: 1}
      - {variant_id: b, weight: 1}
    metrics: *metrics
"""

CONFIG = """\
[server]
port = 0
metrics_port = 0
drain_wait = 0.0
grace = 10.0
watch_interval = 0.05
[store]
path = "troth.db"
[programmes.default]
catalogue = "catalogue.yaml"
experiments = "experiments.yaml"
models = "models"
[programmes.second]
catalogue = "second.yaml"
"""


def model(seed: int = 1) -> OfferModel:
    """Return a model with few distinct scores, so that there are many ties.

    Its offers stand in another order than the catalogue's; it knows one that the catalogue lacks and lacks one of the
    catalogue's.
    """
    chance = random.Random(seed)
    offer_ids = tuple(
        sorted((*(offer.offer_id for offer in OFFERS if offer.offer_id != "brand-new"), "gone"), reverse=True)
    )
    member_ids = tuple(sorted(MEMBERS))
    indptr, indices, data = [0], [], []
    for _ in member_ids:
        scored = sorted(chance.sample(range(len(offer_ids)), 9))
        indices += scored
        data += [chance.choice((0.25, 0.5, 0.75)) for _ in scored]
        indptr.append(len(indices))
    return OfferModel(
        member_ids=member_ids,
        offer_ids=offer_ids,
        popular_scores=np.array([chance.choice((1, 2, 3, 4)) for _ in offer_ids], dtype=np.float32),
        personal=PersonalScores(
            np.array(indptr, dtype=np.int64),
            np.array(indices, dtype=np.int32),
            np.array(data, dtype=np.float32),
        ),
    )


def popular_scores(seed: int = 1) -> dict[str, float]:
    """Return the popular score of each offer that the model knows."""
    fitted = model(seed)
    return dict(zip(fitted.offer_ids, fitted.popular_scores.tolist(), strict=True))


def personal_scores(member_id: str, seed: int = 1) -> dict[str, float]:
    """Return the stored scores of a member, read straight from the arrays."""
    fitted = model(seed)
    assert fitted.personal is not None
    row = fitted.member_ids.index(member_id)
    start, end = fitted.personal.indptr[row], fitted.personal.indptr[row + 1]
    return {
        fitted.offer_ids[column]: float(score)
        for column, score in zip(
            fitted.personal.indices[start:end], fitted.personal.data[start:end], strict=True
        )
    }


def eligible(placement_id: str, day: date) -> list[str]:
    """Return the offers that can be shown, worked out one by one."""
    return [
        offer.offer_id
        for offer in OFFERS
        if offer.valid_from <= day <= offer.valid_until
        and (not offer.placements or placement_id in offer.placements)
    ]


def ranked(offer_ids: list[str], scores: dict[str, float], seed: int = 1) -> list[tuple[str, float]]:
    """Return offers with scores, best first: by score, then popularity, then place in the catalogue."""
    popular = popular_scores(seed)
    order = sorted(
        range(len(offer_ids)),
        key=lambda place: (
            -scores.get(offer_ids[place], 0.0),
            -popular.get(offer_ids[place], 0.0),
            place,
        ),
    )
    return [(offer_ids[place], scores.get(offer_ids[place], 0.0)) for place in order]


def plan() -> Plan:
    """Return the plan that the server should serve for programme ``default``."""
    entries = yaml.safe_load(EXPERIMENTS)["experiments"]
    return compile_plan([parse_experiment(entry, "scene") for entry in entries], "default")


def champion_link(folder: Path) -> Path:
    """Return where the programme's champion is pulled to."""
    return folder / "models" / "default" / "offers" / "champion"


def write_version(folder: Path, name: str, version: str, seed: int = 1) -> Path:
    """Write a bundle beside the others without pointing the champion to it, and return its folder."""
    path = folder / "models" / "default" / "offers" / "versions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(
        path,
        model(seed),
        programme="default",
        model_name="scene",
        model_version=version,
        data_fingerprint="scene",
        feature_time=FEATURE_TIME,
    )
    return path


def promote(folder: Path, version: Path) -> None:
    """Point the champion to a bundle, in one step."""
    aside = champion_link(folder).with_name(".champion.new")
    aside.symlink_to(version)
    aside.replace(champion_link(folder))


def write_scene(folder: Path, *, with_model: bool = True) -> Path:
    """Write everything into an empty folder and return the path of the configuration."""
    (folder / "models").mkdir(parents=True)
    (folder / "catalogue.yaml").write_text(dump_catalogue(CATALOGUE), encoding="utf-8")
    (folder / "second.yaml").write_text(dump_catalogue(SECOND_CATALOGUE), encoding="utf-8")
    (folder / "experiments.yaml").write_text(EXPERIMENTS, encoding="utf-8")
    if with_model:
        promote(folder, write_version(folder, "1", MODEL_VERSION))
    config = folder / "troth.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config
