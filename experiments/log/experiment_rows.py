"""The tables of experiments beside the event log: the audit trail, and which anonymous id belongs to which member.

The audit trail is append-only, by triggers of the file itself. Times are whole microseconds since the Unix epoch, UTC.
"""

import json
from collections.abc import Sequence
from typing import Any

from experiments.definition import State
from experiments.definition.lifecycle import (
    ChangeAction,
    ExperimentChange,
    definition_from_json,
    definition_to_json,
)
from experiments.log.events import from_micros, to_micros

CHANGE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "experiment_id": "TEXT NOT NULL",
    "position": "INTEGER NOT NULL",
    "action": "TEXT NOT NULL",
    "actor": "TEXT NOT NULL",
    "change_time": "INTEGER NOT NULL",
    "request_id": "TEXT",
    "request_digest": "TEXT NOT NULL",
    "before_revision": "INTEGER NOT NULL",
    "before_state": "TEXT",
    "changed_paths": "TEXT NOT NULL",
    "definition": "TEXT NOT NULL",
}
"""Columns of table ``experiment_changes``. ``changed_paths`` is a JSON array, ``definition`` a JSON object."""

LINK_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "anonymous_id": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "link_time": "INTEGER NOT NULL",
}
"""Columns of table ``identity_links``; a member's links are in the order of ``rowid``."""


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in columns.items())


CREATE_STATEMENTS = (
    (
        f"CREATE TABLE IF NOT EXISTS experiment_changes ({_listed(CHANGE_COLUMNS)},"
        " PRIMARY KEY (programme, experiment_id, position))"
    ),
    (
        "CREATE UNIQUE INDEX IF NOT EXISTS changes_by_request ON experiment_changes (programme, request_id)"
        " WHERE request_id IS NOT NULL"
    ),
    *(
        f"CREATE TRIGGER IF NOT EXISTS changes_stay_on_{event} BEFORE {event} ON experiment_changes"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        for event in ("update", "delete")
    ),
    (
        f"CREATE TABLE IF NOT EXISTS identity_links ({_listed(LINK_COLUMNS)},"
        " PRIMARY KEY (programme, anonymous_id))"
    ),
    "CREATE INDEX IF NOT EXISTS links_by_member ON identity_links (programme, member_id)",
    "CREATE INDEX IF NOT EXISTS exposures_by_member ON exposures (programme, experiment_id, member_id)",
)
"""What adds these tables to an event log, and the index by which a member's first exposure is found."""


def change_row(change: ExperimentChange) -> tuple[object, ...]:
    """Return the change as a row in the order of ``CHANGE_COLUMNS``."""
    return (
        change.programme,
        change.experiment_id,
        change.position,
        change.action.value,
        change.actor,
        to_micros(change.change_time),
        change.request_id or None,
        change.request_digest,
        change.before_revision,
        None if change.before_state is None else change.before_state.value,
        json.dumps(change.changed_paths),
        definition_to_json(change.definition),
    )


def change_from_row(row: Sequence[Any]) -> ExperimentChange:
    """Return the change that ``change_row`` made a row of.

    Raises:
        ValidationError: The definition breaks the rules of today.
    """
    values = dict(zip(CHANGE_COLUMNS, row, strict=True))
    return ExperimentChange(
        programme=values["programme"],
        experiment_id=values["experiment_id"],
        position=values["position"],
        action=ChangeAction(values["action"]),
        actor=values["actor"],
        change_time=from_micros(values["change_time"]),
        request_id=values["request_id"] or "",
        request_digest=values["request_digest"],
        before_revision=values["before_revision"],
        before_state=None if values["before_state"] is None else State(values["before_state"]),
        changed_paths=tuple(json.loads(values["changed_paths"])),
        definition=definition_from_json(values["definition"]),
    )
