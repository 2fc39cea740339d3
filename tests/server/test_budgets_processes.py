"""Several processes on one file: a budget of 1,000 is used to the last unit and never beyond, whoever is killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO

import pytest

from server.budgets import Accounts
from server.catalogue import Budget, Group, Offer
from server.storage.budget_writes import BudgetWrites, account_totals
from tests.server.process import ROOT
from tests.server.test_budgets_accounts import catalogue, money
from tests.server.test_budgets_book import START
from tests.server.test_budgets_writes import _KEPT, _SUMS, asked, open_file

BUDGET = 1_000
_GROUP_SIZE = 7
_ACCOUNTS = Accounts(
    catalogue(
        *(
            Offer(offer_id=one, group_id="g", cost=money("1"), budgets=(Budget(units=10**6),))
            for one in ("a", "b")
        ),
        groups=(Group(group_id="g", budgets=(Budget(units=BUDGET), Budget(money=money("2000")))),),
    )
)


def reserve(path: Path, name: str, decisions: int) -> None:
    """Reserve for decisions in groups, and print after each group how many were reserved in it."""
    writes = BudgetWrites()
    numbers = iter(range(decisions))
    with closing(open_file(path)) as connection:
        cursor = connection.cursor()
        while group := list(islice(numbers, _GROUP_SIZE)):
            cursor.execute("BEGIN IMMEDIATE")
            reserved = 0
            for number in group:
                time = START + timedelta(seconds=number)
                one = asked(number, decision_id=f"{name}-{number}", decide_time=time)
                draws = _ACCOUNTS.draws(["ab"[number % 2]], time)
                reserved += not writes.reserve(cursor, "default", draws, one)
            writes.flush(cursor)
            if name == "stuck":
                print("stuck", flush=True)
                sys.stdin.read()
            cursor.execute("COMMIT")
            writes.committed()
            print(reserved, flush=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the tables of budgets."""
    open_file(tmp_path / "log.db").close()
    return tmp_path / "log.db"


def start(path: Path, name: str, decisions: int) -> "subprocess.Popen[str]":
    """Start a process that reserves."""
    command = [sys.executable, "-m", __name__, str(path), name, str(decisions)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def stop(processes: Sequence["subprocess.Popen[str]"]) -> None:
    """Kill what still runs."""
    for process in processes:
        process.kill()
        process.communicate()


def lines(process: "subprocess.Popen[str]") -> Iterator[str]:
    """Return what a process prints."""
    output: IO[str] | None = process.stdout
    assert output is not None
    return iter(output)


def check(path: Path) -> tuple[int, int]:
    """Check that nothing is half there; return units that are reserved of the group's budget, and decisions."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute(_KEPT).fetchall() == connection.execute(_SUMS).fetchall()
        by_decision = "SELECT count(*) FROM reservations GROUP BY decision_id"
        draws = [count for (count,) in connection.execute(by_decision)]
        # Each decision draws from its offer's budget and both of the group.
        assert set(draws) <= {3}
        spent = account_totals(connection, "default").spent
        return spent.get(("group:g:0", 0), (0, 0))[0], len(draws)


def test_a_thousand_for_four_processes(path: Path) -> None:
    """Four processes that want 1,600 together get exactly 1,000, and all of them get some."""
    processes = [start(path, f"p{number}", 400) for number in range(4)]
    try:
        reserved = [sum(int(line) for line in lines(process)) for process in processes]
        assert [process.wait(60) for process in processes] == [0] * 4
    finally:
        stop(processes)

    assert sum(reserved) == BUDGET
    assert check(path) == (BUDGET, BUDGET)


def test_killed_before_commit(path: Path) -> None:
    """A process that dies with an open transaction leaves nothing of it, and does not hinder the next."""
    stuck = start(path, "stuck", 400)
    try:
        assert next(lines(stuck)) == "stuck\n"
    finally:
        stop([stuck])

    assert check(path) == (0, 0)
    reserve(path, "next", 14)
    assert check(path) == (14, 14)


def test_killed_at_any_moment(path: Path) -> None:
    """Processes that are killed while they reserve leave whole groups, at least those that they told of; no unit is lost."""
    told = 0
    for number in range(4):
        process = start(path, f"k{number}", 10**6)
        try:
            output = lines(process)
            told += sum(int(next(output)) for _ in range(3 + 7 * number))
            process.send_signal(signal.SIGKILL)
            # What it had printed by then.
            told += sum(int(line) for line in output if line.endswith("\n"))
        finally:
            stop([process])
        units, decisions = check(path)
        # A group that is in the file may not have been told of.
        assert told <= units == decisions <= BUDGET
        told = units

    reserve(path, "last", 10**4)
    assert check(path) == (BUDGET, BUDGET)


if __name__ == "__main__":
    reserve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
