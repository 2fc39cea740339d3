"""What the log says of responses: decisions that gave each candidate, and those that were responded to."""

from collections import defaultdict
from typing import Any

_RESPONSES = ("redemption", "purchase")
"""Outcomes that count as a response, if they name decision and offer."""

_ENDS = (
    "SELECT coalesce((SELECT max(rowid) FROM decisions), 0), coalesce((SELECT max(rowid) FROM outcomes), 0)"
)
_GIVEN = """
    SELECT json_extract(one.value, '$.{kind}_id'), count(*) FROM decisions AS d, json_each(d.{kind}s) AS one
    WHERE d.programme = ? AND d.rowid > ? AND d.rowid <= ? GROUP BY 1
"""
_ANSWERED = """
    SELECT o.offer_id, count(*) FROM outcomes AS o
    WHERE o.programme = ? AND o.rowid > ? AND o.rowid <= ? AND o.decision_id IS NOT NULL AND o.offer_id IS NOT NULL
    AND o.outcome_type IN (?, ?) AND NOT EXISTS (
        SELECT 1 FROM outcomes AS e WHERE e.programme = o.programme AND e.member_id = o.member_id
        AND e.decision_id = o.decision_id AND e.offer_id = o.offer_id AND e.outcome_type IN (?, ?) AND e.rowid < o.rowid
    ) GROUP BY 1
"""

Mark = tuple[int, int]
"""How far decisions and outcomes were read."""


class EvidenceReads:
    """Counts responses, for a class that reads the file."""

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def evidence_since(self, programme: str, mark: Mark) -> tuple[dict[str, tuple[int, int]], Mark]:
        """Return decisions and responses of each candidate since a mark, and the mark reached.

        A decision that gave a candidate counts once as responded to, by its first redemption or purchase that names both.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        ((decisions, outcomes),) = self._rows(_ENDS)
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for kind in ("offer", "action"):
            for candidate_id, count in self._rows(_GIVEN.format(kind=kind), programme, mark[0], decisions):
                found[candidate_id][0] += count
        for candidate_id, count in self._rows(
            _ANSWERED, programme, mark[1], outcomes, *_RESPONSES, *_RESPONSES
        ):
            found[candidate_id][1] += count
        return {name: (given, answered) for name, (given, answered) in found.items()}, (decisions, outcomes)
