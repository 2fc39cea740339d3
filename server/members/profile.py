"""What a programme says of a member: attributes, consent, tier, points."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from experiments.rules import AttributeValue

ANY_CHANNEL = ""
MOST_ATTRIBUTES = 100
MOST_CONSENTS = 200
"""What one member has at most."""


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """What was last said of a member. Immutable.

    Attributes:
        attributes: By name, for rules, models and experiments.
        consents: Whether she consented, by channel and purpose; the empty channel stands for those not named.
        tier: Her tier, or empty.
        points_balance: Points she has; none if nobody said.
        points_expire_time: When the next of them expire; none if none do.
        time_zone: IANA name of her time zone; empty for the catalogue's.
    """

    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    consents: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    tier: str = ""
    points_balance: int | None = None
    points_expire_time: datetime | None = None
    time_zone: str = ""

    def consented(self, channel_id: str, purpose: str) -> bool:
        """Tell whether she consented; who was never asked did not."""
        said = self.consents.get((channel_id, purpose))
        return self.consents.get((ANY_CHANNEL, purpose), False) if said is None else said
