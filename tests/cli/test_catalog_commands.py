"""`troth catalog` and `troth segment`: what they print, what they refuse, and what they do to a server."""

import json
import socket
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from server.catalogue import dump_catalogue
from server.catalogue.load import parse_catalogue
from tests.cli.in_process import Ran, run
from tests.server import catalogue_scene as scene
from tests.server.catalogue_scene import serving
from tests.server.running import running


class Troth:
    """The command, in this process, in a folder of its own that holds ``catalogue.yaml``."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        (folder / "catalogue.yaml").write_text(scene.FULL, encoding="utf-8")

    def changed(self, title: str) -> str:
        """Write a catalogue in which one offer has another title; return its name."""
        text = scene.FULL.replace("Free coffee", title)
        (self.folder / "changed.yaml").write_text(text, encoding="utf-8")
        return "changed.yaml"

    def run(self, *arguments: str) -> Ran:
        """Run the command."""
        return run(self._monkeypatch, self._capsys, *arguments)

    def said(self, *arguments: str) -> str:
        """Run a command that must end well; return what it printed."""
        ran = self.run(*arguments)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    def document(self, *arguments: str) -> dict[str, Any]:
        """Run with `--json -`; return the one document that is all of stdout."""
        found: dict[str, Any] = json.loads(self.said(*arguments, "--json", "-"))
        return found


@pytest.fixture
def troth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Troth:
    return Troth(tmp_path, monkeypatch, capsys)


DIFFERENCE = "~ offers/coffee  title: Free coffee → Espresso\n"


def test_validate(troth: Troth) -> None:
    """A sound catalogue is told with what is in it and its revision."""
    assert troth.said("catalog", "validate", "catalogue.yaml") == (
        "catalogue.yaml: 2 offers, 2 actions, 1 segment, 2 placements, nothing wrong."
        f" Revision {scene.full().revision}.\n"
    )


def test_validate_names_every_problem(troth: Troth) -> None:
    """A broken one is refused with every problem and its place, in one sentence."""
    broken = scene.FULL.replace("age < 30", "age < thirty").replace("group_id: spring", "group_id: sprung")
    (troth.folder / "broken.yaml").write_text(broken, encoding="utf-8")

    ran = troth.run("catalog", "validate", "broken.yaml")

    assert ran.code == 1
    assert ran.out == ""
    assert 'segments[0].rule, line 1, column 7: there is no attribute "thirty"' in ran.err
    assert "groups[1].group_id" not in ran.err
    assert "there is no group 'spring'; did you mean 'sprung'?" in ran.err


def test_diff_against_a_file(troth: Troth) -> None:
    """Two files are compared item by item; equal ones have no difference."""
    changed = troth.changed("Espresso")

    assert troth.said("catalog", "diff", changed, "--against", "catalogue.yaml") == DIFFERENCE
    assert "no difference" in troth.said("catalog", "diff", changed, "--against", changed)
    found = troth.document("catalog", "diff", changed, "--against", "catalogue.yaml")
    assert found["before"] == scene.full().revision
    assert found["changes"] == [
        {
            "kind": "changed",
            "item": "offers/coffee",
            "path": "title",
            "before": "Free coffee",
            "after": "Espresso",
        }
    ]


def test_diff_against_a_configuration(troth: Troth) -> None:
    """Against a configuration, the catalogue counts that its server would begin with: the store's, once it was changed."""
    (troth.folder / "troth.toml").write_text(
        '[store]\npath = "troth.db"\n[programmes.default]\ncatalogue = "catalogue.yaml"\n', encoding="utf-8"
    )
    arguments = ("catalog", "diff", troth.changed("Espresso"), "--config", "troth.toml")
    assert troth.said(*arguments) == DIFFERENCE

    with serving(troth.folder / "troth.db", scene.full()) as live:
        troth.said("catalog", "apply", "changed.yaml", "--server", live.address, "--actor", "ann")

    assert "no difference" in troth.said(*arguments)
    other = scene.FULL.replace("time_zone", "programme: other\ntime_zone")
    (troth.folder / "other.yaml").write_text(other, encoding="utf-8")
    ran = troth.run("catalog", "diff", "other.yaml", "--config", "troth.toml")
    assert (ran.code, "there is no programme 'other'" in ran.err) == (1, True)


