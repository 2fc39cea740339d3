"""`troth explain` and `troth replay`: from the files alone, beside a running server and after it."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from experiments.log.rows import SCHEMA_VERSION
from tests.cli.deciding import Command, Deciding
from tests.cli.in_process import run
from tests.server import busy
from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, Now, values
from tests.server.running import running


@pytest.fixture
def troth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command, in this process."""
    return lambda *arguments: run(monkeypatch, capsys, *arguments)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deciding]:
    """A running server; tests use members of their own and change nothing else."""
    config = busy.write(tmp_path_factory.mktemp("live") / "scene")
    now = Now()
    with running(config, now) as server:
        yield Deciding(server, Asking(server), str(config), f"127.0.0.1:{server.app.port}", now)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The configuration of a server that has made one decision for anna and one action for bob, and has ended."""
    config = ds.write(tmp_path / "scene")
    with running(config, Now()) as server:
        ask = Asking(server)
        ask.offers("anna", attributes=values(age=17))
        ask.action("bob")
    return config


def decisions(config: Path) -> list[str]:
    """Return the ids of the decisions in a log."""
    with closing(sqlite3.connect(config.parent / "troth.db")) as connection:
        return [one for (one,) in connection.execute("SELECT decision_id FROM decisions ORDER BY rowid")]


def test_explains_offers(closed: Path, troth: Command) -> None:
    """Who, where, when and by which policy; the chosen with factors, the next best, and what each gate removed."""
    decision_id = decisions(closed)[0]

    ran = troth("explain", decision_id, "--config", str(closed))

    assert (ran.code, ran.err) == (0, "")
    for line in (
        f"Decision {decision_id} of programme default",
        "  who          anna",
        "  where        till, channel app",
        "  when         2026-05-04 12:00:00.000000 UTC",
        "  policy       ranking catalogue, weighed by worth",
        "  standing arm none",
        "  experiments  none",
        "  missing      MODEL_MISSING",
        "Could be chosen too: 2",
        "Removed: 1",
    ):
        assert line in [one.rstrip() for one in ran.out.splitlines()]
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["1", "honey", "Honey", "app", "0.9", "1", "0.1", "9", "1", "1", "0"] in rows
    assert ["2", "jam", "Jam", "app", "0.7", "1", "0.1", "8", "1", "1", "0.1"] in rows
    assert ["nuts", "Nuts", "app", "0.5", "0.1", "5", "1", "1", "0"] in rows
    assert "NOT_ELIGIBLE      1  wine (app)   not eligible: needs age is at least 18" in ran.out


def test_explains_actions(closed: Path, troth: Command) -> None:
    """Actions are told with their channels; with --all each candidate has a line of its own."""
    short = troth("explain", decisions(closed)[1], "--config", str(closed)).out
    full = troth("explain", decisions(closed)[1], "--config", str(closed), "--all").out

    assert "nudge (push), nudge (email)" in short
    assert len([line for line in full.splitlines() if line.startswith("ELIGIBILITY_ERROR")]) == 2
    assert len([line for line in full.splitlines() if line.startswith("NO_CONSENT")]) == 1


def test_text_of_the_catalogue_is_no_markup(tmp_path: Path, troth: Command) -> None:
    """Brackets and colons of titles are printed as they are."""
    offers = [{"offer_id": "odd", "title": "[bold]50 %[/] off :smile: [red]", "kind": "perk"}]
    placements = [{"placement_id": "till"}, *ds.CATALOGUE["placements"][1:]]
    config = ds.write(tmp_path / "scene", offers=offers, placements=placements)
    with running(config, Now()) as server:
        decision_id = Asking(server).offers("anna").decision_id

    assert "[bold]50 %[/] off :smile: [red]" in troth("explain", decision_id, "--config", str(config)).out


def test_json_is_the_answer_of_the_rpc(live: Deciding, troth: Command) -> None:
    """With --json - stdout is one document: what ExplainDecision answers, field by field."""
    from google.protobuf.json_format import MessageToDict

    decision_id = live.ask.offers("explained", "busy").decision_id

    ran = troth("explain", decision_id, "--config", live.config, "--json", "-")

    assert (ran.code, ran.err) == (0, "")
    answer = live.ask.explain(decision_id)
    assert json.loads(ran.out) == MessageToDict(answer, preserving_proto_field_name=True)


def test_replays_beside_a_running_server(live: Deciding, troth: Command) -> None:
    """A decision that was just answered comes out the same, and the server's file is not touched."""
    decision_id = live.ask.offers("replayed", "busy").decision_id
    before = live.server.row_counts()

    ran = troth("replay", decision_id, "--config", live.config)

    assert (ran.code, ran.out, ran.err) == (0, "identical\n", "")
    document = json.loads(troth("replay", decision_id, "--config", live.config, "--json", "-").out)
    assert document == {"identical": True, "differences": []}
    assert live.server.row_counts() == before
    assert live.ask.offers("replayed", "busy").decision_id != decision_id


