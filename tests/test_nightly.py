"""The page of results says what the run reported."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from tests.nightly import Results, page


def report(name: str, when: str, outcome: str, *marks: str, **figures: float) -> Any:
    """Return what pytest reports of a phase of a test."""
    return SimpleNamespace(
        nodeid=f"tests/{name}@group",
        when=when,
        outcome=outcome,
        keywords=dict.fromkeys(marks, 1),
        duration=61.2,
        user_properties=list(figures.items()),
    )


def test_every_test_counts_once_and_simulations_stand_with_their_figures() -> None:
    """Phases that only prepare do not count; a failed set-up does; long tests have a line each."""
    results = Results()
    for one in (
        report("a.py::test_quick", "setup", "passed"),
        report("a.py::test_quick", "call", "passed"),
        report("a.py::test_quick", "teardown", "passed"),
        report("a.py::test_absent", "setup", "skipped"),
        report("b.py::test_broken", "setup", "failed"),
        report("b.py::test_long[x|1]", "call", "passed", "slow", coverage=0.951),
    ):
        results.pytest_runtest_logreport(one)

    text = page(results, minutes=12.4, started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), machine="2 cores")

    assert "**2 passed, 1 failed, 1 skipped**, in 12 minutes" in text
    assert "* 2026-01-02 03:04 UTC, 2 cores" in text
    assert "* failed: `tests/b.py::test_broken`" in text
    assert r"| `b.py::test_long[x\|1]` | passed | 61 | coverage 0.951 |" in text
    assert text.count("| passed |") == 1
