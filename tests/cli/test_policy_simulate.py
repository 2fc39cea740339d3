"""`troth policy simulate`, from files to sentences, JSON, Parquet and a page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from server.whatif.document import DECISIONS
from tests.cli.in_process import Ran, run
from tests.server.simulated import write_files, write_requests, write_revision
from tests.server.test_simulation_by_hand import CATALOGUE, MEMBERS, REQUESTS

Command = Callable[..., Ran]
TABLES = ("--config", "troth.toml", "--members", "members.parquet", "--requests", "requests.parquet")


@pytest.fixture
def simulate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with a programme, tables, and a revision without tea."""
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, CATALOGUE)
    MEMBERS.write_parquet(tmp_path / "members.parquet")
    write_requests(tmp_path, REQUESTS)
    write_revision(tmp_path, {**CATALOGUE, "offers": CATALOGUE["offers"][1:]})
    return lambda *arguments: run(monkeypatch, capsys, "policy", "simulate", *arguments)


def test_it_says_who_loses(simulate: Command) -> None:
    """The first lines say what was simulated and who loses; tables of today and the revision follow."""
    ran = simulate(*TABLES, "--catalogue", "revision.yaml")

    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith(
        "7 requests of 3 members, 2026-05-01 to 2026-05-02, with the log's outcomes: revision"
    )
    assert lines[1] == (
        "0 members who get something today would get nothing; 0 who get nothing today would get something."
    )
    assert lines[2].startswith("Expected value: ")
    assert "Offers and actions whose reach changes" in lines
    assert [line.split()[:3] for line in lines if line.startswith("tea ")] == [["tea", "3", "0"]]


def test_json_is_one_document(simulate: Command) -> None:
    """With --json - nothing else is on stdout, and the same command gives the same document."""
    ran = simulate(
        *TABLES, "--catalogue", "revision.yaml", "--response", "assume", "--seed", "3", "--json", "-"
    )
    again = simulate(
        *TABLES, "--catalogue", "revision.yaml", "--response", "assume", "--seed", "3", "--json", "-"
    )

    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["responses"] == "assume"
    assert {"new", "today", "groups", "candidates"} <= found.keys()
    assert ran.out == again.out


def test_tables_and_page(simulate: Command, tmp_path: Path) -> None:
    """--out writes a folder of tables or one file, --html a page that has every heading and a chart of each budget."""
    assert simulate(*TABLES, "--out", "tables", "--html", "report.html").code == 0
    assert simulate(*TABLES, "--out", "decisions.parquet").code == 0

    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == [
        "budgets.parquet", "decisions.parquet", "members.parquet", "reach.parquet",
    ]  # fmt: skip
    decisions = pl.read_parquet(tmp_path / "decisions.parquet")
    assert dict(decisions.schema) == DECISIONS
    assert decisions["run"].value_counts().sort("run").rows() == [("new", 7), ("today", 7)]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 1
    assert re.findall(r">(\d+ May)<", page) == ["1 May", "2 May"]
    assert "Who loses against today" in page
    assert '<section class="verdict plain">' in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")


def test_nothing_is_logged(simulate: Command, tmp_path: Path) -> None:
    """A programme without a log has none afterwards."""
    assert simulate(*TABLES).code == 0
    assert not list(tmp_path.glob("*.db*"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--requests", "missing.parquet"), 1, "There is no table at missing.parquet."),
        (("--placement", "letter"), 1, "Name --from and --until"),
        (("--placement", "letter", "--requests", "requests.parquet"), 2, "not both"),
        (("--channel", "email"), 2, "belongs to --placement"),
        (("--requests", "requests.parquet", "--from", "2027-01-01"), 1, "has no requests; name other days"),
        (("--catalogue", "missing.yaml"), 1, "there is no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_simulated_is_said(
    simulate: Command, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """One clear sentence, and nothing on stdout."""
    ran = simulate("--config", "troth.toml", *arguments)

    assert (ran.code, ran.out) == (code, "")
    assert words in " ".join(ran.err.replace("│", " ").split())


def test_page_shows_what_is_lost(simulate: Command, tmp_path: Path) -> None:
    """A revision that is worth less has a bad verdict with the money in it, though nobody gets nothing."""
    ran = simulate(*TABLES, "--catalogue", "revision.yaml", "--html", "report.html")

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    worth = ran.out.splitlines()[2]
    assert "with the revision (−" in worth
    assert '<section class="verdict bad">' in page
    assert worth in page.replace("\u00a0", " ")


def test_one_day_is_one_day(simulate: Command) -> None:
    """A simulation of one day names it once."""
    ran = simulate(*TABLES, "--from", "2026-05-01", "--until", "2026-05-01")

    assert ", on 2026-05-01, with" in ran.out.splitlines()[0]
