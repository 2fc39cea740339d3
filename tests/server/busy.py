"""A programme with everything on, and traffic for it: decisions of every kind with events of every kind in between."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.server import decision_scene as ds
from tests.server import scene
from tests.server.decision_scene import EMAIL, Asking, money, stamp, values
from tests.server.running import Client

EXPERIMENTS = """\
experiments:
  - experiment_id: policy
    revision: 1
    hypothesis: Another policy earns more.
    owner: tests
    unit: member
    state: running
    placements: [busy, till, next]
    control: usual
    variants:
      - {variant_id: usual, weight: 1}
      - {variant_id: popular, weight: 1, parameters: {ranking: popular}}
      - {variant_id: steady, weight: 1, parameters: {exploration: "off"}}
      - {variant_id: bare, weight: 1, parameters: {arbitration: bare}}
    metrics:
      - metric_id: bought
        name: Purchases per member
        role: success
        kind: ratio
        numerator: {event: outcomes, outcome_type: purchase, aggregate: count}
        denominator: {event: exposures, aggregate: count}
"""
PLACEMENTS: list[dict[str, Any]] = [
    *ds.CATALOGUE["placements"],
    {
        "placement_id": "busy", "channels": ["app", "email"], "arbitration": "worth", "most_per_category": 2,
        "exploration": {"method": "softmax", "share": 0.3, "shortlist": 8, "cold_places": 2, "cold_share": 0.5},
        "fallback_offer_ids": ["sugar", "honey"], "default_offer_count": 4,
    },
    {
        "placement_id": "learning", "channels": ["app"], "arbitration": "worth",
        "exploration": {"method": "thompson", "share": 0.2, "shortlist": 6},
    },
    {
        "placement_id": "trying", "decides": "actions", "channels": ["app", "push", "email"],
        "exploration": {"method": "epsilon", "share": 0.5, "shortlist": 4},
    },
]  # fmt: skip
OFFERS: list[dict[str, Any]] = [
    *ds.CATALOGUE["offers"],
    {"offer_id": "sugar", "title": "Sugar", "category": "sweet"},
    *(
        {
            "offer_id": name, "group_id": "sweets" if number % 2 else "savoury", "value": money(str(1 + number)),
            "lever": 1 + number / 10, "kind": "discount",
        }
        for number, name in enumerate(["apple", "cheese", "ice", "lemon", "mango", "olives", "pears", "quince", "tea"])
    ),
    {"offer_id": "brand-new", "value": money("3"), "suitable": "points_balance < 500 && !student"},
]  # fmt: skip
CHANGES: dict[str, Any] = {
    # Responses count at once, so that the evidence changes while the story is told.
    "placements": [{**one, "attribution_window_days": 1e-6} for one in PLACEMENTS],
    "offers": OFFERS,
    "groups": [
        *ds.CATALOGUE["groups"],
        {"group_id": "sweets", "caps": [{"most": 6, "days": 3}], "budgets": [{"money": money("40"), "hold_days": 1}]},
        {"group_id": "savoury", "applicable": "purchase_count < 12", "lever": 1.5},
    ],
    "segments": [{"segment_id": "regulars", "rule": "purchase_count > 2"}],
    "arbitrations": [
        ds.CATALOGUE["arbitrations"][0] | {
            "context_weights": [
                {"rule": "local_hour >= 12", "group_ids": ["sweets"], "weight": 1.7},
                {"rule": '"regulars" in segments', "weight": 0.9},
            ],
        },
        {"arbitration_id": "bare", "factors": ["probability"], "default_value": money("1")},
    ],
    "standing_arms": {
        "traffic_ppm": {
            "random_eligible": 90_000, "no_model": 90_000, "no_levers": 90_000, "no_personalisation": 90_000,
            "holdout": 90_000,
        },
    },
}  # fmt: skip
"""What the catalogue of the busy programme has beside, or instead of, the scene's."""
MEMBERS = (*scene.MEMBERS, *(f"new{number}" for number in range(60)))
_WORKERS = 8


def write(folder: Path) -> Path:
    """Write the busy programme into an empty folder and return the path of its configuration."""
    config = ds.write(folder, with_model=True, experiments=EXPERIMENTS, **CHANGES)
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("grace = 10.0", "grace = 10.0\nevidence_interval = 0.05"), encoding="utf-8"
    )
    return config


def traffic(client: Client, now: ds.Now, count: int, seed: int) -> list[str]:
    """Send so many decisions through several clients at once, and the events that follow; return the decisions' ids.

    Args:
        client: A connected client.
        now: The server's clock; it passes meanwhile.
        count: How many decisions.
        seed: Makes another traffic.
    """
    shares = [count // _WORKERS + (number < count % _WORKERS) for number in range(_WORKERS)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        made = pool.map(lambda job: _traffic(client, now, job[1], f"{seed}-{job[0]}"), enumerate(shares))
        return [decision_id for ids in made for decision_id in ids]


def _traffic(client: Client, now: ds.Now, count: int, seed: str) -> list[str]:
    chance, ask, made = random.Random(seed), Asking(client), []
    for number in range(count):
        member = chance.choice(MEMBERS)
        decision = _decision(ask, chance, member)
        made.append(decision.decision_id)
        _aftermath(ask, chance, decision, f"{seed}-{number}", now)
        if number % 20 == 0:
            now.pass_(hours=chance.choice((0.1, 1, 7)))
    return made


def _decision(ask: Asking, chance: random.Random, member: str) -> Any:
    more: dict[str, Any] = {
        "factors_wanted": chance.random() < 0.2,
        "attributes": values(age=chance.choice((17, 18, 40)), student=chance.random() < 0.5),
    }
    if chance.random() < 0.3:
        more["basket_product_ids"] = chance.sample(["jam", "tea", "rice", "unheard-of"], 2)
    if chance.random() < 0.3:
        return ask.action(member, chance.choice(("next", "trying")), **more)
    placement = chance.choice(("till", "plain", "busy", "busy", "learning"))
    if placement in ("till", "busy"):
        more["channel_id"] = chance.choice(("", "app", "email"))
    return ask.offers(member, placement, offer_count=chance.randint(0, 6), **more)


def _aftermath(ask: Asking, chance: random.Random, decision: Any, event: str, now: ds.Now) -> None:
    member = decision.member_id
    more: dict[str, Any] = {"outcome_time": stamp(now() - timedelta(minutes=chance.randint(0, 600)))}
    point = chance.random()
    if point < 0.15:
        ask.log(member, "purchase", event=event, product_ids=chance.sample(["jam", "tea", "kale"], 2), **more)
    elif point < 0.35 and decision.offers:
        offer_id = chance.choice(decision.offers).offer_id
        kind = chance.choice(("redemption", "redemption", "refusal"))
        ask.log(member, kind, event=event, decision_id=decision.decision_id, offer_id=offer_id, **more)
    elif point < 0.40 and decision.HasField("action"):
        ask.log(member, "unsubscribe", event=event, decision_id=decision.decision_id, **more)
    elif point < 0.50:
        consents = EMAIL if chance.random() < 0.8 else {("email", "marketing"): False}
        ask.say(
            member, consents, tier=chance.choice(("silver", "gold")), points_balance=chance.randint(0, 900)
        )
