"""A small programme whose every answer can be worked out by hand: catalogue, model, experiments, configuration."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import yaml

from experiments.assignment.plan import Plan, compile_plan
from experiments.definition import parse_experiment
from server.catalogue import Catalogue, Money, Offer, Placement, dump_catalogue
from training.bundle import Ids, OfferModel, Task, write_bundle
from training.bundle.history import COLUMNS, HALF_LIVES, History
from training.bundle.scorers import Covers, Frequency

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


def model(seed: int = 1, task: Task = Task.REPLENISH) -> OfferModel:
    """Return a model that counts trips, with few distinct counts, so that there are many ties.

    Products are the offers. They stand in the order of their ids, not in the catalogue's; the model knows one that the
    catalogue lacks and lacks one of the catalogue's.
    """
    chance = random.Random(seed)
    offer_ids = sorted((*(offer.offer_id for offer in OFFERS if offer.offer_id != "brand-new"), "gone"))
    trips = {
        member: {offer: chance.choice((1, 2, 3)) for offer in chance.sample(offer_ids, 9)}
        for member in sorted(MEMBERS)
    }
    popular = [chance.choice((1, 2, 3, 4)) for _ in offer_ids]
    return counting_model(task, offer_ids, trips, popular)


def counting_model(
    task: Task, offer_ids: Sequence[str], trips: Mapping[str, Mapping[str, int]], popular: Sequence[float]
) -> OfferModel:
    """Return a model whose score is the number of the member's trips with the offer's product, the last one 3 days ago.

    Args:
        task: What the model is for.
        offer_ids: Offers, and products as well, ascending.
        trips: For each member, ascending, how often they bought what.
        popular: The popular score of each offer.
    """
    indptr, indices, columns, members = [0], [], [], []
    for bought in trips.values():
        for offer in sorted(bought):
            indices.append(offer_ids.index(offer))
            columns.append(_columns(bought[offer]))
        indptr.append(len(indices))
        members.append(_columns(max(bought.values(), default=0)))
    history = History(
        np.array(indptr, dtype=np.int64),
        np.array(indices, dtype=np.int32),
        np.array(columns, dtype=np.float32).reshape(-1, len(COLUMNS)),
        np.array(members, dtype=np.float32).reshape(-1, len(COLUMNS)),
        len(offer_ids),
    )
    covers = Covers(len(offer_ids))
    return OfferModel(
        task=task,
        member_ids=Ids.of(tuple(trips)),
        product_ids=Ids.of(offer_ids),
        offer_ids=Ids.of(offer_ids),
        history=history,
        covers=covers,
        popular_scores=np.array(popular, dtype=np.float32),
        scorer=Frequency("count", covers, np.zeros(len(offer_ids), dtype=np.float32)),
    )


def _columns(trips: int) -> list[float]:
    """Return the columns of so many trips, one every 10 days, the last one 3 days ago."""
    ages = [3.0 + 10.0 * number for number in range(trips)]
    decayed = [sum(0.5 ** (age / half_life) for age in ages) for half_life in HALF_LIVES]
    return [trips, min(ages, default=0.0), max(ages, default=0.0), 2.0 * trips, 0.0, *decayed]


def popular_scores(seed: int = 1) -> dict[str, float]:
    """Return the popular score of each offer that the model knows."""
    fitted = model(seed)
    return dict(zip(fitted.offer_ids.texts(), fitted.popular_scores.tolist(), strict=True))


def personal_scores(member_id: str, seed: int = 1) -> dict[str, float]:
    """Return the stored scores of a member, read straight from the arrays."""
    fitted = model(seed)
    row = fitted.member_ids.index(member_id)
    assert row is not None
    start, end = fitted.history.indptr[row], fitted.history.indptr[row + 1]
    return {
        fitted.offer_ids[column]: float(columns[0])
        for column, columns in zip(
            fitted.history.indices[start:end], fitted.history.columns[start:end], strict=True
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


def champion_link(folder: Path, task: Task = Task.REPLENISH) -> Path:
    """Return where the champion of the programme's task is pulled to."""
    return folder / "models" / "default" / "offers" / task.value / "champion"


def write_version(
    folder: Path, name: str, version: str, seed: int = 1, *, fitted: OfferModel | None = None
) -> Path:
    """Write a bundle beside the others of its task without pointing the champion to it, and return its folder."""
    fitted = model(seed) if fitted is None else fitted
    path = champion_link(folder, fitted.task).parent / "versions" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(
        path,
        fitted,
        programme="default",
        model_name="scene",
        model_version=version,
        data_fingerprint="scene",
        feature_time=FEATURE_TIME,
    )
    return path


def promote(folder: Path, version: Path, task: Task = Task.REPLENISH) -> None:
    """Point the champion of a task to a bundle, in one step."""
    link = champion_link(folder, task)
    link.parent.mkdir(parents=True, exist_ok=True)
    aside = link.with_name(".champion.new")
    aside.symlink_to(version)
    aside.replace(link)


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
