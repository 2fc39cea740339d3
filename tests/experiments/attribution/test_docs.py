"""The tables and the example of docs/attribution.md are those of the code."""

import re
from pathlib import Path

import polars as pl
import pytest

from experiments.log.attribution import CREDIT_COLUMNS, TOUCH_COLUMNS, AttributionRules, Status
from tests.experiments.attribution.logs import decision, outcome, write_log

TEXT = (Path(__file__).parents[3] / "docs" / "attribution.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading, without the marks of code."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip().strip("`") for cell in line] for line in found]


@pytest.mark.parametrize(
    ("heading", "columns"),
    [("Outcomes, one row each", CREDIT_COLUMNS), ("Decided candidates, one row each", TOUCH_COLUMNS)],
)
def test_the_tables_are_the_schema(heading: str, columns: dict[str, pl.DataType]) -> None:
    """Each table names the columns in their order, with their types."""
    assert [(name, kind) for name, kind, _ in rows(heading)] == [
        (name, type(dtype).__name__) for name, dtype in columns.items()
    ]


def test_every_status_is_explained() -> None:
    """The table of statuses is complete, and the types of outcomes are the defaults."""
    assert [row[0] for row in rows("The rules")] == list(Status)
    defaults = AttributionRules()
    assert "`impression`, `view` or `click`" in TEXT
    assert defaults.exposure_types == ("impression", "view", "click")
    assert "`click`, `redemption` or `purchase`" in TEXT
    assert defaults.response_types == ("click", "redemption", "purchase")
    assert f"{defaults.default_window_days:g} days" in TEXT


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the page gives evidence for a log of that name."""
    monkeypatch.chdir(tmp_path)
    write_log(
        tmp_path / "troth.db",
        [decision("d1", "ann", 0, "tea")],
        [
            outcome("o1", "ann", 1, "view", decision_id="d1"),
            outcome("o2", "ann", 2, "redemption", offer_id="tea"),
        ],
    )
    (example,) = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}

    exec(example, names)

    assert names["decisions_and_responses"] == {"tea": (1, 1)}
