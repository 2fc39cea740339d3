"""docs/decision-path.md says what the code does."""

import re
from typing import get_args

from server.catalogue.policy import Arm
from server.clients.campaign_result import SCHEMA
from server.decide.gates import Gate
from tests.server.process import ROOT

PAGE = (ROOT / "docs" / "decision-path.md").read_text(encoding="utf-8")


def _first_cells(heading: str) -> list[str]:
    """Return what stands in the first column of the tables of a section, in code type."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_gate_in_its_order() -> None:
    """The table of gates is the list of gates."""
    assert _first_cells("2. Gates") == [gate.name for gate in Gate if gate is not Gate.OPEN]


def test_every_arm() -> None:
    """The table of arms is the list of arms."""
    assert _first_cells("1. Policy")[3:] == list(get_args(Arm))


def test_every_column_of_a_campaign() -> None:
    """The table of the result names every column."""
    assert sorted(_first_cells("Campaigns")) == sorted(SCHEMA)
