"""Decisions and outcomes on their way into the SQLite file: those of a group go in together, judged one after the other."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from experiments.log.events import Decision, Outcome
from experiments.log.rows import DECISION_COLUMNS, OUTCOME_COLUMNS, decision_from_row, outcome_row
from server.budgets import Draw
from server.members.state import REDEMPTION
from server.storage.protocols import AppendResult, BudgetWriter, Chain, DecisionResult, StateDocument
from server.storage.schema import STATE_COLUMNS

Member = tuple[str, str]
"""Programme and member."""

# One row for all: SQLite's driver lets another thread run at every row.
_SELECT = """
    SELECT json_group_array(json_array(m.programme, m.member_id, m.version))
    FROM json_each(?) AS one CROSS JOIN members AS m
    ON m.programme = json_extract(one.value, '$[0]') AND m.member_id = json_extract(one.value, '$[1]')
"""
_UPSERT = """
    INSERT INTO members (programme, member_id, version)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)
    WHERE true ON CONFLICT (programme, member_id) DO UPDATE SET version = excluded.version
"""


class MemberVersions:
    """The versions of some members within one transaction.

    Args:
        cursor: Of the open transaction.
        members: Whose versions.
    """

    def __init__(self, cursor: sqlite3.Cursor, members: Iterable[Member]) -> None:
        self._cursor = cursor
        (found,) = cursor.execute(_SELECT, (json.dumps(list(dict.fromkeys(members))),)).fetchone()
        self._versions: dict[Member, int] = {
            (programme, member_id): version for programme, member_id, version in json.loads(found)
        }
        self._changed: set[Member] = set()

    def following(self, member: Member) -> int:
        """Return the version that the next event of the member makes."""
        return self._versions.get(member, 0) + 1

    def count(self, member: Member) -> int:
        """Count one more event of the member, and return the version it makes."""
        version = self.following(member)
        self._versions[member] = version
        self._changed.add(member)
        return version

    def keep(self) -> None:
        """Write what changed."""
        if self._changed:
            changed = [(*member, self._versions[member]) for member in self._changed]
            self._cursor.execute(_UPSERT, (json.dumps(changed),))


_CHUNKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows to an INSERT. SQLite's driver lets another thread run at every statement, which under load costs a decision more than
the statement itself; so a group goes in few statements, of sizes that stay prepared."""

Row = tuple[object, ...]


class RowInsert:
    """Inserts rows into one table.

    Args:
        table: The table.
        columns: Its columns, in the order of a row.
        otherwise: What to do with a row whose key is there; by default the statement fails.
    """

    def __init__(self, table: str, columns: dict[str, str], otherwise: str = "") -> None:
        marks = f"({', '.join('?' * len(columns))})"
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 names are ours
        self._statements = {size: f"{start}{', '.join([marks] * size)} {otherwise}" for size in _CHUNKS}

    def insert(self, cursor: sqlite3.Cursor, rows: Sequence[Row]) -> int:
        """Insert the rows, in their order; return how many were new."""
        start = new = 0
        for size in _CHUNKS:
            while len(rows) - start >= size:
                values: list[Any] = list(chain.from_iterable(rows[start : start + size]))
                new += cursor.execute(self._statements[size], values).rowcount
                start += size
        return new


_INSERT_DECISIONS = RowInsert("decisions", DECISION_COLUMNS)
_INSERT_STATES = RowInsert("states", STATE_COLUMNS, "ON CONFLICT DO NOTHING")
_SELECT_BY_REQUEST = f"""
    SELECT {", ".join(f"d.{column}" for column in DECISION_COLUMNS)} FROM json_each(?) AS one CROSS JOIN decisions AS d
    ON d.programme = json_extract(one.value, '$[0]') AND d.request_id = json_extract(one.value, '$[1]')
"""  # noqa: S608 names are ours
_VERSION_AT = list(DECISION_COLUMNS).index("member_version")
_MAX_STATES_KNOWN = 10_000
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
        if len(self._known_states) > _MAX_STATES_KNOWN:
            self._known_states.clear()
        self._known_states |= self._new_states
        self._new_states.clear()
        self._broken.clear()

    def rolled_back(self) -> None:
        """Hear that the transaction was undone."""
        self._new_states.clear()
        for broken in self._broken:
            broken.broken = False
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


