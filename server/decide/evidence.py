"""What is known of how members answer to each candidate: decisions that gave it, and responses."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


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


NO_EVIDENCE = Evidence()
