"""Simulated decisions that wait for a response, and count as evidence once there was time for one; as the server counts."""

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

from server.decide.evidence import Evidence

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
