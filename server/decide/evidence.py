"""What is known of how members answer to each candidate: decisions that gave it, and responses."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from server.decide.table import Floats, Table


@dataclass(frozen=True)
class Evidence:
    """Counts by candidate. Immutable.

    Attributes:
        counts: Decisions that gave the candidate, and how many of them were responded to.
    """

    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @cached_property
    def document(self) -> str:
        """The counts as JSON text; equal counts give equal texts."""
        return json.dumps(self.counts, sort_keys=True, separators=(",", ":"))

    @cached_property
    def state_id(self) -> str:
        """Names the content; empty if there is none."""
        if not self.counts:
            return ""
        return "evidence-" + hashlib.sha256(self.document.encode()).hexdigest()[:16]

    @classmethod
    def from_document(cls, document: str) -> "Evidence":
        """Return the evidence of a document."""
        return cls({name: (given, answered) for name, (given, answered) in json.loads(document).items()})

    def of(self, table: Table) -> tuple[Floats, Floats]:
        """Return decisions and responses of each row, float64[rows]; worked out once for each table."""
        kept = table.kept.get("evidence")
        if isinstance(kept, tuple) and kept[0] == self.state_id:
            return kept[1], kept[2]
        pairs = [self.counts.get(one.candidate_id, (0, 0)) for one in table.candidates]
        columns = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        given, answered = columns[:, 0].copy(), columns[:, 1].copy()
        table.kept["evidence"] = (self.state_id, given, answered)
        return given, answered


NO_EVIDENCE = Evidence()
