"""Starts that fail, as an operator sees them: exit code 1, one sentence on stderr, no traceback, nothing damaged."""

import contextlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.errors import DomainError
from server.app import build
from server.config import load_config
from server.storage import SqliteEventLog
from tests.cli.in_process import run
from tests.server import scene
from tests.server.process import LONGEST_START_S, ROOT, connected, serve_command, serving
from training.bundle import BundleError

Refused = Callable[..., str]


def _sentence(code: int, out: str, err: str) -> str:
    """Check that a command failed as operators are promised, and return the sentence it said."""
    assert out == ""
    assert "Traceback" not in err
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("troth: ")
    assert code == 1
    return lines[0]


def _refused_process(config: Path, *options: str, wrap: Callable[[list[str]], list[str]] = list) -> str:
    """Start a process that must not serve, and return the sentence it said."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        wrap(serve_command(config, *options)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=LONGEST_START_S,
        check=False,
    )
    return _sentence(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Refused:
    """Return a function that runs the command, which must not serve, in this process, and returns the sentence it said."""

    def refuse(config: Path, *options: str) -> str:
        return _sentence(*run(monkeypatch, capfd, "serve", "--config", str(config), *options))

    return refuse


def _refused_here(config: Path) -> str:
    """Build a server that must not be built, and return the one line that the command would print.

    That the command prints it and nothing else is seen where ``refused`` is used; this is faster still.
    """
    with pytest.raises((DomainError, BundleError)) as caught:
        build(load_config(config)).stop()
    error = caught.value
    assert isinstance(error, DomainError | BundleError)
    message: str = error.message
    assert "\n" not in message
    return message


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return scene.write_scene(tmp_path / "scene")


def _change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


@pytest.mark.parametrize("which", ["port", "metrics_port"])
def test_port_in_use(config: Path, which: str) -> None:
    """A port that another program listens on is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = _refused_process(config, f"--{which.replace('_', '-')}", str(port))

    assert f"127.0.0.1:{port}" in said
    assert "cannot be bound" in said
    assert which in said


def test_second_server_on_the_same_port(config: Path, tmp_path: Path) -> None:
    """Two servers never share a port silently; the first goes on."""
    other = scene.write_scene(tmp_path / "other")
    with serving(config) as first, connected(first) as client:
        port = first.address.rsplit(":", 1)[1]

        said = _refused_process(other, "--port", port)

        assert f"127.0.0.1:{port} cannot be bound" in said
        assert client.decide("m01").decision_id


def test_half_written_bundle(refused: Refused, config: Path) -> None:
    """A bundle without its manifest is half-written; the sentence names it and what to do."""
    bundle = scene.champion_link(config.parent).resolve()
    (bundle / "manifest.json").unlink()

    said = refused(config)

    assert str(bundle) in said
    assert "half-written" in said
    assert "troth models pull" in said


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def _no_json(file: Path) -> None:
    file.write_text('{"format_version": 3,', encoding="utf-8")


def _newer(file: Path) -> None:
    _change(file, '"format_version": 3', '"format_version": 4')


