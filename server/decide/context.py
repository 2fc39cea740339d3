"""The one object that carries a decision from the request to the log.

What is known of how members answer to each candidate: decisions that gave it, and responses.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from experiments.assignment.plan import Assignment
from experiments.log.events import from_micros, to_micros
from server.budgets.book import NOTHING_CLOSED, Closed
from server.catalogue import Placement
from server.members import MemberState
from server.members.state import NEVER, PURCHASE, REDEMPTION
from training.bundle import OfferModel, Profile


@dataclass(frozen=True)
class Evidence:
    """Counts by candidate. Immutable.

    Attributes:
        counts: Decisions that gave the candidate, and how many of them were responded to.
    """

    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def document(self) -> str:
        """The counts as JSON text; equal counts give equal texts."""
        return json.dumps(self.counts, sort_keys=True, separators=(",", ":"))

    @cached_property
    def state_id(self) -> str:
        """Names the content; empty if there is none."""
        if not self.counts:
            return ""
        return "evidence-" + hashlib.sha256(self.document.encode()).hexdigest()[:16]

    @classmethod
    def from_document(cls, document: str) -> "Evidence":
        """Return the evidence of a document."""
        return cls({name: (given, answered) for name, (given, answered) in json.loads(document).items()})


NO_EVIDENCE = Evidence()


MAX_DAYS = 56
"""A history is moved on by this many days at most, and no later trip counts as older. Otherwise all members would look as if they
had left when nobody renews the model."""
_DAY = timedelta(days=1)
_MICROS_A_DAY = 86_400_000_000


@dataclass(slots=True, kw_only=True, eq=False)
class DecisionContext:
    """One decision: what was asked, where and when it is decided, and what was known at that moment beside the snapshot.

    It is filled in three steps. The API (or a campaign) sets what the client asked. ``place`` adds the placement, the size of
    the answer and the times, once for the request. ``attempt`` adds what is known, anew whenever the member or a budget changed
    while the decision was made. Reading a field before its step is an ``AttributeError``.

    Attributes:
        programme: The loyalty programme.
        member_id: Who is decided for.
        placement_id: Where the answer is shown.
        kind: What is asked for: ``offers`` or ``actions``; empty for what the placement decides.
        offer_count: Offers wanted; 0 for the placement's default.
        request_id: Key of retries, or empty.
        request_time: The client's clock, if sent.
        attributes: What the client says of the member, by name; it outweighs what their profile says.
        basket: Products in the member's basket now.
        channel_id: How the answer travels; empty where none matters, and for actions.
        campaign_id: For which campaign, or empty.
        factors: Whether the answer shows what each score is made of.
        placement: The placement; its task says which model ranks.
        count: How many offers at most, at least 1.
        receive_time: The server's clock when the request came.
        time: When it is decided: candidates must be valid then, and purchases up to then are seen.
        decision_id: Names the decision, and decides what is left to chance.
        state: What the log has of the member.
        assigned: The member's assignments in the running experiments of the placement.
        closed: What budgets have closed.
        evidence: What is known of responses.
    """

    programme: str = "default"
    member_id: str
    placement_id: str
    kind: str = ""
    offer_count: int = 0
    request_id: str = ""
    request_time: datetime | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: Sequence[str] = ()
    channel_id: str = ""
    campaign_id: str = ""
    factors: bool = False
    placement: Placement = field(init=False)
    count: int = field(init=False)
    receive_time: datetime = field(init=False)
    time: datetime = field(init=False)
    decision_id: str = field(init=False)
    state: MemberState = field(init=False)
    assigned: Sequence[Assignment] = field(init=False)
    closed: Closed = field(init=False)
    evidence: Evidence = field(init=False)

    def place(self, placement: Placement, channel_id: str, *, time: datetime, receive_time: datetime) -> None:
        """Set where and when it is decided.

        Args:
            placement: The placement.
            channel_id: How the answer travels; empty where none matters.
            time: When it is decided.
            receive_time: The server's clock.
        """
        self.placement = placement
        self.channel_id = channel_id
        self.count = min(self.offer_count or placement.default_offer_count, placement.max_offer_count)
        self.time = time
        self.receive_time = receive_time

    def attempt(
        self,
        decision_id: str,
        state: MemberState,
        assigned: Sequence[Assignment],
        *,
        closed: Closed = NOTHING_CLOSED,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        """Set what is known at this attempt.

        Args:
            decision_id: Names the decision.
            state: What the log has of the member.
            assigned: The member's assignments.
            closed: What budgets have closed.
            evidence: What is known of responses.
        """
        self.decision_id = decision_id
        self.state = state
        self.assigned = assigned
        self.closed = closed
        self.evidence = evidence

    def digest(self) -> str:
        """Return what tells a retry from another request under the same key.

        The client's clock, the attributes and the basket are left out: they may be newer in a retry, which must find its
        decision. To be taken before ``place``, which may choose the channel.
        """
        parts = [self.member_id, self.placement_id, str(self.offer_count)]
        if self.channel_id:
            parts.append(self.channel_id)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def known(self) -> Mapping[str, object]:
        """Return what is known of the member by name, from the profile and from the request."""
        profile = self.state.profile.attributes
        if not profile:
            return self.attributes
        return {**profile, **self.attributes} if self.attributes else profile

    def local_time(self, default_zone: ZoneInfo) -> datetime:
        """Return the time in the member's zone, or in the default one where nobody said or there is no such zone.

        Where that lies before year 1 or after 9999 the time is returned as it is.
        """
        name = self.state.profile.time_zone
        zone = (_zone(name) or default_zone) if name else default_zone
        try:
            return self.time.astimezone(zone)
        except OverflowError:
            return self.time

    def rule_attributes(self, default_zone: ZoneInfo) -> dict[str, object]:
        """Return what rules may ask about, without segments and channel.

        What the programme and the log say of a member comes from there alone: a request cannot claim a tier.
        """
        profile, by_event, now = self.state.profile, self.state.by_event, self.time
        purchases = by_event.get(PURCHASE, NEVER)
        local = self.local_time(default_zone)
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
            "placement": self.placement_id,
            "basket": self.basket,
            "segments": None,
            "channel": None,
        }

    def past(self, model: OfferModel, member: int | None, feature_time: datetime) -> Profile:
        """Return what the member bought as seen at the time of the decision, without the basket.

        Trips after the feature time are added to what the model learned, which has those up to it; those after the decision
        are not seen.

        Args:
            model: The model.
            member: The member's position in it, or ``None``.
            feature_time: The time up to which the model knows.

        Returns:
            The profile that the model scores.
        """
        days = self.days_since(feature_time)
        since, until = to_micros(feature_time), to_micros(self.time)
        later = [
            (min((until - trip.micros) / _MICROS_A_DAY, float(MAX_DAYS)), trip.product_ids)
            for trip in self.state.trips
            if since < trip.micros <= until
        ]
        return model.profile_after(member, days, later)

    def days_since(self, feature_time: datetime) -> int:
        """Return by how many days a history that reaches to a time is moved on."""
        return min(max((self.time - feature_time) // _DAY, 0), MAX_DAYS)

    def has_trips_since(self, feature_time: datetime) -> bool:
        """Tell whether the log has a trip after a time, up to the decision."""
        trips = self.state.trips
        if not trips:
            return False
        since, until = to_micros(feature_time), to_micros(self.time)
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
