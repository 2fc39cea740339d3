"""What one candidate of a decision takes from one account."""

from dataclasses import dataclass


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
        expire_micros: When the reservation is released unless it was redeemed, microseconds since the Unix epoch.
    """

    candidate_id: str
    account_id: str
    period: int
    units: int
    micros: int
    allowed_units: int | None
    allowed_micros: int | None
    expire_micros: int
