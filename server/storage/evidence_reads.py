"""What the log says of responses: decisions that gave each candidate, and those that were responded to.

A decision counts once there was time to respond to it. Counted at once, each would be a refusal until it is answered, and what
was just given to many would look worse than what nobody has seen.
"""

from abc import ABC, abstractmethod
from typing import Any

_RESPONSES = "('redemption', 'purchase')"
"""Outcomes that count as a response, if they name decision and offer."""

_LAST = "SELECT coalesce(max(rowid), 0) FROM decisions"
_NEXT = "SELECT rowid, receive_time FROM decisions WHERE rowid >= ? ORDER BY rowid LIMIT 1"
_COUNTED = f"""
    SELECT given.candidate_id, count(*), sum(EXISTS (
        SELECT 1 FROM outcomes AS o WHERE o.programme = ?1 AND o.member_id = given.member_id
        AND o.decision_id = given.decision_id AND o.offer_id = given.candidate_id AND o.outcome_type IN {_RESPONSES}
    ))
    FROM (
        SELECT d.decision_id, d.member_id, json_extract(one.value, '$.offer_id') AS candidate_id
        FROM decisions AS d, json_each(d.offers) AS one WHERE d.programme = ?1 AND d.rowid > ?2 AND d.rowid <= ?3
        UNION ALL
        SELECT d.decision_id, d.member_id, json_extract(one.value, '$.action_id')
        FROM decisions AS d, json_each(d.actions) AS one WHERE d.programme = ?1 AND d.rowid > ?2 AND d.rowid <= ?3
    ) AS given GROUP BY 1
"""  # noqa: S608 names are ours

Counts = dict[str, tuple[int, int]]
"""Decisions and responses by candidate."""


class EvidenceReads(ABC):
    """Counts responses, for a class that reads the file."""

    @abstractmethod
    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""

    def evidence_until(self, programme: str, mark: int, micros: int) -> tuple[Counts, int]:
        """Return what became of the decisions after a mark up to a time, and the mark reached.

        Args:
            programme: The loyalty programme.
            mark: How far decisions were counted; 0 for none.
            micros: Those that came in by this time are counted, microseconds since the Unix epoch.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        end = self._last_until(mark, micros)
        if end <= mark:
            return {}, mark
        rows = self._rows(_COUNTED, programme, mark, end)
        return {name: (given, answered) for name, given, answered in rows}, end

    def _last_until(self, mark: int, micros: int) -> int:
        """Return the last decision that came in by a time; the log is in the order of time."""
        ((last,),) = self._rows(_LAST)
        low, high = mark, int(last)
        while low < high:
            middle = (low + high + 1) // 2
            found = self._rows(_NEXT, middle)
            if found and found[0][1] <= micros:
                low = max(middle, int(found[0][0]))
            else:
                high = middle - 1
        return low
