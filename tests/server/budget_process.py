"""A process that reserves from budgets: ``python -m tests.server.budget_process FILE NAME DECISIONS``."""

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from experiments.log.events import Decision
from server.budgets import Accounts
from server.catalogue import Budget, Catalogue, Group, Money, Offer, Placement
from server.storage import schema
from server.storage.budget_writes import BudgetWrites

START = datetime(2017, 12, 5, 12, 0, tzinfo=UTC)
BUDGET = 1_000
STUCK = "stuck"
"""The name of a process that writes, and then never commits."""
_GROUP_SIZE = 7


def money(amount: str) -> Money:
    """Return an amount of dollars."""
    return Money(amount=Decimal(amount), currency_code="USD")


def catalogue(*offers: Offer, **fields: Any) -> Catalogue:
    """Return a catalogue of one placement."""
    plain: dict[str, Any] = {
        "placements": (Placement(placement_id="till"),), "currency_code": "USD", "offers": offers,
    }  # fmt: skip
    return Catalogue(**plain | fields)


def open_file(path: Path | str) -> sqlite3.Connection:
    """Return a connection to a file with the tables of budgets."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    for statement in schema.BUDGET_STATEMENTS:
        connection.execute(statement)
    return connection


def asked(decision_id: str, time: datetime = START, member_id: str = "m") -> Decision:
    """Return a decision of a member at a time."""
    return Decision(
        programme="default", decision_id=decision_id, request_id="", request_digest="", member_id=member_id,
        placement_id="till", requested_count=1, request_time=None, receive_time=time, decide_time=time,
        ranking="catalogue", model_version="", plan_revision="", catalogue_revision="", feature_time=None,
        eligible_count=1, degradations=(), offers=(), assignments=(),
    )  # fmt: skip


def thousand() -> Accounts:
    """Return the accounts of two offers of one group, which has 1,000 units and more money than they cost."""
    offers = (
        Offer(offer_id=one, group_id="g", cost=money("1"), budgets=(Budget(units=10**6),)) for one in "ab"
    )
    budgets = Budget(units=BUDGET), Budget(money=money("2000"))
    return Accounts(catalogue(*offers, groups=(Group(group_id="g", budgets=budgets),)))


def reserve(path: Path, name: str, decisions: int) -> None:
    """Reserve for decisions in groups, and print after each group how many of it were given something."""
    accounts, writes, numbers = thousand(), BudgetWrites(), iter(range(decisions))
    with closing(open_file(path)) as connection:
        cursor = connection.cursor()
        while group := list(islice(numbers, _GROUP_SIZE)):
            cursor.execute("BEGIN IMMEDIATE")
            reserved = 0
            for number in group:
                time = START + timedelta(milliseconds=number)
                draws = accounts.draws(["ab"[number % 2]], time)
                one = asked(f"{name}-{number}", time)
                reserved += not writes.reserve(cursor, "default", draws, one)
            writes.flush(cursor)
            if name == STUCK:
                print(name, flush=True)
                sys.stdin.read()
            cursor.execute("COMMIT")
            writes.committed()
            print(reserved, flush=True)


if __name__ == "__main__":
    reserve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