@pytest.mark.parametrize(
    "arguments", [(), ("--against", "catalogue.yaml", "--server", "x:1")], ids=["none", "two"]
)
def test_diff_needs_one_other_side(troth: Troth, arguments: tuple[str, ...]) -> None:
    """Without anything to compare with, or with two, it is wrong usage."""
    assert troth.run("catalog", "diff", "catalogue.yaml", *arguments).code == 2


def test_apply(troth: Troth) -> None:
    """A dry run changes nothing; applying puts the catalogue in force, with actor and source in the trail; again changes nothing."""
    changed = troth.changed("Espresso")
    with serving(troth.folder / "troth.db", scene.full()) as live:
        where = ("--server", live.address)
        applying = ("catalog", "apply", changed, *where, "--actor", "ann")

        dry = troth.said(*applying, "--dry-run")
        assert dry.startswith(DIFFERENCE)
        assert "Nothing was changed" in dry
        assert live.programmes.current("default").catalogue == scene.full()
        assert troth.said("catalog", "diff", changed, *where) == DIFFERENCE

        assert troth.said(*applying).startswith(DIFFERENCE)
        assert live.programmes.current("default").catalogue.offers[0].title == "Espresso"
        assert "in force already" in troth.said(*applying)
        assert "no difference" in troth.said("catalog", "diff", changed, *where)
        found = troth.document("catalog", "apply", "catalogue.yaml", *where, "--actor", "bob")
        assert (found["revision"], found["position"]) == (scene.full().revision, 3)
        trail = live.log.catalogue_changes("default", 0, 9)

    assert [(one.actor, one.source.value) for one in trail] == [
        ("file", "file"),
        ("ann", "cli"),
        ("bob", "cli"),
    ]


def test_refusals_of_a_server(troth: Troth) -> None:
    """What a server refuses, and a server that is not there, are one sentence each."""
    other = parse_catalogue({**scene.document(), "programme": "other"}, "test")
    (troth.folder / "other.yaml").write_text(dump_catalogue(other), encoding="utf-8")
    with serving(troth.folder / "troth.db", scene.full()) as live:
        refused = troth.run("catalog", "apply", "other.yaml", "--server", live.address, "--actor", "ann")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        nobody = troth.run("catalog", "diff", "catalogue.yaml", "--server", address)

    assert (refused.code, refused.out) == (1, "")
    assert "serves no programme 'other'" in refused.err
    assert nobody.code == 1
    assert (
        nobody.err
        == f"troth: {address}: no server answers there; is it running, and is this its gRPC port?\n"
    )


def large(troth: Troth, size: int) -> str:
    """Write a catalogue with one description of so many characters; return its name."""
    document = scene.document()
    document["offers"][0]["description"] = "LONG"
    text = dump_catalogue(parse_catalogue(document, "test"))
    (troth.folder / "large.yaml").write_text(text.replace("LONG", "x" * size), encoding="utf-8")
    return "large.yaml"


def test_a_catalogue_too_large_for_a_call(troth: Troth) -> None:
    """What no call can carry is refused in one sentence that names the other way."""
    (troth.folder / "troth.toml").write_text(
        '[programmes.default]\ncatalogue = "catalogue.yaml"\n', encoding="utf-8"
    )
    path = large(troth, 4_200_000)
    with running(troth.folder / "troth.toml", port=0, metrics_port=0, drain_wait=0.0) as live:
        address = f"127.0.0.1:{live.app.port}"
        refused = troth.run("catalog", "apply", path, "--server", address, "--actor", "ann")

    assert (refused.code, refused.out) == (1, "")
    assert "larger than what one call may carry" in refused.err
    assert "configured file" in refused.err


