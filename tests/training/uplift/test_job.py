"""`troth train actions` from a table to a document, a table of effects, a run and a registered model."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.in_process import Ran, run
from tests.training.small_jobs import empty_store
from tests.training.uplift.trials import simulated, table_of
from training.bundle import BundleError, open_action_bundle, open_bundle
from training.promotion import promote
from training.tracking import ModelRegistry, list_models, pull_all
from training.tracking.registry import DISTRUST_TAG


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A trial with a strong interaction, as a CSV table."""
    trial, _ = simulated(600, effect=0.5, interaction=2.0, arms=3)
    path = tmp_path / "trial.csv"
    table_of(trial).with_columns(
        mail=pl.col("member"), visit=(pl.col("spend") > 0.5).cast(pl.Int8)
    ).write_csv(path)
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
    """One document on stdout, scores in the table's order with one column per arm, a champion whose bundle opens.

    Again without features, a second one that gives everybody the averages.
    """
    empty_store(tmp_path / "mlflow")
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

    given.select("member", "arm", "visit", "spend").write_csv(table)
    again = train(monkeypatch, capsys, tmp_path, *asked[:-2], "--no-challengers")
    assert "Version 2 of troth-default-actions is champion now." in again.out
    assert registry.aliases() == {"champion": "2", "previous": "1"}

    assert [version.task for version in list_models(tmp_path / "mlflow")] == ["actions", "actions"]
    back = run(monkeypatch, capsys, "models", "rollback", "--task", "actions")
    assert back.out == "dr_ridge, version 1 is champion again; dr_ridge, version 2 served before.\n"
    (pulled,) = pull_all(tmp_path / "mlflow", target_dir=tmp_path / "models")
    assert pulled.link == tmp_path / "models" / "default" / "actions" / "champion"
    assert open_action_bundle(pulled.link.resolve()).manifest == bundle.manifest
    assert not pull_all(tmp_path / "mlflow", target_dir=tmp_path / "models")[0].changed

    promoted = promote(tmp_path / "mlflow", "default", "actions", "2")
    assert promoted.promoted
    assert promoted.previous == "1"
    registry.tag("1", {DISTRUST_TAG: "The arms do not have their planned sizes."})
    refused = promote(tmp_path / "mlflow", "default", "actions", "1")
    assert refused.reason == "dr_ridge cannot become champion: the arms do not have their planned sizes."
    for command in (("compare",), ("refresh", "--interactions", "trial.csv", "--time-column", "spend")):
        other = run(monkeypatch, capsys, "models", *command, "--task", "actions")
        assert (other.code, other.err.splitlines()[-1][:21]) == (1, "troth: Action models ")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--outcome-column", "profit"), 1, "trial.csv has no column 'profit' for the outcome"),
        (("--outcome-column", "spend", "--learner", "magic"), 1, "There is no learner 'magic'"),
        (
            ("--outcome-column", "spend", "--member-column", "mail", "--scores", "s.parquet"),
            1,
            "The member column 'mail' is named like an arm",
        ),
        (("--outcome-column", "spend", "--share", "mail"), 2, "is not ARM=NUMBER, such as mail=0.5"),
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
