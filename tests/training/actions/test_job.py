"""`troth train actions` from a table to a document, a table of effects, a run and a registered model."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.in_process import Ran, run
from tests.training.actions.trials import simulated, table_of
from training.bundle import BundleError, open_action_bundle, open_bundle
from training.tracking import ModelRegistry


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A trial with a strong interaction, as a CSV table."""
    trial, _ = simulated(1_500, effect=0.5, interaction=2.0, arms=3)
    path = tmp_path / "trial.csv"
    table_of(trial).with_columns(visit=(pl.col("spend") > 0.5).cast(pl.Int8)).write_csv(path)
    return path


def train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str
) -> Ran:
    monkeypatch.chdir(folder)
    return run(monkeypatch, capsys, "train", "actions", *arguments)


ASKED = ("--data", "trial.csv", "--treatment-column", "arm", "--control", "none", "--member-column", "member")


def test_from_a_table_to_a_registered_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, table: Path
) -> None:
    """One document on stdout, scores in the table's order with one column per arm, a champion whose bundle opens; again, a second one."""
    asked = (*ASKED, "--outcome-column", "visit", "--margin-column", "spend", "--features", "x1,x2,group")
    ran = train(monkeypatch, capsys, tmp_path, *asked, "--scores", "out/scores.parquet", "--json", "-")
    assert ran.code == 0
    found = json.loads(ran.out)

    assert [arm["arm"] for arm in found["arms"]] == ["none", "mail", "mail 2"]
    effect = found["arms"][1]["effects"]["spend"]
    assert effect["ci_lower"] < effect["estimate"] < effect["ci_upper"]
    assert set(found["arms"][1]["effects"]) == {"spend", "visit"}
    assert found["gate"]["passes"]
    assert {one["learner"] for one in found["learners"]["spend"]} >= {"dr_ridge", "t_lightgbm", "s_linear"}
    scores = pl.read_parquet(tmp_path / "out" / "scores.parquet")
    assert scores.columns == ["member", "mail", "mail 2"]
    given = pl.read_csv(table)
    assert scores["member"].to_list() == given["member"].to_list()
    assert np.corrcoef(scores["mail"], given["x1"])[0, 1] > 0.9

    registry = ModelRegistry(tmp_path / "mlflow", "default", "actions")
    champion = registry.version_of("champion")
    bundle = open_action_bundle(registry.bundle(champion, tmp_path))
    assert bundle.model.arms == ("mail", "mail 2")
    assert bundle.model.effects({"x1": 2.0})[0] > bundle.model.effects({"x1": -2.0})[0]
    with pytest.raises(BundleError, match="of kind 'actions'; expected 'offers'"):
        open_bundle(bundle.path)
    assert found["run"]["champion"]

    again = train(monkeypatch, capsys, tmp_path, *asked)
    assert "Version 2 of troth-default-actions is champion now." in again.out
    assert registry.aliases() == {"champion": "2", "previous": "1"}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--outcome-column", "profit"), 1, "trial.csv has no column 'profit' for the outcome"),
        (("--outcome-column", "spend", "--learner", "magic"), 1, "There is no learner 'magic'"),
        (("--outcome-column", "spend", "--share", "mail"), 2, "'mail' is no ARM=NUMBER"),
        (
            ("--outcome-column", "spend", "--share", "mail=1"),
            1,
            "shares of mail, but the arms are none, mail, mail 2",
        ),
    ],
)
def test_what_is_wrong_is_said_once(  # noqa: PLR0917 pytest's fixtures
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    table: Path,
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    """One sentence on stderr, and the exit code of a failure or of wrong usage."""
    assert table.exists()
    ran = train(monkeypatch, capsys, tmp_path, *ASKED, *arguments)
    assert ran.code == code
    assert sentence in " ".join(ran.err.replace("│", " ").split())
    assert "Traceback" not in ran.err
