"""Which rows of a table a member may be given now: every gate of hers in one array."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from server.budgets.book import Closed
from server.catalogue import NO_ACTION
from server.decide.context import Visit
from server.decide.gates import Gate
from server.decide.limits import MemberLimits
from server.decide.rules import RuleBook
from server.decide.table import CandidateTable, Places

_MOST_PATTERNS = 64
"""So many answers of rules and ways are kept for each table, spread over its rows; most members give one of a few."""

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """What rules, consent and contact policy say, spread over the rows; shared, never written to."""

    codes: Codes
    open_rows: Places
    counts: tuple[int, ...]


class Eligibility:
    """The first gate that is closed to each row of a table, while gate after gate is asked.

    Attributes:
        codes: uint8[rows], the gate; 0 where all are open.
        counts: Rows by gate.
    """

    __slots__ = ("_mine", "_open_rows", "codes", "counts")

    def __init__(self, codes: Codes, open_rows: Places | None, counts: Sequence[int], *, mine: bool) -> None:
        self.codes = codes
        self.counts = list(counts)
        self._open_rows = open_rows
        self._mine = mine

    @classmethod
    def closed(cls, table: CandidateTable, gate: Gate) -> "Eligibility":
        """Return the state in which one gate is closed to all rows."""
        counts = [0] * len(Gate)
        counts[gate] = len(table)
        return cls(np.full(len(table), gate, dtype=np.uint8), None, counts, mine=True)

    @property
    def open_rows(self) -> Places:
        """int64[n], the rows to which all gates are open, ascending."""
        if self._open_rows is None:
            self._open_rows = np.flatnonzero(self.codes == Gate.OPEN)
        return self._open_rows

    def close(self, rows: Sequence[int] | Places, gate: Gate) -> None:
        """Close a gate to those of the rows to which all were open until now."""
        listed: list[int] = rows.tolist() if isinstance(rows, np.ndarray) else list(rows)
        codes = self.codes
        still = [row for row in listed if not codes[row]] if len(listed) < _FEW else _open_among(codes, rows)
        if len(still):
            self._set(still, Gate.OPEN, gate)

    def open(self, row: int) -> None:
        """Open all gates to a row after all."""
        before = Gate(int(self.codes[row]))
        if before is not Gate.OPEN:
            self._set([row], before, Gate.OPEN)

    def _set(self, rows: Sequence[int] | Places, before: Gate, after: Gate) -> None:
        if not self._mine:
            self.codes, self._mine = self.codes.copy(), True
        self.codes[rows] = after
        self.counts[before] -= len(rows)
        self.counts[after] += len(rows)
        self._open_rows = None


_FEW = 32


def check_eligibility(
    table: CandidateTable,
    book: RuleBook,
    limits: MemberLimits,
    *,
    visit: Visit,
    attributes: dict[str, object],
    closed: Closed,
    now: datetime,
) -> Eligibility:
    """Return which gates are closed to each row by rules, consent, limits of the member and budgets.

    Args:
        table: The candidates.
        book: Rules of the catalogue.
        limits: Limits of the catalogue.
        visit: Who asks.
        attributes: What rules may ask about; ``segments`` is added.
        closed: What budgets have closed.
        now: The moment of the decision.
    """
    pattern = _pattern(table, book, limits, visit=visit, attributes=attributes, now=now)
    passing = Eligibility(pattern.codes, pattern.open_rows, pattern.counts, mine=False)
    if limits.everything_rests(visit.state, now):
        passing.close(passing.open_rows, Gate.COOL_DOWN)
    for rows, gate in limits.closed(table, visit.state, now):
        passing.close(rows, gate)
    if closed.candidate_ids:
        passing.close(_spent(table, closed), Gate.BUDGET_SPENT)
    for row in table.places.get(NO_ACTION, ()):
        passing.open(row)
    return passing


def _pattern(
    table: CandidateTable,
    book: RuleBook,
    limits: MemberLimits,
    *,
    visit: Visit,
    attributes: dict[str, object],
    now: datetime,
) -> _Pattern:
    tests, segments = book.codes(visit, attributes, table.channels)
    attributes["segments"] = segments
    ways = tuple(int(limits.of_way(way, visit, now)) for way in table.ways)
    key = (tests.tobytes(), ways)
    patterns = table.patterns
    pattern = patterns.get(key)
    if pattern is None:
        pattern = _spread(table, tests, ways)
        if len(patterns) >= _MOST_PATTERNS:
            patterns.clear()
        patterns[key] = pattern
    assert isinstance(pattern, _Pattern)
    return pattern


def _spread(table: CandidateTable, tests: Codes, ways: Sequence[int]) -> _Pattern:
    kinds = _first_closed(table, tests)
    of_ways = np.array(ways, dtype=np.uint8)[table.way_of_kind]
    np.copyto(kinds, of_ways, where=kinds == 0)
    codes: Codes = kinds[table.kinds]
    counts = np.bincount(codes, minlength=len(Gate))
    return _Pattern(codes, np.flatnonzero(codes == Gate.OPEN), tuple(counts.tolist()))


def _first_closed(table: CandidateTable, tests: Codes) -> Codes:
    """Return uint8[kinds]: the first gate that the tests of each kind close.

    Args:
        table: Has the tests of each kind, and the channel that they are asked for.
        tests: uint8[channels, tests].
    """
    kinds, longest = table.chains.shape
    if longest == 0:
        return np.zeros(kinds, dtype=np.uint8)
    padded = np.append(tests, np.zeros((len(tests), 1), dtype=np.uint8), axis=1)
    codes = padded[table.channel_of_kind[:, None], table.chains]
    first: Codes = codes[:, 0].copy()
    for later in range(1, longest):
        np.copyto(first, codes[:, later], where=first == 0)
    return first


def _open_among(codes: Codes, rows: Sequence[int] | Places) -> Places:
    places = np.asarray(rows, dtype=np.int64)
    return np.unique(places[codes[places] == Gate.OPEN])


def _spent(table: CandidateTable, closed: Closed) -> Places:
    """Return the rows that budgets have closed; worked out once for each state of the budgets."""
    kept = table.kept.get(Gate.BUDGET_SPENT)
    if isinstance(kept, tuple) and kept[0] == closed.state_id:
        rows: Places = kept[1]
        return rows
    listed = sorted(place for one in closed.candidate_ids for place in table.places.get(one, ()))
    rows = np.array(listed, dtype=np.int64)
    table.kept[Gate.BUDGET_SPENT] = (closed.state_id, rows)
    return rows
