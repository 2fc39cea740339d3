"""The catalogue of one programme: what there is to decide about and by which rules, with a revision that names its content."""

import hashlib
import json
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from experiments.rules import AttributeType
from server.catalogue.base import CataloguePart, Identifier, RuleText, time_zones
from server.catalogue.candidates import Action, Candidate, Group, Offer
from server.catalogue.limits import ContactPolicy, CoolDown, QuietHours
from server.catalogue.policy import Arbitration, Channel, Placement, StandingArms

AttributeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
AttributeKind = Literal["string", "int", "double", "bool", "timestamp", "list<string>"]

PROFILE_ATTRIBUTES = {
    "tier": AttributeType.STRING,
    "points_balance": AttributeType.INT,
    "purchase_count": AttributeType.INT,
    "redemption_count": AttributeType.INT,
    "segments": AttributeType.STRINGS,
}
"""What rules may ask about every member, beside the attributes that the catalogue declares: their tier and points as the
programme keeps them, purchases and redemptions in the log, the segments that they are in."""

MOMENT_ATTRIBUTES = {
    "days_since_purchase": AttributeType.INT,
    "days_to_points_expiry": AttributeType.INT,
    "local_hour": AttributeType.INT,
    "local_weekday": AttributeType.INT,
    "channel": AttributeType.STRING,
    "placement": AttributeType.STRING,
    "basket": AttributeType.STRINGS,
}
"""What rules may ask about the moment: whole days since their last purchase in the log (missing without one) and to the next
expiry of points (missing without one), hour 0 to 23 and weekday 1 (Monday) to 7 in their time zone, the channel (missing where
none matters) and placement of the decision, the products in their basket."""


class Segment(CataloguePart):
    """A named rule over member attributes. Rules ask for it with ``"SEGMENT_ID" in segments``.

    Attributes:
        segment_id: Unique in the catalogue.
        description: For people.
        rule: In CEL, over declared attributes, tier, points and counts; not over the moment or other segments.
    """

    segment_id: Identifier
    description: str = ""
    rule: RuleText


class Catalogue(CataloguePart):
    """Everything that one programme decides about, and by which rules.

    Only its parts are checked when it is made; ``catalogue_problems`` tells whether they fit together.

    Attributes:
        programme: The loyalty programme.
        time_zone: IANA name of the zone in which days begin and end.
        note: A rule that shaped the catalogue, for reports.
        currency_code: Of all money in it; needed once an offer, action or budget names money that counts.
        attributes: What rules may ask about members and requests, with the types.
        channels: How answers travel.
        placements: At least one.
        groups: Rules and limits that offers and actions share.
        segments: Named rules over members.
        contact_policies: How often members are contacted.
        quiet_hours: When they are not.
        cool_downs: Rests after a refusal.
        arbitrations: The formulas that placements and experiments name.
        standing_arms: Slices of members that are decided differently, always.
        offers: In the order that breaks ties.
        actions: In the order that breaks ties, after the offers; *no action* is always there and need not be listed.
    """

    programme: Identifier = "default"
    time_zone: str = "UTC"
    note: str = ""
    currency_code: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    attributes: dict[AttributeName, AttributeKind] = Field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    placements: Annotated[tuple[Placement, ...], Field(min_length=1)]
    groups: tuple[Group, ...] = ()
    segments: tuple[Segment, ...] = ()
    contact_policies: tuple[ContactPolicy, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    cool_downs: tuple[CoolDown, ...] = ()
    arbitrations: tuple[Arbitration, ...] = ()
    standing_arms: StandingArms = StandingArms()
    offers: tuple[Offer, ...] = ()
    actions: tuple[Action, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _zone_is_known(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError(f"{value!r} is not an IANA time zone such as America/New_York")
        return value

    @cached_property
    def revision(self) -> str:
        """Names the content: equal catalogues have equal revisions."""
        return "catalogue-" + hashlib.sha256(self.to_json().encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """Return the content as JSON text, defaults left out; equal catalogues give equal texts."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Catalogue":
        """Return the catalogue that ``to_json`` wrote.

        Raises:
            ValidationError: It breaks the rules of today.
        """
        content: dict[str, Any] = json.loads(text)
        return cls.model_validate(content)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin and end."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def placements_by_id(self) -> dict[str, Placement]:
        """Placements by id."""
        return {placement.placement_id: placement for placement in self.placements}

    @cached_property
    def offers_by_id(self) -> dict[str, Offer]:
        """Offers by id."""
        return {offer.offer_id: offer for offer in self.offers}

    @cached_property
    def candidates_by_id(self) -> dict[str, Candidate]:
        """Offers and actions by id."""
        return {one.candidate_id: one for one in (*self.offers, *self.actions)}

    @cached_property
    def groups_by_id(self) -> dict[str, Group]:
        """Groups by id."""
        return {group.group_id: group for group in self.groups}

    @cached_property
    def channels_by_id(self) -> dict[str, Channel]:
        """Channels by id."""
        return {channel.channel_id: channel for channel in self.channels}

    @cached_property
    def arbitrations_by_id(self) -> dict[str, Arbitration]:
        """Arbitrations by id."""
        return {one.arbitration_id: one for one in self.arbitrations}

    @cached_property
    def _first_days(self) -> npt.NDArray[np.int64]:
        return np.array([offer.valid_from.toordinal() for offer in self.offers], dtype=np.int64)

    @cached_property
    def _last_days(self) -> npt.NDArray[np.int64]:
        return np.array([offer.valid_until.toordinal() for offer in self.offers], dtype=np.int64)

    def eligible(self, placement_id: str, day: date) -> npt.NDArray[np.int64]:
        """Return the positions of the offers that may be shown at the placement on the day, in catalogue order."""
        ordinal = day.toordinal()
        valid = np.flatnonzero((self._first_days <= ordinal) & (ordinal <= self._last_days))
        shown = [
            position
            for position in valid.tolist()
            if not self.offers[position].placements or placement_id in self.offers[position].placements
        ]
        return np.array(shown, dtype=np.int64)

    @cached_property
    def response_window(self) -> timedelta | None:
        """How long there is to respond to a decision before it counts as evidence; ``None`` if no placement weighs evidence.

        The longest attribution window of the placements that do.
        """
        weighing = [one for one in self.placements if one.arbitration or one.decides == "actions"]
        if not weighing:
            return None
        return timedelta(days=max(one.attribution_window_days for one in weighing))

    def lineage(self, group_id: str) -> tuple[Group, ...]:
        """Return a group and the groups that it belongs to, the nearest first; nothing for an empty id."""
        found: list[Group] = []
        while group_id:
            group = self.groups_by_id[group_id]
            found.append(group)
            group_id = group.parent_id
        return tuple(found)
