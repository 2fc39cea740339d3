"""The tables of budgets beside the event log: what is spent of each account, and what is reserved for whom.

Times are whole microseconds since the Unix epoch, UTC; money is in millionths of the catalogue's currency.
"""

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


CREATE_STATEMENTS = (
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