def test_a_change_too_large_to_be_listed(troth: Troth) -> None:
    """A change is not called none because the answer cannot show it."""
    path = large(troth, 300_000)
    with serving(troth.folder / "troth.db", scene.full()) as live:
        said = troth.said("catalog", "apply", path, "--server", live.address, "--actor", "ann")

    assert said.startswith("Differences not shown: 1.\n")
    assert said.endswith("change 2.\n")


def test_explain(troth: Troth) -> None:
    """One offer, or everything, in plain words; an offer that is not there is wrong usage."""
    one = troth.said("catalog", "explain", "catalogue.yaml", "tea")

    assert one.startswith("offer tea: Tee für zwei (coupon)\n")
    assert "eligible (may have it): if age is at least 18 [group adults]" in one
    assert one.rstrip() in troth.said("catalog", "explain", "catalogue.yaml")
    assert troth.run("catalog", "explain", "catalogue.yaml", "cake").code == 2


def test_segment_size(troth: Troth) -> None:
    """A segment or a rule is counted over a table; who lacks what it asks about is told apart."""
    table = pl.DataFrame({"member_id": ["a", "b", "c", "d"], "age": [20, 40, None, 29], "city": ["x"] * 4})
    table.write_parquet(troth.folder / "members.parquet")
    table.write_csv(troth.folder / "members.csv")
    size = ("--catalogue", "catalogue.yaml", "--members")

    for members in ("members.parquet", "members.csv"):
        assert troth.said("segment", "size", "young", *size, members) == (
            "age is below 30: matches 2 of 4 (50.0 %); 1 lacks an attribute it asks about.\n"
        )
    assert "matches 1 of 4 (25.0 %)" in troth.said("segment", "size", "age > 30", *size, "members.csv")
    # A column that the table lacks is an attribute that every member lacks.
    assert "matches 0 of 4 (0.0 %); 4 lack" in troth.said("segment", "size", "student", *size, "members.csv")
    assert troth.document("segment", "size", "young", *size, "members.csv") == {
        "rule": "age < 30",
        "matching": 2,
        "erring": 1,
        "members": 4,
    }


@pytest.mark.parametrize(
    ("rule", "members", "said"),
    [
        ("agge < 30", "members.csv", 'did you mean "age"?'),
        ("age < 30", "nowhere.csv", "nowhere.csv: there is no such file"),
        ("age < 30", "members.txt", "members.txt: must end in .parquet or .csv"),
        ("age < 30", "texts.parquet", 'The column "age" holds String'),
        ("age < 30", "broken.csv", "The table cannot be read"),
    ],
)
def test_segments_that_cannot_be_measured(troth: Troth, rule: str, members: str, said: str) -> None:
    """A faulty rule or table is one sentence that says what is wrong."""
    (troth.folder / "members.csv").write_text("age\n20\n", encoding="utf-8")
    (troth.folder / "broken.csv").write_text("age\nold\n", encoding="utf-8")
    pl.DataFrame({"age": ["old"]}).write_parquet(troth.folder / "texts.parquet")

    ran = troth.run("segment", "size", rule, "--catalogue", "catalogue.yaml", "--members", members)

    assert (ran.code, ran.out) == (1, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_segments_that_are_not_there(troth: Troth) -> None:
    """A word that is neither segment nor attribute is a misspelt segment; those there are get named."""
    (troth.folder / "members.csv").write_text("age\n20\n", encoding="utf-8")

    ran = troth.run("segment", "size", "yung", "--catalogue", "catalogue.yaml", "--members", "members.csv")

    assert (ran.code, ran.out) == (2, "")
    said = " ".join(ran.err.replace("│", " ").split())
    assert "'yung' is neither a segment of catalogue.yaml nor a rule; it has young" in said