def test_replays_the_whole_log(live: Deciding, troth: Command) -> None:
    """--all counts; --since and --sample choose, and a time after the last decision leaves none."""
    made = busy.traffic(live.server, live.now, 40, 7)
    decided = live.server.row_counts()[0]
    assert len(made) == 40

    ran = troth("replay", "--all", "--config", live.config)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{decided:,} decisions made again (")
    assert f"{decided:,} identical, 0 different, 0 impossible." in ran.out
    document = json.loads(
        troth("replay", "--all", "--sample", "5", "--config", live.config, "--json", "-").out
    )
    assert (document["identical_count"], document["different_count"], document["deviations"]) == (5, 0, [])
    for since, count in (("2026-05-04", decided), ("2027-01-01T12:00:01", 0)):
        ran = troth("replay", "--all", "--since", since, "--config", live.config, "--json", "-")
        assert json.loads(ran.out)["identical_count"] == count


def test_a_difference_is_told(closed: Path, troth: Command) -> None:
    """One changed number is exit code 1, with what differs; explain says that it explains something else."""
    with closing(sqlite3.connect(closed.parent / "troth.db", isolation_level=None)) as connection:
        connection.execute("UPDATE decisions SET slate_propensity = 0.25 WHERE kind = 'offers'")
    decision_id = decisions(closed)[0]

    ran = troth("replay", decision_id, "--config", str(closed))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines()[1].split() == ["slate_propensity", "0.25", "1.0"]
    ran = troth("replay", "--all", "--config", str(closed))
    assert ran.code == 1
    assert "1 identical, 1 different, 0 impossible." in ran.out
    assert f"  {decision_id}  slate_propensity: logged 0.25, now 1.0" in ran.out
    assert (
        "It does not come out as logged any more"
        in troth("explain", decision_id, "--config", str(closed)).out
    )


def test_nothing_is_written(closed: Path, troth: Command) -> None:
    """Reading leaves every byte of the log as it was."""
    log = closed.parent / "troth.db"
    before = log.read_bytes()

    for command in ("replay", "explain"):
        assert troth(command, decisions(closed)[0], "--config", str(closed)).code == 0
    assert troth("replay", "--all", "--config", str(closed)).code == 0

    assert log.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["replay"], 2, "Name one decision, or give --all."),
        (["replay", "d", "--all"], 2, "Name one decision, or give --all."),
        (["replay", "d", "--sample", "5"], 2, "belong to --all"),
        (
            ["replay", "nothing-like-it"],
            1,
            "Programme 'default' has no decision 'nothing-like-it' in its log.",
        ),
        (
            ["explain", "nothing-like-it"],
            1,
            "Programme 'default' has no decision 'nothing-like-it' in its log.",
        ),
        (["explain", "d", "--programme", "other"], 2, "has no programme 'other'; it has default."),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    closed: Path, troth: Command, arguments: list[str], code: int, sentence: str
) -> None:
    """Wrong usage ends with 2, a decision that is not there with 1."""
    ran = troth(*arguments, "--config", str(closed))

    assert (ran.code, ran.out) == (code, "")
    assert sentence in " ".join(ran.err.replace("│", " ").split())


def test_no_log(closed: Path, troth: Command) -> None:
    """Without a log, with a file that is none, and with one of an older version the sentence says which."""
    log = closed.parent / "troth.db"
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 3")
    older = troth("explain", "d", "--config", str(closed))
    log.write_bytes(b"not a database" * 100)
    for side in ("-wal", "-shm"):
        log.with_name(log.name + side).unlink(missing_ok=True)
    none = troth("explain", "d", "--config", str(closed))
    log.unlink()
    missing = troth("replay", "--all", "--config", str(closed))

    assert (older.code, none.code, missing.code) == (1, 1, 1)
    assert (
        f"schema version 3, which does not have what decisions read; `troth serve` brings it to version {SCHEMA_VERSION}"
        in older.err
    )
    assert "cannot be read as a decision log" in none.err
    assert "There is no decision log at" in missing.err


def test_model_that_is_gone(tmp_path: Path, troth: Command) -> None:
    """A model that was cleaned away makes replay impossible: exit code 1 and one sentence; with --all it is counted."""
    config = ds.write(tmp_path / "scene", with_model=True)
    with running(config, Now()) as server:
        decision_id = Asking(server).offers("m01").decision_id
    shutil.rmtree(config.parent / "models")

    for command in ("replay", "explain"):
        ran = troth(command, decision_id, "--config", str(config))
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(
            f"troth: Decision '{decision_id}' cannot be made again: model scene@1 is not in "
        )
    ran = troth("replay", "--all", "--config", str(config))
    assert ran.code == 1
    assert "0 identical, 0 different, 1 impossible." in ran.out
