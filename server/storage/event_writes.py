"""Decisions on their way into the SQLite file: those of a group go in together, judged one after the other."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.log.events import Decision
from experiments.log.rows import DECISION_COLUMNS, decision_from_row
from experiments.member_tables import STATE_COLUMNS
from server.budgets import Draw
from server.storage.budget_seam import BudgetWriter
from server.storage.protocols import Chain, DecisionResult, StateDocument
from server.storage.rows import Row, RowInsert
from server.storage.versions import MemberVersions

_INSERT_DECISIONS = RowInsert("decisions", DECISION_COLUMNS)
_INSERT_STATES = RowInsert("states", STATE_COLUMNS, "ON CONFLICT DO NOTHING")
_SELECT_BY_REQUEST = f"""
    SELECT {", ".join(f"d.{column}" for column in DECISION_COLUMNS)} FROM json_each(?) AS one CROSS JOIN decisions AS d
    ON d.programme = json_extract(one.value, '$[0]') AND d.request_id = json_extract(one.value, '$[1]')
"""  # noqa: S608 names are ours
_VERSION_AT = list(DECISION_COLUMNS).index("member_version")
_MOST_STATES_KNOWN = 10_000
_STALE = DecisionResult(None, stale=True)


@dataclass(frozen=True, slots=True)
class DecisionWrite:
    """A decision, the row it makes, and what goes with it: see ``EventLog.submit_decision``."""

    decision: Decision
    row: Row
    draws: Sequence[Draw] = ()
    states: Sequence[StateDocument] = ()
    chain: Chain | None = None


class DecisionWriter:
    """Writes decisions within transactions that others begin and end. Used by one thread.

    Args:
        budgets: Keeps what decisions draw.
    """

    def __init__(self, budgets: BudgetWriter) -> None:
        self._budgets = budgets
        self._known_states: set[tuple[str, str]] = set()
        self._new_states: set[tuple[str, str]] = set()
        self._broken: list[Chain] = []

    def write(self, cursor: sqlite3.Cursor, writes: Sequence[DecisionWrite]) -> list[DecisionResult]:
        """Keep the decisions in few statements, and return what became of each."""
        earlier = _earlier(cursor, writes)
        members = [(write.decision.programme, write.decision.member_id) for write in writes]
        versions = MemberVersions(cursor, members)
        results, rows = [], []
        kept = []
        for write in writes:
            result = self._judge(cursor, write, earlier, versions)
            results.append(result)
            if result.decision is None or result.repeated:
                self._break(write.chain)
            else:
                kept.append(write)
                version = (result.decision.member_version,)
                rows.append(write.row[:_VERSION_AT] + version + write.row[_VERSION_AT + 1 :])
        _INSERT_DECISIONS.insert(cursor, rows)
        versions.keep()
        self._keep_states(cursor, kept)
        return results

    def committed(self) -> None:
        """Hear that the transaction is on disk."""
        if len(self._known_states) > _MOST_STATES_KNOWN:
            self._known_states.clear()
        self._known_states |= self._new_states
        self._new_states.clear()
        self._broken.clear()

    def rolled_back(self) -> None:
        """Hear that the transaction was undone."""
        self._new_states.clear()
        for chain in self._broken:
            chain.broken = False
        self._broken.clear()

    def _judge(
        self,
        cursor: sqlite3.Cursor,
        write: DecisionWrite,
        earlier: dict[tuple[str, str], Decision],
        versions: MemberVersions,
    ) -> DecisionResult:
        decision = write.decision
        request = (decision.programme, decision.request_id)
        if decision.request_id and request in earlier:
            return DecisionResult(earlier[request], repeated=True)
        if write.chain is not None and write.chain.broken:
            return _STALE
        member = (decision.programme, decision.member_id)
        if decision.member_version not in (None, versions.following(member)):
            return _STALE
        if write.draws:
            refused = self._budgets.reserve(cursor, decision.programme, write.draws, decision)
            if refused:
                return DecisionResult(None, refused=refused)
        version = versions.count(member)
        if decision.member_version is None:
            decision = replace(decision, member_version=version)
        if decision.request_id:
            earlier[request] = decision
        return DecisionResult(decision)

    def _break(self, chain: Chain | None) -> None:
        if chain is not None and not chain.broken:
            chain.broken = True
            self._broken.append(chain)

    def _keep_states(self, cursor: sqlite3.Cursor, writes: Sequence[DecisionWrite]) -> None:
        new = {
            (write.decision.programme, state.state_id): state.document
            for write in writes
            for state in write.states
        }
        keys = new.keys() - self._known_states - self._new_states
        _INSERT_STATES.insert(cursor, [(*key, new[key]) for key in keys])
        self._new_states |= keys


def _earlier(cursor: sqlite3.Cursor, writes: Sequence[DecisionWrite]) -> dict[tuple[str, str], Decision]:
    """Return the decisions that the log has under the requests of these."""
    asked = [
        (write.decision.programme, write.decision.request_id) for write in writes if write.decision.request_id
    ]
    if not asked:
        return {}
    rows = cursor.execute(_SELECT_BY_REQUEST, (json.dumps(asked),)).fetchall()
    found = [decision_from_row(row) for row in rows]
    return {(decision.programme, decision.request_id): decision for decision in found}
