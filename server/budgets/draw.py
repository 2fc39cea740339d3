"""What one candidate of a decision takes from one account."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Draw:
    """An amount to reserve, together with what the account allows at the time of the decision.

    Attributes:
        candidate_id: For which offer or action.
        account_id: From which account: ``candidate:ID:POSITION``, ``group:ID:POSITION`` (position of the budget in its
            list, from 0) or ``inventory:ID``.
        period: When the account's current period began, whole microseconds since the Unix epoch; 0 for a total.
        units: Units to take.
        micros: Money to take, in millionths of the catalogue's currency.
        allowed_units: Units that reserved and committed together may reach by now; no limit if none.
        allowed_micros: The same for money.
        hold_micros: The reservation is released so many microseconds after the decision, unless it was redeemed.
        document: What the store keeps of it, as JSON text: candidate, account, period, units, micros and hold.
    """

    candidate_id: str
    account_id: str
    period: int
    units: int
    micros: int
    allowed_units: int | None
    allowed_micros: int | None
    hold_micros: int
    document: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kept = (self.candidate_id, self.account_id, self.period, self.units, self.micros, self.hold_micros)
        # Encoded once: a draw stays the same for all decisions of an hour or a period.
        object.__setattr__(self, "document", json.dumps(kept, separators=(",", ":")))
