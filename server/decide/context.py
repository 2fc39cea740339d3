"""Who asks, and what is known of her at this moment beyond what the model learned.

What a decision is asked, and what was known at that moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from experiments.assignment.plan import Assignment
from experiments.log.events import from_micros, to_micros
from server.budgets.book import NOTHING_CLOSED, Closed
from server.catalogue import Placement
from server.decide.evidence import NO_EVIDENCE, Evidence
from server.members import MemberState
from server.members.state import NEVER, PURCHASE, REDEMPTION
from training.bundle import OfferModel, Profile

MOST_DAYS = 56
"""A history is moved on by so many days at most, and no later trip is seen older: with a model that nobody renews, all
members would otherwise look as if they had gone."""
_DAY = timedelta(days=1)
_MICROS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Visit:
    """One member's question.

    Attributes:
        state: What the log has of her.
        attributes: What the client says of her, by name; it outweighs what her profile says.
        basket: Products in her basket now.
    """

    state: MemberState
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: Sequence[str] = ()

    @property
    def member_id(self) -> str:
        """Who asks."""
        return self.state.member_id

    def known(self) -> Mapping[str, object]:
        """Return what is known of her by name, from her profile and from the request."""
        profile = self.state.profile.attributes
        if not profile:
            return self.attributes
        return {**profile, **self.attributes} if self.attributes else profile

    def zone(self, default: ZoneInfo) -> ZoneInfo:
        """Return her time zone, or the default where nobody said or there is no such zone."""
        name = self.state.profile.time_zone
        return (_zone(name) or default) if name else default

    def local_time(self, now: datetime, default_zone: ZoneInfo) -> datetime:
        """Return a moment in her time zone; the moment as it is where that lies before year 1 or after 9999."""
        try:
            return now.astimezone(self.zone(default_zone))
        except OverflowError:
            return now

    def rule_attributes(self, placement_id: str, now: datetime, default_zone: ZoneInfo) -> dict[str, object]:
        """Return what rules may ask about, without segments and channel.

        What the programme and the log say of a member comes from there alone: a request cannot claim a tier.

        Args:
            placement_id: Where the answer is shown.
            now: The moment of the decision.
            default_zone: Her time zone where nobody said.
        """
        profile, by_event = self.state.profile, self.state.by_event
        purchases = by_event.get(PURCHASE, NEVER)
        local = self.local_time(now, default_zone)
        expires, last = profile.points_expire_time, purchases.times[-1:]
        # What is not known is said to be missing, so that no word of the request stands in for it.
        return {
            **self.known(),
            "tier": profile.tier or None,
            "points_balance": profile.points_balance,
            "days_to_points_expiry": None if expires is None else (expires - now) // _DAY,
            "purchase_count": purchases.total,
            "days_since_purchase": (now - from_micros(last[0])) // _DAY if last else None,
            "redemption_count": by_event.get(REDEMPTION, NEVER).total,
            "local_hour": local.hour,
            "local_weekday": local.isoweekday(),
            "placement": placement_id,
            "basket": self.basket,
            "segments": None,
            "channel": None,
        }

    def past(self, model: OfferModel, member: int | None, feature_time: datetime, now: datetime) -> Profile:
        """Return what the member bought as seen at a moment, without the basket.

        Trips after the feature time are added to what the model learned, which has those up to it; those after the
        moment are not seen.

        Args:
            model: The model.
            member: The member's position in it, or ``None``.
            feature_time: The time up to which the model knows.
            now: The moment of the decision.
        """
        days = self.days_since(feature_time, now)
        since, until = to_micros(feature_time), to_micros(now)
        later = [
            (min((until - trip.micros) / _MICROS_A_DAY, float(MOST_DAYS)), trip.product_ids)
            for trip in self.state.trips
            if since < trip.micros <= until
        ]
        return model.profile_after(member, days, later)

    @staticmethod
    def days_since(feature_time: datetime, now: datetime) -> int:
        """Return by how many days a history that reaches to a time is moved on."""
        return min(max((now - feature_time) // _DAY, 0), MOST_DAYS)

    def has_trips_between(self, feature_time: datetime, now: datetime) -> bool:
        """Tell whether the log has a trip after a time, up to a moment."""
        trips = self.state.trips
        if not trips:
            return False
        since, until = to_micros(feature_time), to_micros(now)
        return any(since < trip.micros <= until for trip in reversed(trips))

    def present(self, model: OfferModel, past: Profile) -> Profile:
        """Return the past and the basket as one more trip, made now; the past itself if the basket adds nothing."""
        known = [index for name in self.basket if (index := model.product_ids.index(name)) is not None]
        return past.with_trip(known) if known else past


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo | None:
    # Zones are checked when a profile is written; a log may hold one that this machine's data lacks or has dropped.
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and what was known at that moment beside the snapshot.

    Attributes:
        placement: Where the answer is shown; its task says which model ranks.
        channel_id: How it travels; empty where none matters, and for actions.
        visit: Who asks, and what is known of her.
        assigned: Her assignments in the running experiments of the placement.
        count: How many offers at most, at least 1.
        time: For which candidates must be valid, and up to which purchases are seen.
        seed: Decides what is left to chance.
        closed: What budgets have closed.
        evidence: What is known of responses.
        factors: Whether the answer shows what each score is made of.
    """

    placement: Placement
    channel_id: str
    visit: Visit
    assigned: Sequence[Assignment]
    count: int
    time: datetime
    seed: str
    closed: Closed = NOTHING_CLOSED
    evidence: Evidence = NO_EVIDENCE
    factors: bool = False
