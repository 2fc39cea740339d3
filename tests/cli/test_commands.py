"""The command line as its users meet it."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from cli.main import app
from experiments.log.events import Exposure
from server.storage import SqliteEventLog
from tests.cli.in_process import Command

ROOT = Path(__file__).parents[2]


def process(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def commands() -> list[tuple[tuple[str, ...], object]]:
    found: list[tuple[tuple[str, ...], object]] = []

    def walk(command: object, path: tuple[str, ...]) -> None:
        below = getattr(command, "commands", None)
        if below is None:
            found.append((path, command))
        else:
            for name, inner in below.items():
                walk(inner, (*path, name))

    walk(get_command(app), ())
    return found


@pytest.mark.parametrize(
    ("path", "command"), commands(), ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_and_option_has_help(path: tuple[str, ...], command: object) -> None:
    """No command and no option is without a word of help, and README or docs mention the command."""
    assert getattr(command, "help", None), path
    for parameter in command.params:  # type: ignore[attr-defined]  # a click command
        assert getattr(parameter, "help", None) or parameter.name == "help", (path, parameter.name)
    written = "".join(
        page.read_text(encoding="utf-8") for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    )
    assert f"troth {' '.join(path)}" in written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--config", "nowhere.toml"), "nowhere.toml: there is no such file"),
        (("experiment", "validate", "nowhere"), "nowhere: there is no such file or folder"),
        (("models", "list", "--store", "nowhere"), "There is no model store in nowhere"),
        (("train", "offers", "--dataset", "mine"), "There is no data set 'mine'"),
    ],
)
def test_a_failure_is_one_clear_sentence(troth: Command, arguments: tuple[str, ...], said: str) -> None:
    """What cannot be done ends with exit code 1 and one sentence on stderr, no traceback."""
    done = troth(*arguments)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("troth: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_a_process_fails_as_the_command_does() -> None:
    """The exit code and the sentence are those of the process too."""
    done = process("experiment", "validate", "nowhere")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "troth: nowhere: there is no such file or folder\n"


def test_wrong_usage_ends_with_2(troth: Command) -> None:
    """An unknown command is usage, exit code 2."""
    assert troth("frobnicate").code == 2


def test_experiment_validate_names_every_problem(troth: Command, tmp_path: Path) -> None:
    """A definition with three faults gets three problems in one go."""
    definition = (ROOT / "cli" / "demo" / "offer_ranking.yaml").read_text(encoding="utf-8")
    broken = definition.replace("weight: 50", "wieght: 50").replace("state: running", "state: runing")
    path = tmp_path / "broken.yaml"
    path.write_text(broken, encoding="utf-8")

    done = troth("experiment", "validate", str(path))

    assert done.code == 1
    for part in (
        "variants[0].wieght",
        "did you mean weight?",
        "variants[1].wieght",
        "state: must be",
    ):
        assert part in done.err


def test_the_demos_experiment_is_valid(troth: Command) -> None:
    """The definition that the demo ships has nothing wrong."""
    done = troth("experiment", "validate", str(ROOT / "cli" / "demo" / "offer_ranking.yaml"))

    assert (done.code, done.err) == (0, "")
    assert "1 experiment, nothing wrong" in done.out


def test_json_on_stdout_is_all_there_is(tmp_path: Path) -> None:
    """With `--json -`, stdout holds one JSON document and nothing else."""
    path = tmp_path / "troth.db"
    log = SqliteEventLog(path)
    time = datetime(2017, 12, 5, tzinfo=UTC)
    log.append_exposures(
        [
            Exposure("default", f"e{number}", "offer-ranking", variant, f"m{number}", "", time, time)
            for number, variant in enumerate(["popular", "personal"] * 2)
        ],
        timeout=10,
    )
    log.close()

    done = process(
        "experiment",
        "analyze",
        str(ROOT / "cli" / "demo" / "offer_ranking.yaml"),
        "--log",
        str(path),
        "--json",
        "-",
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["experiment_id"] == "offer-ranking"


def test_help_is_quick() -> None:
    """`troth --help` loads none of the heavy libraries."""
    code = (
        "import sys, cli.main\n"
        "heavy = {'mlflow', 'polars', 'pandas', 'altair', 'scipy', 'grpc'} & sys.modules.keys()\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_the_app_is_typed() -> None:
    """The entry point is the application that the tests walk."""
    assert isinstance(app, typer.Typer)
