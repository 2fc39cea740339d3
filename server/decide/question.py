"""What a decision is asked, and what was known at that moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from experiments.answers import Assignment
from server.budgets.closed import NOTHING_CLOSED, Closed
from server.catalogue import Placement
from server.decide.context import Visit
from server.decide.evidence import NO_EVIDENCE, Evidence


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by whom, and what was known at that moment beside the snapshot.

    Attributes:
        placement: Where the answer is shown; its task says which model ranks.
        channel_id: How it travels; empty where none matters, and for actions.
        visit: Who asks, and what is known of her.
        assigned: Her assignments in the running experiments of the placement.
        count: How many offers at most, at least 1.
        time: For which candidates must be valid, and up to which purchases are seen.
        seed: Decides what is left to chance.
        closed: What budgets have closed.
        evidence: What is known of responses.
        factors: Whether the answer shows what each score is made of.
    """

    placement: Placement
    channel_id: str
    visit: Visit
    assigned: Sequence[Assignment]
    count: int
    time: datetime
    seed: str
    closed: Closed = NOTHING_CLOSED
    evidence: Evidence = NO_EVIDENCE
    factors: bool = False
