"""The tables beside the event log that hold what is known of members, and what decisions read.

The audit trail is append-only, by triggers of the file itself. Times are whole microseconds since the Unix epoch, UTC.
"""

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
    return f"CREATE TABLE IF NOT EXISTS {name} ({listed}, PRIMARY KEY (programme, {key})) WITHOUT ROWID"


CREATE_STATEMENTS = (
    _create_table("members", MEMBER_COLUMNS, "member_id"),
    _create_table("member_changes", MEMBER_CHANGE_COLUMNS, "member_id, member_version"),
    *(
        f"CREATE TRIGGER IF NOT EXISTS member_changes_stay_on_{event} BEFORE {event} ON member_changes"
        " BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
        for event in ("update", "delete")
    ),
    _create_table("member_requests", MEMBER_REQUEST_COLUMNS, "request_id"),
    _create_table("states", STATE_COLUMNS, "state_id"),
)
"""What adds these tables to an event log."""
