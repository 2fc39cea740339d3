"""The accounts of a catalogue: which candidate draws how much from which, and what each allows by now in its period."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from experiments.log.events import from_micros, to_micros
from server.catalogue import Budget, Candidate, Catalogue, Money, Offer

PeriodKind = Literal["total", "day", "week", "month"]

_HOUR = 3_600_000_000
_DAY = timedelta(days=1)
_NEVER, _ALWAYS = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in which nothing changes but what is spent. Times in microseconds since the Unix epoch.

    Attributes:
        period: When the period began; 0 for a total.
        from_micros: Its first moment.
        until_micros: The first moment after it.
        let_out: Of the budget, so many parts are let out ...
        whole: ... of so many.
    """

    period: int
    from_micros: int
    until_micros: int
    let_out: int = 1
    whole: int = 1

    def holds(self, micros: int) -> bool:
        """Tell whether a moment lies in it."""
        return self.from_micros <= micros < self.until_micros

    def allowed(self, limit: int) -> int:
        """Return how much of a limit is let out, rounded down."""
        return limit * self.let_out // self.whole


class Schedule:
    """The periods of some budgets, and their pacing. Safe to share between threads.

    Args:
        kind: How long a period lasts.
        zone: Where days begin and end.
        paced: Whether it is let out hour by hour.
        first_day: When a paced total begins.
        last_day: Its last day, included. A total is paced only between two days; without one of them all of it is let out.
    """

    def __init__(
        self,
        kind: PeriodKind,
        zone: ZoneInfo,
        *,
        paced: bool = False,
        first_day: date = date.min,
        last_day: date = date.max,
    ) -> None:
        self._kind = kind
        self._zone = zone
        self._paced = paced
        self._bounds: tuple[int, int] | None = None
        if kind == "total" and paced and first_day > date.min and last_day < date.max:
            self._bounds = self._midnight(first_day), self._midnight(last_day + _DAY)
        self._latest = Window(0, _NEVER, _NEVER)

    def at(self, micros: int) -> Window:
        """Return the window that a moment lies in, microseconds since the Unix epoch."""
        latest = self._latest
        if not latest.holds(micros):
            latest = self._latest = self._find(micros)
        return latest

    def _find(self, micros: int) -> Window:
        if self._kind != "total":
            begin, end = self._period(from_micros(micros).astimezone(self._zone).date())
            return _paced(begin, begin, end, micros) if self._paced else Window(begin, begin, end)
        if self._bounds is None:
            return Window(0, _NEVER, _ALWAYS)
        begin, end = self._bounds
        if micros < begin:
            return Window(0, _NEVER, begin, let_out=0)
        return _paced(0, begin, end, micros) if micros < end else Window(0, end, _ALWAYS)

    def _period(self, day: date) -> tuple[int, int]:
        if self._kind == "day":
            first, following = day, day + _DAY
        elif self._kind == "week":
            first = day - day.weekday() * _DAY
            following = first + 7 * _DAY
        else:
            first = day.replace(day=1)
            following = (first + 31 * _DAY).replace(day=1)
        return self._midnight(first), self._midnight(following)

    def _midnight(self, day: date) -> int:
        # Where the clock jumps over midnight or strikes it twice, this is the first moment of the day.
        return to_micros(datetime.combine(day, time(), self._zone))


def _paced(period: int, begin: int, end: int, micros: int) -> Window:
    """Return the hour that a moment lies in, counted from the beginning: real hours, of which a day may have 23 or 25."""
    hour = (micros - begin) // _HOUR
    start, following = begin + hour * _HOUR, min(begin + (hour + 1) * _HOUR, end)
    return Window(period, start, following, let_out=following - begin, whole=end - begin)


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


INVENTORY_HOLD_DAYS = 7.0
"""After so many days without redemption a piece is back in the inventory."""

_MICROS_A_DAY = 86_400_000_000
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Account:
    """One budget or inventory.

    Attributes:
        account_id: See ``Draw``.
        schedule: Its periods and pacing.
        units: At most so many in a period; no limit if none.
        micros: At most so much money in a period, in millionths of the catalogue's currency; no limit if none.
        hold_micros: A reservation lasts so many microseconds.
    """

    account_id: str
    schedule: Schedule
    units: int | None
    micros: int | None
    hold_micros: int


