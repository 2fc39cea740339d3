"""Which candidates budgets have closed, as a value that a decision names."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Closed:
    """The candidates for which some account has not enough left for one more.

    Attributes:
        candidate_ids: The candidates.
        sorted_ids: The same in the order of their ids.
        state_id: Names the content; empty if nothing is closed.
        document: The sorted ids as JSON text.
    """

    candidate_ids: frozenset[str]
    sorted_ids: tuple[str, ...]
    state_id: str
    document: str

    @classmethod
    def of(cls, candidate_ids: Iterable[str]) -> "Closed":
        """Return the value for some candidates."""
        sorted_ids = tuple(sorted(candidate_ids))
        document = json.dumps(sorted_ids, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(document.encode()).hexdigest()[:16]
        return cls(frozenset(sorted_ids), sorted_ids, f"budgets-{digest}" if sorted_ids else "", document)

    @classmethod
    def from_document(cls, document: str) -> "Closed":
        """Return the value whose document this is."""
        return cls.of(json.loads(document))


NOTHING_CLOSED = Closed.of(())
