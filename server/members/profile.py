"""What a programme says of a member (attributes, consent, tier, points), how that changes, and its JSON text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from experiments.log.events import from_micros, to_micros
from experiments.log.rows import decoded_attributes, encoded_attributes
from experiments.rules import AttributeValue

ANY_CHANNEL = ""
MAX_ATTRIBUTES = 100
MAX_CONSENTS = 200
"""What one member has at most."""


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """What was last said of a member. Immutable.

    Attributes:
        attributes: By name, for rules, models and experiments.
        consents: Whether they consented, by channel and purpose; the empty channel stands for those not named.
        tier: Their tier, or empty.
        points_balance: Points they have; ``None`` if nobody said.
        points_expire_time: When the next of them expire; ``None`` if none do.
        time_zone: IANA name of their time zone; empty for the catalogue's.
    """

    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    consents: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    tier: str = ""
    points_balance: int | None = None
    points_expire_time: datetime | None = None
    time_zone: str = ""

    def consented(self, channel_id: str, purpose: str) -> bool:
        """Tell whether they consented; who was never asked did not."""
        said = self.consents.get((channel_id, purpose))
        return self.consents.get((ANY_CHANNEL, purpose), False) if said is None else said


@dataclass(frozen=True, slots=True)
class ProfileUpdate:
    """What to change in the profile of one member; the rest stays.

    Attributes:
        member_id: The member.
        attributes: New values by name; none takes the attribute away.
        consents: What they said, by channel and purpose; ``None`` as if they had never been asked.
        values: New values of ``tier``, ``points_balance``, ``points_expire_time`` and ``time_zone``, by field.
    """

    member_id: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    consents: Mapping[tuple[str, str], bool | None] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, profile: MemberProfile) -> MemberProfile:
        """Return the profile with what changes."""
        attributes = {**profile.attributes, **self.attributes}
        consents = {**profile.consents, **self.consents}
        return replace(
            profile,
            attributes={name: value for name, value in attributes.items() if value is not None},
            consents={key: said for key, said in consents.items() if said is not None},
            **self.values,
        )


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """One change of a member's profile, as the audit trail has it.

    Attributes:
        programme: The loyalty programme.
        member_id: The member.
        member_version: Counts what the log has of the member, with this change.
        change_time: When, by the server's clock.
        actor: Who did it, as the request said; may be empty.
        request_id: The request that asked for it, or empty.
        before: What was said of them before; ``None`` if nothing was.
        after: What is said of them since.
    """

    programme: str
    member_id: str
    member_version: int
    change_time: datetime
    actor: str
    request_id: str
    before: MemberProfile | None
    after: MemberProfile


def profile_to_json(profile: MemberProfile) -> str:
    """Return the profile as text; equal profiles give equal texts."""
    expire = profile.points_expire_time
    document = {
        "attributes": encoded_attributes(dict(sorted(profile.attributes.items()))),
        "consents": [[*key, said] for key, said in sorted(profile.consents.items())],
        "tier": profile.tier,
        "points_balance": profile.points_balance,
        "points_expire_micros": None if expire is None else to_micros(expire),
        "time_zone": profile.time_zone,
    }
    said = {name: value for name, value in document.items() if value not in ({}, [], "", None)}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)


def profile_from_json(text: str) -> MemberProfile:
    """Return the profile that ``profile_to_json`` made a text of."""
    document = json.loads(text)
    expire = document.get("points_expire_micros")
    return MemberProfile(
        attributes=cast(dict[str, AttributeValue], decoded_attributes(document.get("attributes", {}))),
        consents={(channel, purpose): said for channel, purpose, said in document.get("consents", [])},
        tier=document.get("tier", ""),
        points_balance=document.get("points_balance"),
        points_expire_time=None if expire is None else from_micros(expire),
        time_zone=document.get("time_zone", ""),
    )
