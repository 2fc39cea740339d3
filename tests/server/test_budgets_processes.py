"""Several processes on one file: a budget of 1,000 is used to the last unit and never beyond, whoever is killed."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from server.storage.budget_writes import account_totals
from tests.server.budget_process import BUDGET, STUCK, open_file, reserve
from tests.server.process import ROOT
from tests.server.test_budgets_writes import KEPT, SUMS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the tables of budgets."""
    open_file(tmp_path / "log.db").close()
    return tmp_path / "log.db"


def start(path: Path, name: str, decisions: int) -> "subprocess.Popen[str]":
    """Start a process that reserves."""
    command = [sys.executable, "-m", "tests.server.budget_process", str(path), name, str(decisions)]
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
        assert connection.execute(KEPT).fetchall() == connection.execute(SUMS).fetchall()
        by_decision = "SELECT length(states) FROM reservations"
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
    stuck = start(path, STUCK, 400)
    try:
        assert next(lines(stuck)) == f"{STUCK}\n"
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
