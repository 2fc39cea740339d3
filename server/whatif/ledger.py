"""What simulated decisions leave open, in memory: budgets reserved, committed and released, and responses still awaited."""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from server.budgets import Changes, Draw, Spent
from server.decide.context import Evidence
from server.storage.schema import COMMITTED, OPEN, RELEASED

Key = tuple[str, int]
"""Account and period."""


@dataclass(slots=True)
class AccountState:
    """An account in one period. Money in millionths of the catalogue's currency.

    Attributes:
        reserved_units, reserved_micros: Open reservations.
        committed_units, committed_micros: Redeemed ones.
        released_units, released_micros: Those that ran out, since the simulation began.
    """

    reserved_units: int = 0
    reserved_micros: int = 0
    committed_units: int = 0
    committed_micros: int = 0
    released_units: int = 0
    released_micros: int = 0

    @property
    def spent(self) -> Spent:
        """Units and money, reserved and committed together."""
        return self.reserved_units + self.committed_units, self.reserved_micros + self.committed_micros


@dataclass(frozen=True, slots=True)
class OpenReservation:
    """What one candidate of a decision has taken from one account.

    Attributes:
        decision_id: The decision.
        member_id: For whom.
        candidate_id: The offer or action.
        account_id: The account.
        period: The account's period.
        units: Units taken.
        micros: Money taken.
        expire_micros: When it is released, microseconds since the Unix epoch.
    """

    decision_id: str
    member_id: str
    candidate_id: str
    account_id: str
    period: int
    units: int
    micros: int
    expire_micros: int


@dataclass(frozen=True, slots=True)
class OpeningBalance:
    """What budgets had spent when the simulation begins.

    Attributes:
        committed: Units and money by account and period.
        open: Reservations that were open.
    """

    committed: Mapping[Key, Spent] = field(default_factory=dict)
    open: Sequence[OpenReservation] = ()


@dataclass(slots=True)
class _Lot:
    """A reservation and what became of it; each account has its own time to hold it."""

    reservation: OpenReservation
    state: str = OPEN

    @property
    def key(self) -> Key:
        return self.reservation.account_id, self.reservation.period


class Ledger:
    """Keeps accounts by the rules of ``server.storage.budget_writes``.

    Args:
        opening: What was spent before.

    Attributes:
        pages: The accounts that anything was ever taken from.
        late_redemptions: Redemptions that came after their reservation was released, and so were spent again.
    """

    def __init__(self, opening: OpeningBalance) -> None:
        self.pages: dict[Key, AccountState] = {}
        self.late_redemptions = 0
        self._taken: dict[tuple[str, str], list[_Lot]] = {}
        self._by_member: dict[tuple[str, str], list[str]] = {}
        self._expiring: list[tuple[int, int, _Lot]] = []
        self._number = 0
        for key, (units, micros) in opening.committed.items():
            page = self._page(key)
            page.committed_units, page.committed_micros = units, micros
        for lot in opening.open:
            self._take(lot)

    def reserve(self, decision_id: str, member_id: str, draws: Sequence[Draw], now: int) -> frozenset[str]:
        """Reserve what a decision takes, all or nothing.

        Args:
            decision_id: The decision.
            member_id: For whom.
            draws: What it takes.
            now: The moment for which it decides, microseconds since the Unix epoch.

        Returns:
            The candidates for which an account has not enough left; empty if all is reserved.
        """
        taken: dict[Key, Spent] = {}
        refused = set()
        by_candidate: dict[str, list[Draw]] = {}
        for draw in draws:
            by_candidate.setdefault(draw.candidate_id, []).append(draw)
        for candidate_id, its_draws in by_candidate.items():
            wanted = self._with(taken, its_draws)
            if wanted is None:
                refused.add(candidate_id)
            else:
                taken = wanted
        if not refused:
            for draw in draws:
                self._take(
                    OpenReservation(
                        decision_id,
                        member_id,
                        draw.candidate_id,
                        draw.account_id,
                        draw.period,
                        draw.units,
                        draw.micros,
                        now + draw.hold_micros,
                    )
                )
        return frozenset(refused)

    def redeem(self, decision_id: str, member_id: str, candidate_id: str) -> Changes:
        """Commit what a decision reserved for a candidate, and return what is spent now of the accounts that changed.

        Without a decision, the member's latest open reservation of the candidate is meant, or their latest released one.

        Args:
            decision_id: The decision.
            member_id: The member.
            candidate_id: The offer or action.

        Returns:
            What is spent now, by account.
        """
        if not decision_id:
            decision_id = self._latest(member_id, candidate_id)
        lots = [one for one in self._taken.get((decision_id, candidate_id), ()) if one.state != COMMITTED]
        for lot in lots:
            page, taken = self._page(lot.key), lot.reservation
            page.committed_units += taken.units
            page.committed_micros += taken.micros
            if lot.state == OPEN:
                page.reserved_units -= taken.units
                page.reserved_micros -= taken.micros
        self.late_redemptions += any(lot.state == RELEASED for lot in lots)
        for lot in lots:
            lot.state = COMMITTED
        return self.spent(lot.key for lot in lots)

    def release(self, now_micros: int) -> Changes:
        """Release what has run out by now, and return what is spent now of the accounts that changed."""
        changed: set[Key] = set()
        while self._expiring and self._expiring[0][0] <= now_micros:
            _, _, lot = heapq.heappop(self._expiring)
            if lot.state != OPEN:
                continue
            page, taken = self._page(lot.key), lot.reservation
            page.reserved_units -= taken.units
            page.reserved_micros -= taken.micros
            page.released_units += taken.units
            page.released_micros += taken.micros
            lot.state = RELEASED
            changed.add(lot.key)
        return self.spent(changed)

    def spent(self, keys: Iterable[Key]) -> Changes:
        """Return what is spent of some accounts."""
        return {key: self._page(key).spent for key in keys}

    def _with(self, taken: dict[Key, Spent], draws: Sequence[Draw]) -> dict[Key, Spent] | None:
        wanted = dict(taken)
        for draw in draws:
            key = (draw.account_id, draw.period)
            units, micros = wanted.get(key, (0, 0))
            wanted[key] = units, micros = units + draw.units, micros + draw.micros
            spent_units, spent_micros = self._page(key).spent
            if draw.allowed_units is not None and spent_units + units > draw.allowed_units:
                return None
            if draw.allowed_micros is not None and spent_micros + micros > draw.allowed_micros:
                return None
        return wanted

    def _take(self, taken: OpenReservation) -> None:
        lot = _Lot(taken)
        lots = self._taken.setdefault((taken.decision_id, taken.candidate_id), [])
        if not lots:
            self._by_member.setdefault((taken.member_id, taken.candidate_id), []).append(taken.decision_id)
        lots.append(lot)
        page = self._page(lot.key)
        page.reserved_units += taken.units
        page.reserved_micros += taken.micros
        self._number += 1
        heapq.heappush(self._expiring, (taken.expire_micros, self._number, lot))

    def _latest(self, member_id: str, candidate_id: str) -> str:
        decisions = self._by_member.get((member_id, candidate_id), ())
        for state in (OPEN, RELEASED):
            for decision_id in reversed(decisions):
                if any(lot.state == state for lot in self._taken[decision_id, candidate_id]):
                    return decision_id
        return ""

    def _page(self, key: Key) -> AccountState:
        page = self.pages.get(key)
        if page is None:
            page = self.pages[key] = AccountState()
        return page


