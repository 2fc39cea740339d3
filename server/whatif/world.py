"""The virtual state that decisions of a simulation read and change: members, budgets, evidence. In memory only."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from experiments.log.events import Outcome, to_micros
from server.budgets import Accounts, Book, Closed, Draw, Totals
from server.decide.choice import Choice
from server.decide.context import Evidence
from server.members import MemberState
from server.members.profile import ProfileChange
from server.members.state import PURCHASE, REDEMPTION, after_outcome, given
from server.whatif.ledger import Awaiting, EvidenceBefore, Ledger, OpeningBalance, Waiting
from server.whatif.log import StartStates
from server.whatif.requests import SimulatedRequest

RETURN = "return"
_RESPONSES = (REDEMPTION, PURCHASE)


class World:
    """Members, budgets and evidence as the log would have them.

    Args:
        accounts: Budgets of the catalogue.
        start: How members stood before.
        balance: What budgets had spent before.
        before: What was known of responses before.
        window: How long there is to respond before a decision counts; ``None`` if no placement reads evidence.
        interval: Between two looks at the responses.

    Attributes:
        ledger: Budgets and inventories.
        book: What they close.
    """

    def __init__(
        self,
        accounts: Accounts,
        start: StartStates,
        balance: OpeningBalance,
        *,
        before: EvidenceBefore,
        window: timedelta | None,
        interval: timedelta,
    ) -> None:
        self.ledger = Ledger(balance)
        self.book = Book(accounts, Totals(0, self.ledger.spent(self.ledger.pages)))
        self._start = start
        self._states: dict[str, MemberState] = {}
        self._given: dict[str, frozenset[str]] = {}
        self._awaiting = None if window is None else Awaiting(before, window)
        self._evidence = Evidence() if window is None else before.evidence
        self._interval = interval
        self._due: datetime | None = None

    def state(self, member_id: str) -> MemberState:
        """Return a member's state now."""
        state = self._states.get(member_id)
        return self._start.of(member_id) if state is None else state

    def at(self, now: datetime) -> tuple[Closed, Evidence]:
        """Move on to a moment, and return what budgets have closed and what is known of responses."""
        self.book.spent(self.ledger.release(to_micros(now)))
        if self._awaiting is not None and (self._due is None or now >= self._due):
            self._evidence = self._awaiting.until(to_micros(now))
            self._due = now + self._interval
        return self.book.closed(now), self._evidence

    def reserve(self, request: SimulatedRequest, draws: Sequence[Draw]) -> frozenset[str]:
        """Reserve what a decision takes, and return the candidates that an account refused; then nothing is reserved."""
        refused = self.ledger.reserve(request.key, request.member_id, draws, to_micros(request.time))
        keys = {(draw.account_id, draw.period) for draw in draws}
        self.book.spent(self.ledger.spent(keys))
        return refused

    def gave(self, request: SimulatedRequest, choice: Choice, channel_id: str) -> MemberState:
        """Take in a decision, and return the member's state after it.

        Args:
            request: What was asked.
            choice: What was chosen.
            channel_id: How the answer travels.

        Returns:
            The state after it.
        """
        chosen = [
            *((offer.offer_id, channel_id) for offer in choice.offers),
            *((action.action_id, action.channel_id) for action in choice.actions),
        ]
        state = self.state(request.member_id)
        state = state.after_decision(state.version + 1, to_micros(request.time), *given(chosen))
        self._states[request.member_id] = state
        self._given[request.key] = frozenset(choice.candidate_ids)
        if self._awaiting is not None:
            self._awaiting.gave(
                Waiting(
                    to_micros(request.time), request.member_id, request.key, tuple(one for one, _ in chosen)
                )
            )
        return state

    def refused(self, request: SimulatedRequest) -> None:
        """Take in a request that the catalogue cannot answer: it gives nothing."""
        self._given[request.key] = frozenset()

    def happened(self, outcome: Outcome) -> None:
        """Take in an outcome, as far as it can have happened in this world.

        One that names a decision of the period and an offer needs that the simulated decision gave the offer. Otherwise a
        purchase or a return counts without the offer, and anything else, such as a click or a redemption, did not happen.
        """
        candidate_id, answer = outcome.offer_id, self._given.get(outcome.decision_id)
        if candidate_id and answer is not None and candidate_id not in answer:
            if outcome.outcome_type not in (PURCHASE, RETURN):
                return
            candidate_id = ""
        if outcome.outcome_type == REDEMPTION and candidate_id:
            changes = self.ledger.redeem(outcome.decision_id, outcome.member_id, candidate_id)
            self.book.spent(changes)
        if self._awaiting and outcome.outcome_type in _RESPONSES and candidate_id and outcome.decision_id:
            self._awaiting.responded((outcome.member_id, outcome.decision_id, candidate_id))
        if not self._start.has(outcome):
            self._fold(outcome, candidate_id)

    def profile_changed(self, change: ProfileChange) -> None:
        """Take in a change of a member's profile."""
        if not self._start.has_profile(change):
            state = self.state(change.member_id)
            self._states[change.member_id] = state.after_profile(state.version + 1, change.after)

    def _fold(self, outcome: Outcome, candidate_id: str) -> None:
        state = self.state(outcome.member_id)
        self._states[outcome.member_id] = after_outcome(
            state, replace(outcome, member_version=state.version + 1, offer_id=candidate_id)
        )
