"""One run: a catalogue answers every request, one after the other, in a world of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from experiments.assignment.assign import assign_all
from experiments.log.events import Outcome, to_micros
from server.budgets import Closed
from server.catalogue import NO_ACTION, Placement
from server.decide.choice import Choice, Considered
from server.decide.context import Visit
from server.decide.decide import decide
from server.decide.evidence import Evidence
from server.decide.policy import ACTION_ARBITRATION
from server.decide.question import Question
from server.errors import RequestError
from server.handlers.decision_request import DecisionRequest, placement_of
from server.programme.snapshot import Snapshot
from server.simulation.awaiting import EvidenceBefore
from server.simulation.burn_down import BurnDown
from server.simulation.requests import Happening, Request
from server.simulation.responses import AssumedResponses, replaced_by_assumed
from server.simulation.start import StartStates
from server.simulation.worth import worth_of
from server.whatif.ledger import OpeningBalance
from server.whatif.tally import Answered, Tally
from server.whatif.world import World

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
    tally: Tally
    burn_down: BurnDown
    responses: int
    late_redemptions: int


def run(
    snapshot: Snapshot,
    setting: Setting,
    report: Callable[[int], None] = lambda _: None,
    on_choice: Callable[[Request, Choice], None] = lambda _request, _choice: None,
) -> Run:
    """Answer every request.

    Args:
        snapshot: Catalogue, plan and models that decide.
        setting: What is asked, and how things stood before.
        report: Told now and then how many happenings are behind.
        on_choice: Told every answer.
    """
    runner = _Runner(snapshot, setting, on_choice)
    for number, happening in enumerate(setting.happenings):
        if isinstance(happening, Request):
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
        self, snapshot: Snapshot, setting: Setting, on_choice: Callable[[Request, Choice], None]
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
        self._tally = Tally(snapshot.catalogue, keep_rows=setting.keep_rows)
        self._burn_down = BurnDown(self._accounts, self.world.ledger)
        self._responses = AssumedResponses(setting.programme, setting.seed) if setting.assume else None
        self._last: tuple[date, int] | None = None

    def ask(self, request: Request) -> None:
        day = request.time.astimezone(self._snapshot.catalogue.zone).date()
        if self._last is not None and day > self._last[0]:
            self._burn_down.end_day(*self._last)
        if self._last is None or day >= self._last[0]:
            self._last = day, to_micros(request.time)
        if self._responses is not None:
            for outcome in self._responses.due(request.time):
                self.world.happened(outcome)
        if request.member_id not in self._tally.members:
            self._meet(request)
        asked = DecisionRequest(
            programme=self._setting.programme,
            member_id=request.member_id,
            placement_id=request.placement_id,
            channel_id=request.channel_id,
        )
        try:
            placement, channel_id = placement_of(asked, self._snapshot.catalogue)
        except RequestError:
            self._tally.refused(request)
            self.world.refused(request)
            return
        self._decide(request, placement, channel_id, day)

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

    def _decide(self, request: Request, placement: Placement, channel_id: str, day: date) -> None:
        closed, evidence = self.world.at(request.time)
        while True:
            choice, considered = self._choose(request, placement, channel_id, closed, evidence)
            draws = self._accounts.draws(choice.candidate_ids, request.time)
            refused = self.world.reserve(request, draws) if draws else frozenset()
            if not refused:
                break
            closed = Closed.of(closed.candidate_ids | refused)
        state = self.world.gave(request, choice, channel_id)
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
        self, request: Request, placement: Placement, channel_id: str, closed: Closed, evidence: Evidence
    ) -> tuple[Choice, Considered]:
        assigned = request.assigned
        if assigned is None:
            assigned = tuple(
                assign_all(self._snapshot.plan, request.member_id, placement.placement_id, request.attributes)
            )
        seed = self._setting.seed
        question = Question(
            placement=placement,
            channel_id=channel_id,
            visit=Visit(self.world.state(request.member_id), request.attributes, request.basket),
            assigned=assigned,
            count=min(request.count or placement.default_offer_count, placement.max_offer_count),
            time=request.time,
            seed=f"{seed}:{request.key}" if seed else request.key,
            closed=closed,
            evidence=evidence,
        )
        return decide(self._snapshot, question)

    def _meet(self, request: Request) -> None:
        state = self.world.state(request.member_id)
        visit = Visit(state, request.attributes, request.basket)
        attributes = visit.rule_attributes(request.placement_id, request.time, self._snapshot.catalogue.zone)
        _, segments = self._snapshot.compiled.book.codes(visit, attributes, ())
        self._tally.met(request.member_id, state.profile.tier, segments)
