"""`troth plan` as its users meet it."""

import json
from pathlib import Path

import polars as pl
import pytest

from tests.cli.in_process import Ran, run
from tests.training.send_plan.trials import Table
from tests.training.small_jobs import empty_store

ASKED = (
    "--treatment-column",
    "arm",
    "--control",
    "none",
    "--outcome-column",
    "spend",
    "--member-column",
    "member",
    "--features",
    "x,y,visits,shop",
)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A table of a trial with a strong interaction."""
    path = tmp_path / "trial.csv"
    Table(members=1_500).frame(1).write_csv(path)
    return path


def _plan(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trial: Path, *more: str
) -> Ran:
    return run(monkeypatch, capsys, "plan", "--data", str(trial), *ASKED, "--no-challengers", *more)


def test_one_document_a_list_a_page_and_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trial: Path, tmp_path: Path
) -> None:
    """``--json -`` prints one document alone; the list, the page and the run hold the same plan."""
    out, page, store = tmp_path / "PLAN.parquet", tmp_path / "plan.html", empty_store(tmp_path / "store")
    ran = _plan(
        monkeypatch,
        capsys,
        trial,
        *("--cost", "mail=0.1,0.05", "--cost", "call=0.1", "--budget", "60"),
        *("--json", "-", "--out", str(out), "--page", str(page), "--store", str(store)),
    )
    document = json.loads(ran.out)
    listed = pl.read_parquet(out)
    assert ran.code == 0
    assert document["verdict"] == "personalise"
    assert set(document["value"]["nobody"]) >= {"estimate", "ci_lower", "ci_upper"}
    assert dict(listed["arm"].value_counts().iter_rows()) == document["list"]["sends"]
    assert document["sentence"].split(" (")[0] in page.read_text(encoding="utf-8")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    run_of = client.get_run(document["run_id"])
    assert run_of.data.params["verdict"] == "personalise"
    assert run_of.data.metrics["value_nobody_estimate"] == pytest.approx(
        document["value"]["nobody"]["estimate"]
    )
    kept = {file.path for file in client.list_artifacts(document["run_id"])}
    assert kept == {"plan.json", "plan.html", "plan.parquet"}


def test_the_terminal_says_the_verdict_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trial: Path
) -> None:
    """Without ``--json`` people read the verdict, the comparisons and the list."""
    ran = _plan(monkeypatch, capsys, trial, "--cost", "mail=0.1", "--budget", "1e3")
    assert ran.code == 0
    assert ran.out.startswith("Personalise. ")
    assert "against sending nothing" not in ran.out.splitlines()[0]
    assert "The list:" in ran.out


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (("--cost", "mail"), 2, "ARM=PER_SEND"),
        (("--cost", "mail=a,b"), 2, "ARM=PER_SEND"),
        (("--cap", "mail=many"), 2, "ARM=N"),
        (("--rule", "mail"), 2, "EXPRESSION=ARM"),
        (("--budget", "-1"), 2, "budget"),
        (("--cost", "post=1"), 1, "troth: The trial has no arm 'post' for the cost; it has call, mail.\n"),
        (("--rule", "visits > =mail"), 1, "troth: "),
        (("--margin-column", "margin"), 1, "no column 'margin'"),
        (("--smallest-gain", "0"), 1, "above 0"),
    ],
)
def test_mistakes_get_one_sentence(  # noqa: PLR0917 - fixtures
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trial: Path,
    more: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    """What cannot be read as an option is a usage error, what does not fit the table a sentence; neither is a traceback."""
    ran = _plan(monkeypatch, capsys, trial, *more)
    assert ran.code == code
    assert words in ran.err.replace("│", "").replace("\n", " ") or words in ran.err
    assert "Traceback" not in ran.err


def test_rules_caps_and_other_members_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trial: Path, tmp_path: Path
) -> None:
    """Every option reaches the plan."""
    others = tmp_path / "others.parquet"
    Table(members=200).frame(3).drop("arm", "spend").write_parquet(others)
    out = tmp_path / "PLAN.csv"
    ran = _plan(
        monkeypatch,
        capsys,
        trial,
        *("--rule", "x > 0.0=mail", "--rule", "visits >= 5=call", "--cap", "mail=20", "--sends", "50"),
        *(
            "--min-roi",
            "0.5",
            "--smallest-gain",
            "0.2",
            "--random-share",
            "0.1",
        ),
        *("--members", str(others), "--out", str(out), "--json", "-", "--seed", "3"),
    )
    document = json.loads(ran.out)
    listed = pl.read_csv(out)
    assert ran.code == 0
    assert listed.height == 200
    assert (listed["arm"] == "mail").sum() <= 20
    assert (listed["arm"] != "none").sum() <= 50
    assert "rule" in document["value"]
    assert document["needed"]["smallest_gain"] == 0.2
    assert document["list"]["random_share"] in {0.0, 0.1}
