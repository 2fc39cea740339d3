"""Random small catalogues, members and questions: everything that a decision may meet, in a few candidates."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from server.catalogue import (
    Action,
    Arbitration,
    Cap,
    Catalogue,
    Channel,
    ContactPolicy,
    ContextWeight,
    CoolDown,
    Exploration,
    Factor,
    Group,
    Money,
    Offer,
    Placement,
    QuietHours,
    Segment,
)
from server.members import MemberProfile
from tests.server.decide.cases import Case, Event
from tests.server.decide.rules import RULES, SEGMENTS


def cases(*, plain: bool = False) -> st.SearchStrategy[Case]:
    """Return a strategy for cases.

    Args:
        plain: Whether nothing is left to chance, so that there is one right answer.
    """
    return st.integers(0, 2**48).map(lambda seed: case_of(seed, plain=plain))


def case_of(seed: int, *, plain: bool = False) -> Case:
    """Return the case of a seed."""
    return _Maker(random.Random(seed)).case(plain=plain)


class _Maker:
    """Draws the parts of one case."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._time = datetime(
            2026, chance.choice((3, 7, 10)), chance.randint(25, 30), tzinfo=UTC
        ) + timedelta(minutes=chance.randrange(24 * 60))

    def case(self, *, plain: bool) -> Case:
        """Draw a case."""
        chance = self._chance
        catalogue = self._catalogue(plain=plain)
        placement = chance.choice(catalogue.placements)
        ids = [*catalogue.candidates_by_id]
        channel_id = ""
        if placement.decides == "offers" and placement.channels:
            channel_id = chance.choice(placement.channels)
        offer_ids = [one.offer_id for one in catalogue.offers]
        known = [one for one in offer_ids if chance.random() < 0.8] if chance.random() < 0.6 else []
        popular = {one: float(chance.randint(0, 3)) for one in sorted([*known, "gone"])} if known else {}
        trips = None
        if known and chance.random() < 0.8:
            trips = {one: chance.randint(1, 3) for one in known if chance.random() < 0.7}
        arms = ["no_levers", "no_model", "no_personalisation"]
        if not plain:
            arms += ["random_eligible", "holdout"]
        return Case(
            catalogue=catalogue,
            placement=placement,
            channel_id=channel_id,
            profile=self._profile(),
            events=tuple(self._events(ids)),
            attributes=self._some({"age": chance.randint(10, 40), "city": "Rome"}, 0.1),
            basket=("milk",) if chance.random() < 0.3 else (),
            count=chance.randint(1, 5),
            time=self._time,
            closed=frozenset(one for one in ids if chance.random() < 0.1),
            evidence=self._evidence(ids),
            arm=chance.choice(arms) if chance.random() < 0.3 else "",
            seed=str(chance.random()),
            trips=trips,
            popular=popular,
        )

    def _catalogue(self, *, plain: bool) -> Catalogue:
        chance = self._chance
        groups = tuple(
            Group(group_id=group_id, parent_id=parent, **self._limited())
            for group_id, parent in (("g0", ""), ("g1", "g0"), ("g2", ""))
        )
        offers = tuple(
            Offer(
                offer_id=f"o{number}",
                kind=chance.choice(("coupon", "product", "perk")),
                discount=self._money(0.3),
                placements=("home",) if chance.random() < 0.1 else (),
                **self._candidate(),
            )
            for number in range(chance.randint(1, 8))
        )
        actions = tuple(
            Action(
                action_id=f"a{number}", kind=chance.choice(("care", "welcome", "survey")), **self._candidate()
            )
            for number in range(chance.randint(0, 4))
        )
        offer_ids = [one.offer_id for one in offers]
        return Catalogue(
            time_zone=chance.choice(("UTC", "America/New_York", "Pacific/Auckland")),
            currency_code="USD",
            attributes={"age": "int", "city": "string", "vip": "bool"},
            channels=(
                Channel(channel_id="email", outbound=True, purposes=self._purposes(0.3)),
                Channel(channel_id="push", outbound=True),
                Channel(channel_id="till"),
            ),
            placements=(
                self._placement("home", "offers", offer_ids, plain=plain),
                self._placement("checkout", "offers", offer_ids, plain=plain),
                self._placement("next", "actions", [], plain=plain),
            ),
            groups=groups,
            segments=tuple(Segment(segment_id=name, rule=rule) for name, rule in SEGMENTS.items()),
            contact_policies=tuple(
                ContactPolicy(
                    policy_id=f"p{number}",
                    channels=self._channels(0.5),
                    most=chance.randint(1, 4),
                    days=chance.choice((0.5, 7, 30)),
                )
                for number in range(chance.choice((0, 0, 1, 2)))
            ),
            quiet_hours=tuple(
                QuietHours(start=start, end=end, channels=self._channels(0.5))
                for start, end in chance.sample(
                    (("21:00", "07:30"), ("12:00", "14:00"), ("22:00", "00:00")), 1
                )
                if chance.random() < 0.3
            ),
            cool_downs=tuple(
                CoolDown(
                    days=chance.choice((1, 10)),
                    scope=chance.choice(("candidate", "group", "channel", "everything")),
                    outcome_types=chance.choice(
                        (("refusal", "unsubscribe"), ("unsubscribe",), ("complaint",))
                    ),
                )
                for _ in range(chance.choice((0, 1, 1, 2)))
            ),
            arbitrations=(self._arbitration(),),
            offers=offers,
            actions=actions,
        )

    def _placement(
        self, placement_id: str, decides: Any, offer_ids: Sequence[str], *, plain: bool
    ) -> Placement:
        chance = self._chance
        fallback = chance.sample(offer_ids, min(2, len(offer_ids))) if chance.random() < 0.4 else []
        return Placement(
            placement_id=placement_id,
            decides=decides,
            channels=self._channels(0.6),
            arbitration="formula" if chance.random() < 0.7 else "",
            ranking="popular" if chance.random() < 0.2 else "champion",
            exploration=Exploration() if plain else self._exploration(),
            most_per_category=chance.choice((None, 1, 2)),
            fallback_offer_ids=tuple(fallback),
        )

    def _exploration(self) -> Exploration:
        chance = self._chance
        shortlist = chance.randint(1, 6)
        return Exploration(
            method=chance.choice(("none", "epsilon", "softmax", "thompson")),
            share=chance.choice((0.0, 0.3, 1.0)),
            shortlist=shortlist,
            cold_places=chance.randint(0, shortlist),
            mature_after=50,
            cold_share=chance.choice((1.0, 1.0, 0.4)),
        )

    def _arbitration(self) -> Arbitration:
        chance = self._chance
        every: list[Factor] = ["probability", "value", "context", "lever", "cost"]
        factors = every if chance.random() < 0.6 else chance.sample(every, chance.randint(1, 4))
        return Arbitration(
            arbitration_id="formula",
            factors=tuple(factors),
            context_weights=tuple(
                ContextWeight(
                    rule=chance.choice(list(RULES)),
                    group_ids=tuple(chance.sample(("g0", "g1", "g2"), chance.randint(0, 2))),
                    weight=chance.choice((0.5, 2, 4)),
                )
                for _ in range(chance.choice((0, 1, 2)))
            ),
            default_probability=0.25,
            default_value=Money(amount=Decimal(2), currency_code="USD") if chance.random() < 0.7 else None,
            least_score=chance.choice((None, None, 0.0, 0.5)),
        )

    def _limited(self) -> dict[str, Any]:
        chance = self._chance
        rules = {
            question: chance.choice(list(RULES))
            for question in ("eligible", "applicable", "suitable")
            if chance.random() < 0.12
        }
        caps = tuple(
            Cap(
                most=chance.randint(1, 3),
                days=chance.choice((None, 1, 7)),
                count=chance.choice(("decision", "decision", "redemption", "impression")),
            )
            for _ in range(chance.choice((0, 0, 0, 1, 2)))
        )
        lever = chance.choice((1.0, 1.0, 0.5, 2.0))
        return {**rules, "caps": caps, "lever": lever, "purposes": self._purposes(0.1)}

    def _candidate(self) -> dict[str, Any]:
        chance = self._chance
        today = self._time.date()
        return {
            **self._limited(),
            "group_id": chance.choice(("", "g0", "g1", "g2")),
            "category": chance.choice(("", "", "x", "y")),
            "valid_from": today + timedelta(days=chance.choice((-9, 0, 1)))
            if chance.random() < 0.3
            else date.min,
            "valid_until": today + timedelta(days=chance.choice((1, 5)))
            if chance.random() < 0.3
            else date.max,
            "channels": self._channels(0.3),
            "value": self._money(0.7),
            "cost": self._money(0.3),
            "response_cost": self._money(0.3),
            "points_liability": self._money(0.3),
            "prior_probability": chance.choice((0.0, 0.25, 0.5, 1.0)) if chance.random() < 0.6 else None,
        }

    def _profile(self) -> MemberProfile:
        chance = self._chance
        said = {
            (channel, purpose): chance.random() < 0.7
            for channel in ("", "email", "push", "till")
            for purpose in ("marketing", "profiling")
            if chance.random() < 0.6
        }
        expires = self._time + timedelta(hours=chance.randrange(-48, 600)) if chance.random() < 0.7 else None
        return MemberProfile(
            attributes=self._some(
                {"age": chance.randint(10, 40), "city": chance.choice(("Rome", "Oslo")), "vip": True}
            ),
            consents=said,
            tier=chance.choice(("", "gold", "gold", "blue")),
            points_balance=chance.choice((None, 50, 500)),
            points_expire_time=expires,
            time_zone=chance.choice(("", "Asia/Kolkata", "America/Los_Angeles", "Pacific/Apia")),
        )

    def _events(self, ids: Sequence[str]) -> list[Event]:
        chance = self._chance
        kinds = ("decision", "decision", "decision", "impression", "redemption", "purchase", "refusal",
                 "unsubscribe", "complaint")  # fmt: skip
        times = sorted(
            timedelta(hours=chance.choice((1, 12, 24, 30, 168, 500))) for _ in range(chance.randint(0, 9))
        )
        return [
            Event(
                chance.choice(kinds),
                self._time - ago,
                "" if chance.random() < 0.1 else chance.choice([*ids, "gone"]),
                chance.choice(("", "email", "push", "till")),
            )
            for ago in reversed(times)
        ]

    def _evidence(self, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        chance = self._chance
        return {
            one: (given, chance.randint(0, given))
            for one in ids
            if chance.random() < 0.5
            for given in [chance.choice((4, 28, 100, 300))]
        }

    def _money(self, share: float) -> Money | None:
        if self._chance.random() >= share:
            return None
        return Money(amount=Decimal(self._chance.choice((1, 2, 4, 8))), currency_code="USD")

    def _channels(self, share: float) -> tuple[str, ...]:
        chance = self._chance
        if chance.random() >= share:
            return ()
        return tuple(chance.sample(("email", "push", "till"), chance.randint(1, 3)))

    def _purposes(self, share: float) -> tuple[str, ...]:
        return tuple(one for one in ("marketing", "profiling") if self._chance.random() < share)

    def _some(self, values: Mapping[str, Any], share: float = 0.75) -> dict[str, Any]:
        return {name: value for name, value in values.items() if self._chance.random() < share}
