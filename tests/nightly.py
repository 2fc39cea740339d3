"""The whole suite, with all simulations, and a page that says how it went.

``make nightly`` (``python -m tests.nightly``) writes docs/test-results.md; nothing on it is typed.
"""

import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "test-results.md"
RUN = ("-n", "auto", "--dist", "loadgroup", "--no-loadscope-reorder", "-q")


@dataclass(frozen=True)
class Simulation:
    """A test that is too long for ``make test``.

    Attributes:
        name: File, test and parameters.
        outcome: ``passed``, ``failed`` or ``skipped``.
        seconds: How long it took.
        figures: What it measured, by name.
    """

    name: str
    outcome: str
    seconds: float
    figures: dict[str, str]


@dataclass
class Results:
    """A plugin of pytest that keeps what a run reports.

    Attributes:
        outcomes: How many tests passed, failed or were skipped.
        failures: Names of those that failed.
        simulations: The long ones.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    simulations: list[Simulation] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the report of a test: its call, or the set-up or tear-down that ended it."""
        if report.when != "call" and report.outcome == "passed":
            return
        if report.when == "teardown" and report.outcome == "skipped":
            return
        # The last part is the group that xdist puts a test into.
        name = report.nodeid.rpartition("@")[0] or report.nodeid
        self.outcomes[report.outcome] += 1
        if report.outcome == "failed":
            self.failures.append(name)
        if "slow" in report.keywords:
            figures = {str(key): str(value) for key, value in report.user_properties}
            self.simulations.append(Simulation(name, report.outcome, report.duration, figures))


def page(results: Results, *, minutes: float, started: datetime, machine: str) -> str:
    """Return the page as Markdown.

    Args:
        results: Of the run.
        minutes: How long it took.
        started: When it began.
        machine: What it ran on.
    """
    counts = ", ".join(f"{results.outcomes[one]:,} {one}" for one in ("passed", "failed", "skipped"))
    lines = [
        "# Test results",
        "",
        "The last full run: every test, and every simulation at its full length. `make nightly` writes this page; nothing",
        "on it is typed. Full error rates with their bands stand in [error-rates.md](error-rates.md).",
        "",
        f"* **{counts}**, in {minutes:.0f} minutes",
        f"* {started:%Y-%m-%d %H:%M} UTC, {machine}",
        *(f"* failed: `{name}`" for name in results.failures),
        "",
        "## Long simulations",
        "",
        "| test | outcome | seconds | figures |",
        "| --- | --- | --- | --- |",
    ]
    for one in sorted(results.simulations, key=lambda one: one.name):
        figures = ", ".join(f"{name} {value}" for name, value in one.figures.items())
        name = one.name.removeprefix("tests/").replace("|", "\\|")
        lines.append(f"| `{name}` | {one.outcome} | {one.seconds:.0f} | {figures} |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Return cores, system and Python version of this machine; nothing that names it."""
    return f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, Python {platform.python_version()}"


def main(arguments: Sequence[str]) -> int:
    """Run everything, write the page, and return pytest's exit code."""
    results, started, begun = Results(), datetime.now(UTC), time.monotonic()
    code = pytest.main([*RUN, *arguments], plugins=[results])
    minutes = (time.monotonic() - begun) / 60
    if not arguments:
        text = page(results, minutes=minutes, started=started, machine=machine())
        PAGE.write_text(text, encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