_INSERT = RowInsert("outcomes", OUTCOME_COLUMNS)
_SELECT_KNOWN = """
    SELECT json_group_array(json_array(o.programme, o.event_id)) FROM json_each(?) AS one CROSS JOIN outcomes AS o
    ON o.programme = json_extract(one.value, '$[0]') AND o.event_id = json_extract(one.value, '$[1]')
"""
_SELECT_DECISIONS = """
    SELECT json_group_array(json_array(d.programme, d.decision_id, d.member_id,
        coalesce(d.channel_id, json_extract(d.actions, '$[0].channel_id'), '')))
    FROM json_each(?) AS one CROSS JOIN decisions AS d
    ON d.programme = json_extract(one.value, '$[0]') AND d.decision_id = json_extract(one.value, '$[1]')
"""


@dataclass(frozen=True, slots=True)
class OutcomeWrite:
    """A batch of outcomes.

    Attributes:
        outcomes: The batch.
        accepted: Those that were new, as they are kept, once they are written.
    """

    outcomes: Sequence[Outcome]
    accepted: list[Outcome] = field(default_factory=list)


def write_outcomes(
    cursor: sqlite3.Cursor, writes: Sequence[OutcomeWrite], budgets: BudgetWriter
) -> list[AppendResult]:
    """Keep the outcomes that are new in few statements, and return what became of each batch.

    Args:
        cursor: Of the open transaction.
        writes: Batches of outcomes.
        budgets: Keeps the budgets.

    Returns:
        What became of each batch.
    """
    sent = [outcome for write in writes for outcome in write.outcomes]
    known = {(programme, event_id) for programme, event_id in _found(cursor, _SELECT_KNOWN, _ids(sent))}
    channels = _channels(cursor, sent)
    versions = MemberVersions(cursor, [(one.programme, one.member_id) for one in sent])
    results = []
    for write in writes:
        # A group that fails is written again one by one.
        write.accepted.clear()
        unattributed = 0
        for outcome in write.outcomes:
            if (outcome.programme, outcome.event_id) in known:
                continue
            known.add((outcome.programme, outcome.event_id))
            channel_id = channels.get((outcome.programme, outcome.decision_id, outcome.member_id))
            unattributed += channel_id is None
            write.accepted.append(
                replace(
                    outcome,
                    channel_id=outcome.channel_id or channel_id or "",
                    member_version=versions.count((outcome.programme, outcome.member_id)),
                )
            )
        accepted = len(write.accepted)
        results.append(AppendResult(accepted, len(write.outcomes) - accepted, unattributed))
    new = [outcome for write in writes for outcome in write.accepted]
    _INSERT.insert(cursor, [outcome_row(outcome) for outcome in new])
    versions.keep()
    redemptions = [outcome for outcome in new if outcome.outcome_type == REDEMPTION]
    if redemptions:
        budgets.redeemed(cursor, redemptions)
    return results


def _ids(outcomes: Iterable[Outcome]) -> list[tuple[str, str]]:
    return [(one.programme, one.event_id) for one in outcomes]


def _channels(cursor: sqlite3.Cursor, outcomes: Sequence[Outcome]) -> dict[tuple[str, str, str], str]:
    """Return the channel of each decision that the outcomes name, by programme, decision and member; empty for none."""
    named = {(one.programme, one.decision_id) for one in outcomes if one.decision_id}
    if not named:
        return {}
    found = _found(cursor, _SELECT_DECISIONS, list(named))
    return {
        (programme, decision_id, member_id): channel_id
        for programme, decision_id, member_id, channel_id in found
    }


def _found(cursor: sqlite3.Cursor, statement: str, keys: Sequence[tuple[str, str]]) -> list[list[str]]:
    (found,) = cursor.execute(statement, (json.dumps(keys),)).fetchone()
    rows: list[list[str]] = json.loads(found)
    return rows
