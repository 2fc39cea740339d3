"""Outcomes on their way into the SQLite file: those of a group go in together."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from experiments.log.events import Outcome
from experiments.log.rows import OUTCOME_COLUMNS, outcome_row
from server.members.state import REDEMPTION
from server.storage.budget_seam import BudgetWriter
from server.storage.protocols import AppendResult
from server.storage.rows import RowInsert
from server.storage.versions import MemberVersions

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
    """Keep the outcomes that are new in few statements, and return what became of each batch."""
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