@dataclass
class _Found:
    budget: Budget
    candidates: list[Candidate] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a candidate draws from a moment until another, in microseconds since the Unix epoch."""

    from_micros: int
    until_micros: int
    draws: tuple[Draw, ...]


class Accounts:
    """The accounts of a catalogue, compiled once. Safe to share between threads.

    Args:
        catalogue: The catalogue.

    Attributes:
        by_candidate: What an offer or action draws from: its own budgets, those of its groups, the nearest first, and its
            inventory; only those that draw from something.
        cost_micros: What one decision for it takes, in millionths of the catalogue's currency, rounded up; of the same.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._schedules: dict[tuple[object, ...], Schedule] = {}
        self._drawn: dict[str, _Drawn] = {}
        drawing = {
            one.candidate_id: one for one in catalogue.candidates_by_id.values() if _draws(catalogue, one)
        }
        found: dict[str, _Found] = {}
        for candidate in drawing.values():
            for account_id, budget in _budgets(catalogue, candidate):
                found.setdefault(account_id, _Found(budget)).candidates.append(candidate)
        made = {account_id: self._account(catalogue, account_id, one) for account_id, one in found.items()}
        stock = self._schedule(Budget(units=1), catalogue, ())
        self.by_candidate: Mapping[str, tuple[Account, ...]] = {
            candidate_id: (
                *(made[account_id] for account_id, _ in _budgets(catalogue, candidate)),
                *_inventory(candidate, stock),
            )
            for candidate_id, candidate in drawing.items()
        }
        self.cost_micros: Mapping[str, int] = {
            candidate_id: _cost_micros(candidate) for candidate_id, candidate in drawing.items()
        }

    def draws(self, candidate_ids: Iterable[str], time: datetime) -> list[Draw]:
        """Return what a decision takes, in the order of its candidates; nothing for those without budget and inventory.

        Args:
            candidate_ids: The offers or actions that it gives.
            time: The moment for which it decides.
        """
        if not self.by_candidate:
            return []
        now = to_micros(time)
        taken: list[Draw] = []
        for candidate_id in candidate_ids:
            if candidate_id in self.by_candidate:
                drawn = self._drawn.get(candidate_id)
                if drawn is None or not drawn.from_micros <= now < drawn.until_micros:
                    drawn = self._drawn[candidate_id] = self._draws_at(candidate_id, now)
                taken += drawn.draws
        return taken

    def _draws_at(self, candidate_id: str, now: int) -> "_Drawn":
        accounts = self.by_candidate[candidate_id]
        windows = [account.schedule.at(now) for account in accounts]
        draws = tuple(
            Draw(
                candidate_id=candidate_id,
                account_id=account.account_id,
                period=window.period,
                units=1,
                micros=self.cost_micros[candidate_id],
                allowed_units=None if account.units is None else window.allowed(account.units),
                allowed_micros=None if account.micros is None else window.allowed(account.micros),
                hold_micros=account.hold_micros,
            )
            for account, window in zip(accounts, windows, strict=True)
        )
        from_micros = max(window.from_micros for window in windows)
        return _Drawn(from_micros, min(window.until_micros for window in windows), draws)

    def _account(self, catalogue: Catalogue, account_id: str, found: _Found) -> Account:
        budget = found.budget
        return Account(
            account_id=account_id,
            schedule=self._schedule(budget, catalogue, found.candidates),
            units=budget.units,
            micros=None if budget.money is None else _micros(budget.money.amount, ROUND_FLOOR),
            hold_micros=_days(budget.hold_days),
        )

    def _schedule(self, budget: Budget, catalogue: Catalogue, candidates: Iterable[Candidate]) -> Schedule:
        paced, first_day, last_day = budget.pacing == "even", date.min, date.max
        if paced and budget.period == "total":
            first_day = budget.first_day or min(one.valid_from for one in candidates)
            last_day = budget.last_day or max(one.valid_until for one in candidates)
        key = (budget.period, paced, first_day, last_day)
        if key not in self._schedules:
            self._schedules[key] = Schedule(
                budget.period, catalogue.zone, paced=paced, first_day=first_day, last_day=last_day
            )
        return self._schedules[key]


def _draws(catalogue: Catalogue, candidate: Candidate) -> bool:
    return candidate.inventory is not None or any(True for _ in _budgets(catalogue, candidate))


def _budgets(catalogue: Catalogue, candidate: Candidate) -> Iterator[tuple[str, Budget]]:
    """Return the budgets that limit a candidate, with the ids of their accounts."""
    for position, budget in enumerate(candidate.budgets):
        yield f"candidate:{candidate.candidate_id}:{position}", budget
    for group in catalogue.lineage(candidate.group_id):
        for position, budget in enumerate(group.budgets):
            yield f"group:{group.group_id}:{position}", budget


def _inventory(candidate: Candidate, schedule: Schedule) -> Iterator[Account]:
    if candidate.inventory is not None:
        account_id, hold = f"inventory:{candidate.candidate_id}", _days(INVENTORY_HOLD_DAYS)
        yield Account(account_id, schedule, candidate.inventory, None, hold)


def _cost_micros(candidate: Candidate) -> int:
    response_cost = candidate.response_cost
    if response_cost is None and isinstance(candidate, Offer):
        response_cost = candidate.discount
    parts: tuple[Money | None, ...] = (candidate.cost, response_cost, candidate.points_liability)
    amount = sum((part.amount for part in parts if part is not None), Decimal(0))
    # What brings money in does not fill the budget.
    return max(_micros(amount, ROUND_CEILING), 0)


def _micros(amount: Decimal, rounding: str) -> int:
    return int((amount * _MILLION).to_integral_value(rounding=rounding))


def _days(days: float) -> int:
    return round(days * _MICROS_A_DAY)
