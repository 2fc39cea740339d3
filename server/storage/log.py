"""The interface of every event log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from experiments.events import Decision, Exposure, Outcome


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


class EventLog(Protocol):
    """Appends events durably. Every method returns only after the events are on disk. Safe to call from any thread.

    Each method waits at most ``timeout`` seconds.

    Raises (every method):
        StoreUnavailableError: The log cannot be written; nothing was kept.
        StoreTimeoutError: It was not confirmed in time; it may still be kept.
    """

    def append_decision(self, decision: Decision, timeout: float) -> Decision:
        """Keep the decision and return it; or, if its ``request_id`` is known, keep nothing and return the earlier one."""
        ...

    def append_exposures(self, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """Keep the exposures whose ``event_id`` is new; all or none."""
        ...

    def append_outcomes(self, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """Keep the outcomes whose ``event_id`` is new; all or none."""
        ...

    def close(self) -> None:
        """Write what is waiting, then release the file."""
        ...
