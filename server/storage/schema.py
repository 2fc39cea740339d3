"""The audit trail of catalogues, beside the event log: a table that is append-only by triggers of the file itself.

Times are whole microseconds since the Unix epoch, UTC.
"""

import json
from collections.abc import Sequence
from typing import Any

from experiments.catalogue_changes import CatalogueChange, Change, ChangeKind, ChangeSource
from experiments.log.events import from_micros, to_micros

CATALOGUE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "position": "INTEGER NOT NULL",
    "revision": "TEXT NOT NULL",
    "change_time": "INTEGER NOT NULL",
    "actor": "TEXT NOT NULL",
    "source": "TEXT NOT NULL",
    "request_id": "TEXT",
    "request_digest": "TEXT NOT NULL",
    "changes": "TEXT NOT NULL",
    "document": "TEXT NOT NULL",
}
"""Columns of table ``catalogue_changes``. ``changes`` is a JSON array of arrays (kind, what, path, before, after), ``document``
the catalogue as a JSON object. A revision that comes back has several rows of one document."""

CREATE_STATEMENTS = (
    (
        "CREATE TABLE IF NOT EXISTS catalogue_changes"
        f" ({', '.join(f'{column} {kind}' for column, kind in CATALOGUE_COLUMNS.items())},"
        " PRIMARY KEY (programme, position))"
    ),
    "CREATE INDEX IF NOT EXISTS catalogues_by_revision ON catalogue_changes (programme, revision)",
    (
        "CREATE UNIQUE INDEX IF NOT EXISTS catalogues_by_request ON catalogue_changes (programme, request_id)"
        " WHERE request_id IS NOT NULL"
    ),
    *(
        f"CREATE TRIGGER IF NOT EXISTS catalogues_stay_on_{event} BEFORE {event} ON catalogue_changes"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        for event in ("update", "delete")
    ),
)
"""What adds this table to an event log."""


def catalogue_row(change: CatalogueChange) -> tuple[object, ...]:
    """Return the change as a row in the order of ``CATALOGUE_COLUMNS``."""
    changes = [[one.kind.value, one.what, one.path, one.before, one.after] for one in change.changes]
    return (
        change.programme,
        change.position,
        change.revision,
        to_micros(change.change_time),
        change.actor,
        change.source.value,
        change.request_id or None,
        change.request_digest,
        json.dumps(changes, ensure_ascii=False, separators=(",", ":")),
        change.document,
    )


def catalogue_from_row(row: Sequence[Any]) -> CatalogueChange:
    """Return the change that ``catalogue_row`` made a row of."""
    values = dict(zip(CATALOGUE_COLUMNS, row, strict=True))
    return CatalogueChange(
        programme=values["programme"],
        position=values["position"],
        revision=values["revision"],
        change_time=from_micros(values["change_time"]),
        actor=values["actor"],
        source=ChangeSource(values["source"]),
        request_id=values["request_id"] or "",
        request_digest=values["request_digest"],
        changes=tuple(
            Change(ChangeKind(kind), what, path, before, after)
            for kind, what, path, before, after in json.loads(values["changes"])
        ),
        document=values["document"],
    )
