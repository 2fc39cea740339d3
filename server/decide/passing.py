"""Which rows of a table a member may be given now: every gate of hers in one array."""

from collections.abc import Collection
from datetime import datetime

import numpy as np
import numpy.typing as npt

from server.budgets.closed import Closed
from server.catalogue import NO_ACTION
from server.decide.gates import Gate
from server.decide.limits import Limits
from server.decide.rules import RuleBook
from server.decide.table import Table
from server.decide.visit import Visit

Codes = npt.NDArray[np.uint8]


def gate_codes(
    table: Table,
    book: RuleBook,
    limits: Limits,
    *,
    visit: Visit,
    attributes: dict[str, object],
    closed: Closed,
    now: datetime,
) -> Codes:
    """Return uint8[rows]: the first gate that is closed to each row, 0 where all are open.

    Args:
        table: The candidates.
        book: Rules of the catalogue.
        limits: Limits of the catalogue.
        visit: Who asks.
        attributes: What rules may ask about; ``segments`` is added.
        closed: What budgets have closed.
        now: The moment of the decision.
    """
    tests, segments = book.codes(visit, attributes)
    attributes["segments"] = segments
    codes = _first_closed(table, tests)
    ways: dict[object, Gate] = {}
    for kind, way in enumerate(table.ways):
        if not codes[kind]:
            if way not in ways:
                ways[way] = limits.of_way(way, visit, now)
            codes[kind] = ways[way]
    of_rows: Codes = codes[table.kinds]
    if limits.everything_rests(visit.state, now):
        of_rows[of_rows == 0] = Gate.COOL_DOWN
    for places, gate in limits.closed(table, visit.state, now):
        _close(of_rows, places, gate)
    if closed.candidate_ids:
        spent = _spent(table, closed)
        of_rows[spent] = np.where(of_rows[spent] == 0, np.uint8(Gate.BUDGET_SPENT), of_rows[spent])
    for place in table.places.get(NO_ACTION, ()):
        of_rows[place] = Gate.OPEN
    return of_rows


def _first_closed(table: Table, tests: Codes) -> Codes:
    kinds, longest = table.chains.shape
    if longest == 0:
        return np.zeros(kinds, dtype=np.uint8)
    padded = np.append(tests, np.uint8(Gate.OPEN))
    codes = padded[table.chains]
    first: Codes = codes[:, 0].copy()
    for later in range(1, longest):
        np.copyto(first, codes[:, later], where=first == 0)
    return first


def _close(codes: Codes, places: Collection[int], gate: Gate) -> None:
    for place in places:
        if not codes[place]:
            codes[place] = gate


def _spent(table: Table, closed: Closed) -> npt.NDArray[np.int64]:
    """Return the rows that budgets have closed; worked out once for each state of the budgets."""
    kept = table.kept.get(Gate.BUDGET_SPENT)
    if isinstance(kept, tuple) and kept[0] == closed.state_id:
        rows: npt.NDArray[np.int64] = kept[1]
        return rows
    listed = sorted(place for one in closed.candidate_ids for place in table.places.get(one, ()))
    rows = np.array(listed, dtype=np.int64)
    table.kept[Gate.BUDGET_SPENT] = (closed.state_id, rows)
    return rows
