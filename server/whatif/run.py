"""One run: a catalogue answers every request, one after the other, in a world of its own; responses may be drawn."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from experiments.assignment.assign import assign_all
from experiments.log.events import Outcome, to_micros
from server.budgets import Account, Accounts, Closed, Draw
from server.catalogue import NO_ACTION
from server.decide.choice import Choice, Considered
from server.decide.context import DecisionContext, Evidence
from server.decide.decide import decide
from server.decide.explore import uniform
from server.decide.policy import ACTION_ARBITRATION
from server.decide.snapshot import Snapshot
from server.errors import RequestError
from server.handlers.decisions import placement_of
from server.members.state import PURCHASE, REDEMPTION
from server.whatif.ledger import AccountState, EvidenceBefore, Ledger, OpeningBalance
from server.whatif.log import StartStates
from server.whatif.requests import Happening, SimulatedRequest
from server.whatif.tally import Answered, SimulationCounts, worth_of
from server.whatif.world import World

DELAY = timedelta(hours=1)
"""An assumed response comes so long after its decision."""


class AssumedResponses:
    """Redemptions of what a simulated policy gives. Each depends on the seed, the request and the rank alone.

    Args:
        programme: The loyalty programme.
        seed: Decides who responds.

    Attributes:
        count: Responses drawn so far.
    """

    def __init__(self, programme: str, seed: int) -> None:
        self._programme = programme
        self._seed = seed
        self._waiting: list[tuple[int, int, Outcome]] = []
        self.count = 0

    def draw(self, request: SimulatedRequest, given: Sequence[tuple[str, str, float]]) -> None:
        """Draw the responses to an answer.

        Args:
            request: What was asked.
            given: Offers or actions, each with its channel and the probability of a response.
        """
        for rank, (candidate_id, channel_id, probability) in enumerate(given):
            if uniform(f"{self._seed}:response:{request.key}", rank) < probability:
                self._put(request, candidate_id, channel_id, rank)

    def due(self, now: datetime) -> Iterator[Outcome]:
        """Yield and forget the responses that have come by a moment, the earliest first."""
        micros = to_micros(now)
        while self._waiting and self._waiting[0][0] <= micros:
            yield heapq.heappop(self._waiting)[2]

    def _put(self, request: SimulatedRequest, candidate_id: str, channel_id: str, rank: int) -> None:
        moment = request.time + DELAY
        outcome = Outcome(
            programme=self._programme,
            event_id=f"{request.key}:{rank}",
            member_id=request.member_id,
            outcome_type=REDEMPTION,
            decision_id=request.key,
            offer_id=candidate_id,
            value_units=None,
            value_nanos=None,
            currency_code="",
            outcome_time=moment,
            receive_time=moment,
            channel_id=channel_id,
        )
        self.count += 1
        heapq.heappush(self._waiting, (to_micros(moment), self.count, outcome))


def replaced_by_assumed(outcome: Outcome) -> bool:
    """Tell whether assumed responses stand in for an outcome of the log: a redemption or purchase that names what it is due to."""
    return outcome.outcome_type in (REDEMPTION, PURCHASE) and bool(outcome.decision_id or outcome.offer_id)


_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class BudgetDay:
    """An account at the end of a day, in the period of that day. Money in the catalogue's currency.

    Attributes:
        day: The local day.
        reserved_units, reserved: Open reservations.
        committed_units, committed: Redeemed ones.
        released_units, released: Those that ran out, since the simulation or the period began.
        left_units, left: What the period still allows; ``None`` without such a limit.
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
            page = self._ledger.pages.get((one.account.account_id, period), AccountState())
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


_REPORT_EVERY = 500


