"""What is spent of one account, as the transaction sees it that is open."""

from dataclasses import dataclass

from server.budgets import Draw, Spent


@dataclass(slots=True)
class AccountTotals:
    """An account in one period.

    Attributes:
        reserved_units: Units that open reservations hold.
        reserved_micros: The same in money, in millionths of the catalogue's currency.
        committed_units: Units that were redeemed.
        committed_micros: The same in money.
        next_expiry: A time before which none of its open reservations runs out; none if nothing is known.
    """

    reserved_units: int = 0
    reserved_micros: int = 0
    committed_units: int = 0
    committed_micros: int = 0
    next_expiry: int | None = None

    @property
    def spent(self) -> Spent:
        """Reserved and committed together."""
        return self.reserved_units + self.committed_units, self.reserved_micros + self.committed_micros

    def reserve(self, units: int, micros: int) -> None:
        """Add to what is reserved."""
        self.reserved_units += units
        self.reserved_micros += micros

    def allows(self, draw: Draw, units: int = 0, micros: int = 0) -> bool:
        """Tell whether no more is spent than a draw allows, if so much is added."""
        return (
            draw.allowed_units is None
            or self.reserved_units + self.committed_units + units <= draw.allowed_units
        ) and (
            draw.allowed_micros is None
            or self.reserved_micros + self.committed_micros + micros <= draw.allowed_micros
        )

    def commit(self, units: int, micros: int) -> None:
        """Add to what is committed."""
        self.committed_units += units
        self.committed_micros += micros
