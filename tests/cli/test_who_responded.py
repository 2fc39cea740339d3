"""`troth experiment analyze --who`: an experiment's effects by member, from tables and from the server's log."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

from tests.cli.in_process import Ran, run

Command = Callable[..., Ran]
DEFINITION = {
    "experiment_id": "mail",
    "hypothesis": "A mail earns more.",
    "unit": "member",
    "variant_column": "variant",
    "unit_column": "member",
    "control": "none",
    "variants": [{"variant_id": "none"}, {"variant_id": "mail"}],
    "metrics": [{"metric_id": "spend"}],
}


@pytest.fixture
def analyze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return the command, in a folder with an experiment in which a mail brings 1 + 2 x of spend."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mail.yaml").write_text(yaml.safe_dump(DEFINITION))
    random = np.random.default_rng(4)
    n = 3_000
    x, mailed = random.normal(size=n), random.random(n) < 0.5
    spend = random.normal(size=n) + mailed * (1 + 2 * x)
    pl.DataFrame(
        {
            "member": [f"m{number}" for number in range(n)],
            "variant": np.where(mailed, "mail", "none"),
            "spend": spend,
            "x": x,
            "city": random.choice(["Bonn", "Ulm"], size=n),
            "opened": mailed & (random.random(n) < 0.5),
        }
    ).write_parquet(tmp_path / "units.parquet")
    return lambda *arguments: run(monkeypatch, capsys, "experiment", "analyze", "mail.yaml", *arguments)


def test_who_responded_is_told_and_shown(analyze: Command, tmp_path: Path) -> None:
    """What differs between variants is not a feature; the report has the section, and the trial file plans the next send."""
    ran = analyze(
        "--data",
        "units.parquet",
        "--who",
        "--json",
        "out.json",
        "--html",
        "out.html",
        "--trial",
        "trial.parquet",
    )
    assert ran.code == 0, ran.err
    assert "Members responded differently to mail; the report shows who did." in ran.out
    found = json.loads((tmp_path / "out.json").read_text())["who_responded"]
    assert found["features"] == ["x", "city"]
    assert found["left_out"] == {"opened": "it differs between the arms"}
    assert "Who gains from mail?" in (tmp_path / "out.html").read_text()
    trial = pl.read_parquet(tmp_path / "trial.parquet")
    assert trial.columns == ["unit", "variant", "spend", "propensity", "x", "city"]
    assert trial["propensity"].unique().to_list() == [0.5]


def test_what_was_known_comes_from_a_table_of_members(analyze: Command, tmp_path: Path) -> None:
    """With --members its columns are what was known before, and the data's own are not looked at."""
    units = pl.read_parquet(tmp_path / "units.parquet")
    units.select(member_id="member", value_before="x").write_parquet(tmp_path / "members.parquet")
    ran = analyze("--data", "units.parquet", "--who", "--members", "members.parquet", "--json", "-")
    found = json.loads(ran.out)["who_responded"]
    assert found["features"] == ["value_before"]
    assert found["sentence"].startswith("Members responded differently to mail")


@pytest.mark.parametrize(
    ("change", "arguments", "code", "sentence"),
    [
        ({}, ("--members", "units.parquet"), 2, "belong to --who"),
        (
            {},
            ("--who", "--features", "age"),
            1,
            "'age' is not a feature of this table: it has no such column",
        ),
        (
            {},
            ("--who", "--features", "spend"),
            1,
            "'spend' is not a feature of this table: the definition uses it",
        ),
        ({}, ("--who", "--members", "units.parquet"), 1, "has no column 'member_id'"),
        (
            {"metrics": [{"metric_id": "spend", "kind": "quantile", "quantile": 0.5}]},
            ("--who",),
            1,
            "is a quantile",
        ),
        (
            {"variants": [{"variant_id": "none"}, {"variant_id": "mail", "weight": 3}]},
            ("--who",),
            1,
            "planned sizes",
        ),
    ],
)
def test_what_cannot_be_told_is_said_once(  # noqa: PLR0917 one case a row
    analyze: Command,
    tmp_path: Path,
    change: dict[str, object],
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    """The same guards as everywhere: one sentence instead of a claim."""
    (tmp_path / "mail.yaml").write_text(yaml.safe_dump(DEFINITION | change))
    ran = analyze("--data", "units.parquet", *arguments)
    assert ran.code == code
    assert sentence in " ".join(ran.err.replace("│", " ").split())
