"""All tables of the SQLite file: events, experiments and catalogues with audit trails, members, what decisions read, budgets.

Times are whole microseconds since the Unix epoch, UTC; money is in millionths of the catalogue's currency. Audit trails are append-only, by
triggers of the file itself.
"""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from experiments.log.events import from_micros, to_micros
from experiments.log.rows import (
    CHANGE_COLUMNS,
    DECISION_COLUMNS,
    EXPOSURE_COLUMNS,
    LINK_COLUMNS,
    OUTCOME_COLUMNS,
)
from server.catalogue.diff import CatalogueChange, Change, ChangeKind, ChangeSource

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

CATALOGUE_STATEMENTS = (
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


MEMBER_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "version": "INTEGER NOT NULL",
}
"""Columns of table ``members``. ``version`` counts the member's decisions, outcomes and profile changes."""

MEMBER_CHANGE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "member_version": "INTEGER NOT NULL",
    "change_time": "INTEGER NOT NULL",
    "actor": "TEXT NOT NULL",
    "request_id": "TEXT",
    "before": "TEXT",
    "after": "TEXT NOT NULL",
}
"""Columns of table ``member_changes``, one row for each change of a profile; the last one holds the profile in force.
``before`` and ``after`` are JSON objects, ``before`` null for the first."""

MEMBER_REQUEST_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "request_id": "TEXT NOT NULL",
    "request_digest": "TEXT NOT NULL",
    "change_time": "INTEGER NOT NULL",
    "changed_count": "INTEGER NOT NULL",
    "unchanged_count": "INTEGER NOT NULL",
}
"""Columns of table ``member_requests``: what became of each request with an id that changed profiles."""

STATE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "state_id": "TEXT NOT NULL",
    "document": "TEXT NOT NULL",
}
"""Columns of table ``states``: what decisions read beside the member's state, once for all that read the same."""


def _create_table(name: str, columns: dict[str, str], key: str) -> str:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"CREATE TABLE IF NOT EXISTS {name} ({listed}, PRIMARY KEY (programme, {key}))"


MEMBER_STATEMENTS = (
    _create_table("members", MEMBER_COLUMNS, "member_id") + " WITHOUT ROWID",
    _create_table("member_changes", MEMBER_CHANGE_COLUMNS, "member_id, member_version") + " WITHOUT ROWID",
    *(
        f"CREATE TRIGGER IF NOT EXISTS member_changes_stay_on_{event} BEFORE {event} ON member_changes"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        for event in ("update", "delete")
    ),
    _create_table("member_requests", MEMBER_REQUEST_COLUMNS, "request_id") + " WITHOUT ROWID",
    _create_table("states", STATE_COLUMNS, "state_id") + " WITHOUT ROWID",
)
"""What adds these tables to an event log."""


OPEN, COMMITTED, RELEASED = "o", "c", "r"
"""States of what a decision reserved of an account: open, redeemed, run out."""

ACCOUNT_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "account_id": "TEXT NOT NULL",
    "period": "INTEGER NOT NULL",
    "reserved_units": "INTEGER NOT NULL",
    "reserved_micros": "INTEGER NOT NULL",
    "committed_units": "INTEGER NOT NULL",
    "committed_micros": "INTEGER NOT NULL",
    "version": "INTEGER NOT NULL",
}
"""Columns of table ``budget_accounts``: an account in one of its periods. ``period`` is when that began, 0 for a total.
``version`` grows with every transaction that changes an account, so that other processes find what is new."""

RESERVATION_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "decision_id": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "reserve_time": "INTEGER NOT NULL",
    "expire_time": "INTEGER",
    "draws": "TEXT NOT NULL",
    "states": "TEXT NOT NULL",
}
"""Columns of table ``reservations``: all that one decision took. ``draws`` is a JSON array, each of its elements an array of
candidate, account, period, units, money, and how long it is held; ``states`` has one letter for each of them. ``expire_time``
is when the first of those that are open runs out, null if none is open."""


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in columns.items())


BUDGET_STATEMENTS = (
    (
        f"CREATE TABLE IF NOT EXISTS budget_accounts ({_listed(ACCOUNT_COLUMNS)},"
        " PRIMARY KEY (programme, account_id, period))"
    ),
    "CREATE INDEX IF NOT EXISTS budget_accounts_by_version ON budget_accounts (version)",
    (
        f"CREATE TABLE IF NOT EXISTS reservations ({_listed(RESERVATION_COLUMNS)},"
        " PRIMARY KEY (programme, decision_id))"
    ),
    (
        "CREATE INDEX IF NOT EXISTS open_reservations_by_expiry ON reservations (programme, expire_time)"
        " WHERE expire_time IS NOT NULL"
    ),
    "CREATE INDEX IF NOT EXISTS reservations_by_member ON reservations (programme, member_id, reserve_time)",
)
"""What adds these tables to an event log."""

EVENT_STATEMENTS = (
    _create_table("decisions", DECISION_COLUMNS, "decision_id"),
    (
        "CREATE UNIQUE INDEX IF NOT EXISTS decisions_by_request ON decisions (programme, request_id)"
        " WHERE request_id IS NOT NULL"
    ),
    _create_table("exposures", EXPOSURE_COLUMNS, "event_id"),
    _create_table("outcomes", OUTCOME_COLUMNS, "event_id"),
)
"""What makes an empty file a log."""

INDEX_STATEMENTS = (
    "DROP INDEX IF EXISTS outcomes_with_products",
    "CREATE INDEX IF NOT EXISTS decisions_by_member ON decisions (programme, member_id)",
    "CREATE INDEX IF NOT EXISTS outcomes_by_member ON outcomes (programme, member_id)",
)
"""What finds a member's events again; made after ``bring_up_to_date``. Version 3 had an index of its own for purchases."""


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Add to an older file the columns that it lacks; rows that are there have none of their values."""
    for table, columns in (("decisions", DECISION_COLUMNS), ("outcomes", OUTCOME_COLUMNS)):
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name, kind in columns.items():
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


EXPERIMENT_STATEMENTS = (
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
