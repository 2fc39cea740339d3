"""How the programme changes what it says of a member."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from experiments.rules import AttributeValue
from server.members.profile import MemberProfile


@dataclass(frozen=True, slots=True)
class ProfileUpdate:
    """What to change in the profile of one member; the rest stays.

    Attributes:
        member_id: The member.
        attributes: New values by name; none takes the attribute away.
        consents: What she said, by channel and purpose; none as if she had never been asked.
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
        before: What was said of her before; none if nothing was.
        after: What is said of her since.
    """

    programme: str
    member_id: str
    member_version: int
    change_time: datetime
    actor: str
    request_id: str
    before: MemberProfile | None
    after: MemberProfile
