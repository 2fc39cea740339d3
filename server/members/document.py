"""A member's profile as JSON text, and back."""

import json
from typing import cast

from experiments.log.events import from_micros, to_micros
from experiments.log.rows import decoded_attributes, encoded_attributes
from experiments.rules import AttributeValue
from server.members.profile import MemberProfile


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