Response = tuple[str, str, str]
"""Member, decision and candidate."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decision that may still be responded to.

    Attributes:
        micros: When it came in, microseconds since the Unix epoch.
        member_id: For whom.
        decision_id: Which.
        candidate_ids: What it gave, *no action* included.
    """

    micros: int
    member_id: str
    decision_id: str
    candidate_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceBefore:
    """What the log knows of responses when a simulation begins.

    Attributes:
        evidence: What was counted.
        waiting: Decisions not counted yet, oldest first.
        responses: Responses to them so far.
    """

    evidence: Evidence = field(default_factory=Evidence)
    waiting: tuple[Waiting, ...] = ()
    responses: frozenset[Response] = frozenset()


class Awaiting:
    """Counts decisions and responses.

    Args:
        before: How things stood.
        window: How long there is to respond.
    """

    def __init__(self, before: EvidenceBefore, window: timedelta) -> None:
        self._window = window // timedelta(microseconds=1)
        self._counts = {name: list(pair) for name, pair in before.evidence.counts.items()}
        self._waiting = deque(before.waiting)
        self._responses = set(before.responses)
        self._evidence = before.evidence

    def gave(self, waiting: Waiting) -> None:
        """Take in a decision, which is later than those before it."""
        self._waiting.append(waiting)

    def responded(self, response: Response) -> None:
        """Take in a response; one to a decision that was counted comes too late."""
        self._responses.add(response)

    def until(self, micros: int) -> Evidence:
        """Count the decisions for which the time has run out by a moment, and return what is known then."""
        counted = False
        while self._waiting and self._waiting[0].micros + self._window <= micros:
            self._count(self._waiting.popleft())
            counted = True
        if counted:
            self._evidence = Evidence({name: (pair[0], pair[1]) for name, pair in self._counts.items()})
        return self._evidence

    def _count(self, waiting: Waiting) -> None:
        for candidate_id in waiting.candidate_ids:
            pair = self._counts.setdefault(candidate_id, [0, 0])
            pair[0] += 1
            response = (waiting.member_id, waiting.decision_id, candidate_id)
            if response in self._responses:
                self._responses.discard(response)
                pair[1] += 1
