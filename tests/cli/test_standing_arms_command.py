"""`troth experiment analyze standing-arms`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.in_process import Ran, run
from tests.cli.programme_files import write_programme
from tests.experiments.test_standing_arms import simulated

Command = Callable[..., Ran]


@pytest.fixture
def analyze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with a configuration."""
    monkeypatch.chdir(tmp_path)
    write_programme(tmp_path)
    return lambda *arguments: run(monkeypatch, capsys, "experiment", "analyze", *arguments)


def document(ran: Ran) -> dict[str, Any]:
    """Return the one JSON document that is all of stdout."""
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_the_arms_are_known_by_name(analyze: Command, tmp_path: Path) -> None:
    """With a period in the name, as an option, or by a day; the lift of giving anything is 4 - 10 for each member."""
    simulated(tmp_path, 3_000)
    rest = ("--config", "troth.toml", "--json", "-")

    found = document(analyze("standing-arms", "--period", "2026-05", *rest))

    assert found["experiment_id"] == "standing-arms.2026-05"
    assert sum(found["units"].values()) == 3_000
    assert not found["srm"]["alarm"]
    (lift,) = [
        one for one in found["results"] if (one["metric_id"], one["variant_id"]) == ("value", "holdout")
    ]
    assert lift["ci_lower"] < -6 < lift["ci_upper"] < 0
    assert document(analyze("standing-arms.2026-05", *rest)) == found
    by_day = document(analyze("standing-arms", "--as-of", "2026-05-31", *rest))
    assert by_day["results"] == found["results"]


def test_the_report_is_written(analyze: Command, tmp_path: Path) -> None:
    """The same page as of any experiment, and a sentence for each arm."""
    simulated(tmp_path, 1_000)

    ran = analyze("standing-arms.2026-05", "--config", "troth.toml", "--html", "r.html")

    assert (ran.code, ran.err) == (0, "")
    assert "The holdout" in ran.out
    assert "standing-arms.2026-05" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["standing-arms"], 2, "Standing arms are defined by the catalogue"),
        (["standing-arms", "--config", "troth.toml", "--data", "t.csv"], 2, "read from the server's log"),
        (
            ["standing-arms.may", "--config", "troth.toml"],
            1,
            "'may' is not a period; write a month as 2026-11",
        ),
        (["standing-arms.2026", "--period", "2027", "--config", "troth.toml"], 2, "name two periods"),
        (
            ["standing-arms.2026-06", "--config", "troth.toml"],
            1,
            "no exposure of experiment 'standing-arms.2026-06'",
        ),
        (["e.yaml", "--period", "2026-05"], 2, "belong to standing-arms"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    analyze: Command, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    """The sentence names what is wrong; wrong usage ends with 2, what cannot be done with 1."""
    simulated(tmp_path, 5)

    ran = analyze(*arguments)

    assert ran.code == code
    assert sentence in " ".join(ran.err.replace("│", " ").split())


def test_a_catalogue_without_arms_says_so(analyze: Command, tmp_path: Path) -> None:
    """The sentence names the field that would make them."""
    write_programme(tmp_path, standing_arms={})

    ran = analyze("standing-arms.2026-05", "--config", "troth.toml")

    assert ran.code == 1
    assert "has no standing arms; name their members as standing_arms.traffic_ppm" in ran.err
