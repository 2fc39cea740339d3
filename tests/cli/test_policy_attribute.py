"""`troth policy attribute`, from a log to tables and counts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from experiments.log.attribution import CREDIT_COLUMNS, TOUCH_COLUMNS
from server.catalogue.diff import ChangeSource
from server.catalogue.load import load_catalogue
from server.programme.loading import open_catalogue
from tests.cli.in_process import Ran, run
from tests.cli.programme_files import write_programme
from tests.experiments.attribution.logs import decision, outcome, write_log
from tests.server.catalogue_scene import NOW, Log

Command = Callable[..., Ran]


@pytest.fixture
def attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with a configuration and a log."""
    monkeypatch.chdir(tmp_path)
    write_programme(tmp_path)
    write_log(
        tmp_path / "log.db",
        [
            decision("d1", "ann", 0, "tea", "jam"),
            decision("d2", "ann", 0, "tea", placement_id="letter"),
            decision("d3", "bob", 0, "tea"),
        ],
        [
            outcome("soon", "ann", 6, "redemption", offer_id="jam", value=3),
            outcome("ten days later", "ann", 10, "redemption", offer_id="tea"),
            outcome("too late", "bob", 10, "redemption", offer_id="tea"),
            outcome("purchase", "bob", 1, "purchase", value=20),
            outcome("stranger", "eve", 1, "purchase", value=20),
        ],
    )
    return lambda *arguments: run(monkeypatch, capsys, "policy", "attribute", *arguments)


def counts(ran: Ran) -> dict[str, int]:
    """Return the one JSON document that is all of stdout."""
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, int] = json.loads(ran.out)
    return found


def test_the_windows_are_those_of_the_catalogue(attribute: Command, tmp_path: Path) -> None:
    """After ten days the letter still earns, the page does not; the tables have the documented columns."""
    ran = attribute("--config", "troth.toml", "--out", "touches.parquet", "--credits", "credits.parquet")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "4 decided candidates, 5 outcomes: 3 attributed, 1 late, 0 of decisions that were not exposed,"
        " 0 that name another member's decision, 1 without a decision.\n"
    )
    touched = pl.read_parquet(tmp_path / "touches.parquet")
    assert dict(touched.schema) == TOUCH_COLUMNS
    assert touched.filter("responded").select("decision_id", "candidate_id", "value").rows() == [
        ("d1", "jam", 3.0),
        ("d2", "tea", 0.0),
    ]
    credited = pl.read_parquet(tmp_path / "credits.parquet")
    assert dict(credited.schema) == CREDIT_COLUMNS
    assert dict(credited.select("event_id", "status").iter_rows())["too late"] == "late"


def test_windows_and_rules_can_be_named(attribute: Command) -> None:
    """--window goes before the catalogue, --log needs none and takes 14 days, --rule and --named-only are stricter."""
    of_config = ("--config", "troth.toml", "--out", "t.parquet", "--json", "-")
    of_log = ("--log", "log.db", "--out", "t.parquet", "--json", "-")

    assert counts(attribute(*of_config, "--window", "home=11"))["late"] == 0
    assert counts(attribute(*of_config, "--window", "home=11", "--window", "letter=9.5"))["attributed"] == 4
    assert counts(attribute(*of_log)) == {
        "candidates": 4,
        "outcomes": 5,
        "attributed": 4,
        "late": 0,
        "not_exposed": 0,
        "other_member": 0,
        "no_decision": 1,
    }
    assert counts(attribute(*of_log, "--rule", "exposed_last_touch"))["not_exposed"] == 4
    assert counts(attribute(*of_log, "--named-only"))["no_decision"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "Give --config, or --log."),
        (["--log", "log.db", "--window", "home"], 2, "'home' is not PLACEMENT=DAYS, such as home=7"),
        (["--log", "log.db", "--window", "home=x"], 2, "'home=x' is not PLACEMENT=DAYS"),
        (["--log", "log.db", "--window", "home=0"], 1, "window of placement 'home' is 0 days"),
        (["--log", "log.db", "--rule", "first"], 1, "no attribution rule 'first'; the rules are last_touch"),
        (["--log", "other.db"], 1, "There is no decision log at other.db."),
        (["--config", "troth.toml", "--window", "hime=3"], 2, "no placement 'hime'; it has home, letter"),
        (["--config", "troth.toml", "--programme", "shop"], 2, "no programme 'shop'; it has default"),
        (["--config", "other.toml"], 1, "there is no such file"),
        (["--log", "log.db", "--out", "nowhere/t.parquet"], 1, "nowhere/t.parquet cannot be written"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    attribute: Command, arguments: list[str], code: int, sentence: str
) -> None:
    """The sentence names what is wrong; wrong usage ends with 2, what cannot be done with 1."""
    ran = attribute("--out", "t.parquet", *arguments)

    assert ran.code == code
    assert sentence in " ".join(ran.err.replace("│", " ").split())


def test_one_of_several_programmes_is_named(attribute: Command, tmp_path: Path) -> None:
    """Without --programme the sentence lists them; the log of a programme without events is empty."""
    write_programme(tmp_path, "default", "shop")

    ran = attribute("--config", "troth.toml", "--out", "t.parquet")
    assert ran.code == 2
    assert "default, shop" in " ".join(ran.err.replace("│", " ").split())
    found = counts(
        attribute("--config", "troth.toml", "--programme", "shop", "--out", "t.parquet", "--json", "-")
    )
    assert found["outcomes"] == found["candidates"] == 0


def test_what_was_changed_over_grpc_counts(attribute: Command, tmp_path: Path) -> None:
    """With a window of eleven days applied to a running server, the file's seven no longer hold."""
    written = load_catalogue(tmp_path / "default.yaml")
    home, *others = written.placements
    longer = home.model_copy(update={"attribution_window_days": 11})
    applied = written.model_copy(update={"placements": (longer, *others)})
    log = Log(tmp_path / "log.db")
    try:
        open_catalogue(written, log, NOW)
        standing = log.stored_catalogue("default")
        assert standing is not None
        change = replace(
            standing,
            position=2,
            revision=applied.revision,
            source=ChangeSource.GRPC,
            document=applied.to_json(),
        )
        log.append_catalogue_change(change, 10.0)
    finally:
        log.close()

    assert counts(attribute("--config", "troth.toml", "--out", "t.parquet", "--json", "-"))["late"] == 0
