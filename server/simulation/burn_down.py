"""How budgets are used up, day by day."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from server.budgets import Account, Accounts, Draw
from server.whatif.ledger import Ledger, Page

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class BudgetDay:
    """An account at the end of a day, in the period of that day. Money in the catalogue's currency.

    Attributes:
        day: The local day.
        reserved_units, reserved: Open reservations.
        committed_units, committed: Redeemed ones.
        released_units, released: Those that ran out, since the simulation or the period began.
        left_units, left: What the period still allows; none without such a limit.
    """

    day: date
    reserved_units: int
    reserved: float
    committed_units: int
    committed: float
    released_units: int
    released: float
    left_units: int | None
    left: float | None


@dataclass(slots=True)
class _Followed:
    account: Account
    cheapest: int
    days: list[BudgetDay] = field(default_factory=list)
    ran_out: date | None = None


class BurnDown:
    """Follows the accounts of a catalogue.

    Args:
        accounts: Its budgets and inventories.
        ledger: What is spent of them.
    """

    def __init__(self, accounts: Accounts, ledger: Ledger) -> None:
        self._ledger = ledger
        self.followed: dict[str, _Followed] = {}
        for candidate_id, drawn in accounts.by_candidate.items():
            cost = accounts.cost_micros[candidate_id]
            for account in drawn:
                one = self.followed.setdefault(account.account_id, _Followed(account, cost))
                one.cheapest = min(one.cheapest, cost)

    def drew(self, draws: Sequence[Draw], day: date) -> None:
        """Note what a decision drew, and which accounts ran out by it: not even the cheapest fits until the period ends."""
        for draw in draws:
            one = self.followed[draw.account_id]
            if one.ran_out is not None:
                continue
            units, micros = self._ledger.pages[draw.account_id, draw.period].spent
            account = one.account
            if (account.units is not None and units >= account.units) or (
                account.micros is not None and micros + one.cheapest > account.micros
            ):
                one.ran_out = day

    def end_day(self, day: date, micros: int) -> None:
        """Note how every account stands at the end of a day, at the moment of its last request."""
        for one in self.followed.values():
            period = one.account.schedule.at(micros).period
            page = self._ledger.pages.get((one.account.account_id, period), Page())
            units, money = page.spent
            limit, limit_micros = one.account.units, one.account.micros
            one.days.append(
                BudgetDay(
                    day=day,
                    reserved_units=page.reserved_units,
                    reserved=page.reserved_micros / _MILLION,
                    committed_units=page.committed_units,
                    committed=page.committed_micros / _MILLION,
                    released_units=page.released_units,
                    released=page.released_micros / _MILLION,
                    left_units=None if limit is None else limit - units,
                    left=None if limit_micros is None else (limit_micros - money) / _MILLION,
                )
            )
