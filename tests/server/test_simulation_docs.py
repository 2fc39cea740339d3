"""The tables and the example of docs/simulation.md are those of the code."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from server.whatif import to_json
from server.whatif.document import MEMBERS
from server.whatif.simulate import DAYS
from server.whatif.summary import Summary
from server.whatif.tally import UNKNOWN_PROBABILITY
from tests.server.simulated import at, money, simulated, write_files, write_requests

TEXT = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")
CATALOGUE: dict[str, Any] = {
    "currency_code": "USD",
    "placements": [{"placement_id": "home"}],
    "offers": [{"offer_id": "tea", "value": money("1")}],
}


def named(number: int) -> list[str]:
    """Return the fields in the first column of a table of the chapter on the answer."""
    tables = TEXT.split("\n## The answer\n")[1].split("\n## ")[0].split("| field | meaning |")[1:]
    cells = [line.split("|")[1] for line in tables[number].splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def test_every_field_of_the_document_is_explained(tmp_path: Path) -> None:
    """The two tables name exactly the fields that the document has."""
    config = write_files(tmp_path, CATALOGUE)
    requests = write_requests(tmp_path, [{"member_id": "ann", "placement_id": "home", "time": at(0)}])
    document = to_json(simulated(config, requests=requests))

    assert set(named(0)) == document.keys()
    assert set(named(1)) == document["new"].keys()
    assert {one.name for one in fields(Summary)} <= set(named(1))


def test_the_numbers_are_those_of_the_code() -> None:
    """Defaults on the page are the code's, and the tables of a folder are named."""
    assert f"for {DAYS} days" in TEXT
    assert f"else {UNKNOWN_PROBABILITY}" in TEXT
    assert {"answers_today", "value_new", "contacts_new"} <= MEMBERS.keys()


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the page says how many members lose: Ann, whose only offer the new catalogue lacks."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {**CATALOGUE, "offers": []})
    (tmp_path / "catalogue.yaml").rename(tmp_path / "new.yaml")
    write_files(tmp_path, CATALOGUE)
    write_requests(tmp_path, [{"member_id": "ann", "placement_id": "home", "time": at(0)}])
    (example,) = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}

    exec(example, names)

    assert names["losing"] == 1