def _other_task(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"task": "replenish"', '"task": "discover"'), encoding="utf-8")


def _anothers(file: Path) -> None:
    _change(file, '"programme": "default"', '"programme": "another"')


@pytest.mark.parametrize(
    ("file", "damage", "word"),
    [
        ("history.indices.npy", _truncate, "bytes, expected"),
        ("popular_scores.npy", lambda file: file.unlink(), "no popular_scores.npy"),
        ("manifest.json", _no_json, "not JSON"),
        ("manifest.json", _newer, "format version 4"),
        ("manifest.json", _anothers, "trained for programme 'another'"),
        ("manifest.json", _other_task, "trained for the task 'discover', not 'replenish'"),
    ],
    ids=[
        "truncated array",
        "missing array",
        "cut manifest",
        "newer format",
        "another programme's",
        "another task's",
    ],
)
def test_damaged_bundle(config: Path, file: str, damage: Callable[[Path], None], word: str) -> None:
    """A damaged bundle is refused at the start, with what is wrong."""
    bundle = scene.champion_link(config.parent).resolve()
    damage(bundle / file)

    said = _refused_here(config)

    assert word in said
    assert str(bundle) in said


def test_champion_link_to_nowhere(config: Path) -> None:
    """A champion that points to a folder that was removed is not a reason to serve without a model."""
    bundle = scene.champion_link(config.parent).resolve()
    shutil.rmtree(bundle)

    assert str(bundle) in _refused_here(config)


@pytest.mark.parametrize(
    ("file", "before", "after", "words"),
    [
        (
            "catalogue.yaml",
            "offer_id: apple",
            "ofer_id: apple",
            ["offers[0].ofer_id", "did you mean offer_id"],
        ),
        (
            "catalogue.yaml",
            "time_zone: America/New_York",
            "time_zone: America/New_Yrok",
            ["America/New_Yrok"],
        ),
        ("catalogue.yaml", "placements:", "placements: [", ["not valid YAML", "line"]),
        ("catalogue.yaml", "2017-03-12", "2017-02-30", ["2017-02-30"]),
        ("catalogue.yaml", "time_zone", "\t@", ["not valid YAML"]),
        (
            "experiments.yaml",
            "control: popular",
            "control: populr",
            ["control", "populr", "popular, personal"],
        ),
        ("experiments.yaml", "hypothesis: Personal", "hypotesis: Personal", ["did you mean hypothesis"]),
        ("experiments.yaml", "state: running", "state: runing", ["runing"]),
        ("experiments.yaml", "ranking: champion", "ranking: champoin", ["champoin", "champion or popular"]),
        ("experiments.yaml", "placements: [checkout]", "placements: [chekout]", ["chekout"]),
        ("experiments.yaml", "weight: 1", "weight: -1", ["weight"]),
        ("troth.toml", "drain_wait", "drian_wait", ["server.drian_wait", "did you mean drain_wait"]),
        ("troth.toml", "port = 0", "port = 70000", ["server.port", "70000"]),
        ("troth.toml", "[store]", "[store", ["not valid TOML", "line"]),
        ("troth.toml", "[programmes.default]", "[programmes.defualt]", ["'default'", "'defualt'"]),
        ("troth.toml", 'catalogue = "catalogue.yaml"', 'catalogue = "katalog.yaml"', ["no such file"]),
        ("troth.toml", 'experiments = "experiments.yaml"', 'experiments = "x.yaml"', ["no such file"]),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_typos(config: Path, file: str, before: str, after: str, words: list[str]) -> None:
    """A typo in any of the files is named with its file and place, and where possible with what was meant."""
    _change(config.parent / file, before, after)

    said = _refused_here(config)

    for word in words:
        assert word in said, said
    expected = config.parent / file if "katalog" not in after and "x.yaml" not in after else config.parent
    assert str(expected) in said or "defualt" in after


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("catalogue.yaml", "offer_id: apple", "ofer_id: apple"),
        ("catalogue.yaml", "placements:", "placements: ["),
        ("experiments.yaml", "control: popular", "control: populr"),
        ("troth.toml", "[store]", "[store"),
    ],
)
def test_typos_stop_the_command(refused: Refused, config: Path, file: str, before: str, after: str) -> None:
    """A typo in each kind of file, well-formed or not, ends the command with one sentence that names the file."""
    _change(config.parent / file, before, after)

    assert str(config.parent / file) in refused(config)


def test_a_typo_stops_the_process(config: Path) -> None:
    """What the command does in this process, it does as a process: exit code 1 and the one sentence."""
    _change(config.parent / "catalogue.yaml", "offer_id: apple", "ofer_id: apple")

    assert str(config.parent / "catalogue.yaml") in _refused_process(config)


def test_all_typos_of_a_file_at_once(config: Path) -> None:
    """Several typos in one file are told together."""
    _change(config.parent / "troth.toml", "drain_wait", "drian_wait")
    _change(config.parent / "troth.toml", "port = 0", 'port = "0"')
    _change(config.parent / "troth.toml", "[store]\npath", "[store]\npaht")

    said = _refused_here(config)

    for word in ("server.drian_wait", "server.port", "store.paht"):
        assert word in said


def test_no_configuration(refused: Refused, tmp_path: Path) -> None:
    """A configuration that is not there is named."""
    said = refused(tmp_path / "nowhere.toml")

    assert str(tmp_path / "nowhere.toml") in said
    assert "no such file" in said


def test_missing_folder_of_the_log(refused: Refused, config: Path) -> None:
    """The folder of the log must exist: a misspelt path makes no second, empty log."""
    _change(config, 'path = "troth.db"', 'path = "dtaa/troth.db"')

    said = refused(config)

    assert str(config.parent / "dtaa") in said
    assert not (config.parent / "dtaa").exists()


def test_log_that_is_no_log(refused: Refused, config: Path) -> None:
    """A file that is not SQLite is refused and left as it is."""
    log = config.parent / "troth.db"
    log.write_bytes(b"These are my holiday notes, and they are long enough to be taken for a page." * 20)
    before = log.read_bytes()

    said = refused(config)

    assert str(log) in said
    assert "not a database" in said
    assert log.read_bytes() == before


def test_log_of_another_version(refused: Refused, config: Path) -> None:
    """A log that a newer Troth wrote is refused by name of its version and left as it is."""
    log = config.parent / "troth.db"
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.execute("CREATE TABLE decisions (anything TEXT)")
        connection.execute("PRAGMA user_version = 7")
    before = log.read_bytes()

    said = refused(config)

    assert "version 7" in said
    assert str(log) in said
    assert log.read_bytes() == before


def test_somebody_elses_database(refused: Refused, config: Path) -> None:
    """The database of another program is refused: nothing of ours is put into it."""
    log = config.parent / "troth.db"
    with contextlib.closing(sqlite3.connect(log)) as connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER)")
        connection.commit()
    before = log.read_bytes()

    said = refused(config)

    assert str(log) in said
    assert log.read_bytes() == before


