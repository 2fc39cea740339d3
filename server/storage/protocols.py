"""The interface of every event log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.log.events import Decision, Exposure, Outcome
from server.budgets import Draw


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of a batch of events.

    Attributes:
        accepted_count: Events that were new.
        duplicate_count: Events whose id was known, in the log or earlier in the batch.
        unattributed_count: New outcomes that name no decision of their member in the log.
    """

    accepted_count: int
    duplicate_count: int
    unattributed_count: int = 0


@dataclass(frozen=True, slots=True)
class StateDocument:
    """What a decision read beside the member's state; kept once for all decisions that read the same.

    Attributes:
        state_id: Names the content: equal documents have equal ids.
        document: JSON text.
    """

    state_id: str
    document: str


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """What became of a decision.

    Attributes:
        decision: What the log has: the decision itself, or the earlier one of its ``request_id``; none if nothing was kept.
        repeated: Whether it is an earlier one.
        stale: Whether nothing was kept because the log has more of the member than the decision read.
        refused: The candidates for which an account has not enough left; then nothing was kept.
    """

    decision: Decision | None
    repeated: bool = False
    stale: bool = False
    refused: tuple[str, ...] = ()


class Chain:
    """Decisions of one member of which each was made on top of the one before, while that was on its way to disk.

    As soon as one of them is not kept, those after it have read what never was: they are stale too, whatever their version.

    Attributes:
        broken: Whether one of them was not kept.
    """

    __slots__ = ("broken",)

    def __init__(self) -> None:
        self.broken = False


class PendingDecision(Protocol):
    """A decision on its way to disk."""

    def result(self, timeout: float) -> DecisionResult:
        """Wait until it is on disk, at most ``timeout`` seconds, and return what became of it. Errors as in ``EventLog``."""
        ...


class EventLog(Protocol):
    """Appends events durably. Safe to call from any thread.

    Every ``append`` returns only after the events are on disk; so does ``PendingDecision.result``. Each waits at most
    ``timeout`` seconds. Every decision and every new outcome adds one to the version of its member.

    Raises (every method):
        StoreUnavailableError: The log cannot be written; nothing was kept.
        StoreTimeoutError: It was not confirmed in time; it may still be kept.
    """

    def submit_decision(
        self,
        decision: Decision,
        *,
        draws: Sequence[Draw] = (),
        states: Sequence[StateDocument] = (),
        chain: Chain | None = None,
    ) -> PendingDecision:
        """Send a decision on its way; decisions are written in the order of these calls.

        In one transaction: an earlier decision of the same ``request_id`` is found and returned; or the member's version is
        compared with ``decision.member_version`` less one, and if it differs, or if the chain is broken, the decision is stale; or the draws are
        reserved, all or none; and the decision and the states that are new are kept.

        Args:
            decision: What to keep. Without a ``member_version`` it takes the next one, whatever it is, and reads nothing.
            draws: What to reserve for it.
            states: What it read.
            chain: The decisions that the state it read may count before they are on disk; none if it counts none.
        """
        ...

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """Keep the exposures whose ``event_id`` is new; all or none."""
        ...

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """Keep the outcomes whose ``event_id`` is new; all or none.

        One that names no channel takes that of its decision, if the log has it. A redemption commits what its decision reserved for the offer.
        """
        ...

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        ...
