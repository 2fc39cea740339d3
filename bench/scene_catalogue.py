"""The catalogue of a benchmark with everything on: rules, limits, budgets, arbitration, exploration."""

from decimal import Decimal

import numpy as np

from server.catalogue import (
    Arbitration,
    Budget,
    Cap,
    Catalogue,
    Channel,
    ContactPolicy,
    CoolDown,
    Exploration,
    Group,
    Money,
    Offer,
    Placement,
    QuietHours,
)

RULES = tuple(
    f'age >= {age} && tier in ["{tier}", "platinum"]'
    for age in range(18, 68)
    for tier in ("gold", "silver", "blue", "black")
)
"""200 distinct rules; a member of 40 with tier gold passes 23 of them."""
MEMBER_ATTRIBUTES = {"age": 40}
MEMBER_TIER = "gold"


def decisioning_catalogue(offer_count: int, seed: int) -> Catalogue:
    """Return offers with 200 rules, caps, budgets in units and money, a contact policy, quiet hours and a cool-down.

    Args:
        offer_count: Offers, all valid: ``o0``, ``o1``, …
        seed: Of their values.
    """
    random = np.random.default_rng(seed)
    groups = tuple(
        Group(
            group_id=f"g{index}",
            lever=1.0 + index / 100,
            caps=(Cap(most=50, days=1, count="impression"),),
            budgets=(Budget(money=_money(10**8), period="month", pacing="even"),),
        )
        for index in range(50)
    )
    offers = tuple(
        Offer(
            offer_id=f"o{index}",
            title=f"Offer o{index}",
            group_id=f"g{index % len(groups)}",
            eligible=RULES[index % len(RULES)],
            value=_money(round(float(random.uniform(1, 10)), 2)),
            response_cost=_money(1),
            caps=(Cap(most=3, days=7, count="click"),),
            budgets=(Budget(units=10**9),),
        )
        for index in range(offer_count)
    )
    return Catalogue(
        currency_code="EUR",
        attributes={"age": "int"},
        channels=(
            Channel(channel_id="web", purposes=("personalisation",)),
            Channel(channel_id="email", outbound=True, purposes=("marketing",)),
        ),
        placements=(
            Placement(
                placement_id="checkout",
                channels=("web",),
                arbitration="value",
                exploration=Exploration(method="epsilon", share=0.1, shortlist=20),
                most_per_category=2,
            ),
        ),
        groups=groups,
        contact_policies=(ContactPolicy(policy_id="weekly", most=3, days=7),),
        quiet_hours=(QuietHours(start="22:00", end="07:00"),),
        cool_downs=(CoolDown(days=30),),
        arbitrations=(Arbitration(arbitration_id="value"),),
        offers=offers,
    )


def _money(amount: float) -> Money:
    return Money(amount=Decimal(str(amount)), currency_code="EUR")