@dataclass(frozen=True, slots=True)
class Setting:
    """What all runs have in common.

    Attributes:
        programme: The loyalty programme.
        happenings: Requests and what else happened, in order.
        start: How members stood before.
        balance: What budgets had spent before.
        evidence: What was known of responses before.
        evidence_interval: Between two looks at the responses.
        assume: Whether responses are drawn instead of taken from the log.
        seed: Decides what is left to chance; 0 takes each request's key as it is, as the server did.
        keep_rows: Whether every answer is kept.
    """

    programme: str
    happenings: Sequence[Happening]
    start: StartStates
    balance: OpeningBalance
    evidence: EvidenceBefore
    evidence_interval: timedelta
    assume: bool
    seed: int
    keep_rows: bool


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run.

    Attributes:
        snapshot: What decided.
        tally: What it did.
        burn_down: What became of its budgets.
        responses: Assumed responses; 0 where the log's are taken.
        late_redemptions: Redemptions that came after their reservation was released.
    """

    snapshot: Snapshot
    tally: SimulationCounts
    burn_down: BurnDown
    responses: int
    late_redemptions: int


def run(
    snapshot: Snapshot,
    setting: Setting,
    report: Callable[[int], None] = lambda _: None,
    on_choice: Callable[[SimulatedRequest, Choice], None] = lambda _request, _choice: None,
) -> Run:
    """Answer every request.

    Args:
        snapshot: Catalogue, plan and models that decide.
        setting: What is asked, and how things stood before.
        report: Told now and then how many happenings are behind.
        on_choice: Told every answer.

    Returns:
        What came of it.
    """
    runner = _Runner(snapshot, setting, on_choice)
    for number, happening in enumerate(setting.happenings):
        if isinstance(happening, SimulatedRequest):
            runner.ask(happening)
        elif not isinstance(happening, Outcome):
            runner.world.profile_changed(happening)
        elif not (setting.assume and replaced_by_assumed(happening)):
            runner.world.happened(happening)
        if number % _REPORT_EVERY == 0:
            report(number)
    return runner.end()


class _Runner:
    def __init__(
        self, snapshot: Snapshot, setting: Setting, on_choice: Callable[[SimulatedRequest, Choice], None]
    ) -> None:
        self._snapshot = snapshot
        self._setting = setting
        self._on_choice = on_choice
        self._accounts = snapshot.compiled.accounts
        self.world = World(
            self._accounts,
            setting.start,
            setting.balance,
            before=setting.evidence,
            window=snapshot.catalogue.response_window,
            interval=setting.evidence_interval,
        )
        self._tally = SimulationCounts(snapshot.catalogue, keep_rows=setting.keep_rows)
        self._burn_down = BurnDown(self._accounts, self.world.ledger)
        self._responses = AssumedResponses(setting.programme, setting.seed) if setting.assume else None
        self._last: tuple[date, int] | None = None

    def ask(self, request: SimulatedRequest) -> None:
        day = request.time.astimezone(self._snapshot.catalogue.zone).date()
        if self._last is not None and day > self._last[0]:
            self._burn_down.end_day(*self._last)
        if self._last is None or day >= self._last[0]:
            self._last = day, to_micros(request.time)
        if self._responses is not None:
            for outcome in self._responses.due(request.time):
                self.world.happened(outcome)
        context = DecisionContext(
            programme=self._setting.programme,
            member_id=request.member_id,
            placement_id=request.placement_id,
            channel_id=request.channel_id,
            attributes=request.attributes,
            basket=request.basket,
        )
        context.time = request.time
        if request.member_id not in self._tally.members:
            self._meet(context)
        try:
            placement, channel_id = placement_of(context, self._snapshot.catalogue)
        except RequestError:
            self._tally.refused(request)
            self.world.refused(request)
            return
        # The log has the size of the answer, for actions too, which a client may not name.
        context.offer_count = request.count
        context.place(placement, channel_id, time=request.time, receive_time=request.time)
        self._decide(request, context, day)

    def end(self) -> Run:
        if self._last is not None:
            self._burn_down.end_day(*self._last)
        return Run(
            self._snapshot,
            self._tally,
            self._burn_down,
            0 if self._responses is None else self._responses.count,
            self.world.ledger.late_redemptions,
        )

    def _decide(self, request: SimulatedRequest, context: DecisionContext, day: date) -> None:
        closed, evidence = self.world.at(request.time)
        while True:
            choice, considered = self._choose(request, context, closed, evidence)
            draws = self._accounts.draws(choice.candidate_ids, request.time)
            refused = self.world.reserve(request, draws) if draws else frozenset()
            if not refused:
                break
            closed = Closed.of(closed.candidate_ids | refused)
        state = self.world.gave(request, choice, context.channel_id)
        self._burn_down.drew(draws, day)
        arbitration = self._snapshot.catalogue.arbitrations_by_id.get(
            choice.arbitration_id, ACTION_ARBITRATION
        )
        places, table = considered.slate.places, considered.table
        worths = [worth_of(considered, place, arbitration.factors) for place in places]
        self._tally.decided(Answered(request, day, choice, considered, worths, state))
        if self._responses is not None:
            given = [
                (table.candidates[place].candidate_id, table.channel_ids[place], worth.probability)
                for place, worth in zip(places, worths, strict=True)
                if table.candidates[place].candidate_id != NO_ACTION
            ]
            self._responses.draw(request, given)
        self._on_choice(request, choice)

    def _choose(
        self, request: SimulatedRequest, context: DecisionContext, closed: Closed, evidence: Evidence
    ) -> tuple[Choice, Considered]:
        assigned = request.assigned
        if assigned is None:
            assigned = tuple(
                assign_all(self._snapshot.plan, request.member_id, context.placement_id, request.attributes)
            )
        seed = self._setting.seed
        context.attempt(
            f"{seed}:{request.key}" if seed else request.key,
            self.world.state(request.member_id),
            assigned,
            closed=closed,
            evidence=evidence,
        )
        return decide(self._snapshot, context)

    def _meet(self, context: DecisionContext) -> None:
        context.state = state = self.world.state(context.member_id)
        attributes = context.rule_attributes(self._snapshot.catalogue.zone)
        _, segments = self._snapshot.compiled.book.codes(context, attributes, ())
        self._tally.met(context.member_id, state.profile.tier, segments)