def _bound_to_modes(command: list[str]) -> list[str]:
    """Return a command that runs another without root's right to ignore file modes, so that read-only means read-only.

    The interpreter of the tests may lie in a folder that only root can read, so becoming another user would not do. And the
    right is given up in a process of its own, because forking this one with gRPC's threads in it leaves lines on stderr.
    """
    give_up = (
        "import ctypes, os, sys\n"
        "if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0):  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE\n"
        "    sys.exit('cannot give up the right')\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    return [sys.executable, "-c", give_up, *command]


def _ignores_modes(folder: Path) -> bool:
    probe = [sys.executable, "-c", "import sys; open(sys.argv[1], 'w')", str(folder / "probe")]
    done = subprocess.run(_bound_to_modes(probe), capture_output=True, text=True, check=False)
    return "PermissionError" not in done.stderr


@pytest.mark.parametrize("existing", [False, True], ids=["new log", "existing log"])
def test_read_only_folder(config: Path, existing: bool) -> None:
    """On a disk that cannot be written the server does not start, and says so."""
    folder = config.parent / "readonly"
    folder.mkdir()
    _change(config, 'path = "troth.db"', 'path = "readonly/troth.db"')
    if existing:
        SqliteEventLog(folder / "troth.db").close()
        (folder / "troth.db").chmod(0o444)
    folder.chmod(0o555)
    try:
        if _ignores_modes(folder):
            pytest.skip("this process may write into read-only folders and cannot give that right up")
        said = _refused_process(config, wrap=_bound_to_modes)
    finally:
        folder.chmod(0o755)

    assert "cannot be opened for writing" in said
    assert str(folder / "troth.db") in said


def test_usage(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], config: Path) -> None:
    """A misspelt option is a usage error: exit code 2."""
    done = run(monkeypatch, capfd, "serve", "--config", str(config), "--prot", "1")

    assert done.code == 2
    assert "--prot" in done.err
    assert "Traceback" not in done.err


def test_overrides_and_a_clean_stop(config: Path) -> None:
    """Options win over the file; SIGTERM drains and ends with exit code 0, and all of stderr is JSON lines."""
    with serving(config, "--replay", "--host", "127.0.0.1") as server, connected(server) as client:
        assert client.healthy()
        decision = client.decide("m01", request_time={"seconds": 1_512_400_000})
        assert decision.decide_time.seconds == 1_512_400_000
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.errors.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines if line["event"] != "request"] == [
        "serving",
        "draining",
        "stopped",
    ]
    assert lines[0]["replay"] is True
    assert f"127.0.0.1:{lines[0]['port']}" == server.address


def test_killed_server_starts_again(config: Path) -> None:
    """A server that was killed starts on the same files without a hand, and what it had answered is there."""
    with serving(config) as server, connected(server) as client:
        first = client.decide("m01", request_id="before")
        server.kill()
    with serving(config) as server, connected(server) as client:
        assert client.decide("m01", request_id="before") == first
