"""What a training job leaves in a real MLflow store, and how it is found, loaded and pulled again."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import polars as pl
import pytest

from tests.training.small_jobs import (
    FINGERPRINT,
    JUDGED_ON,
    record_job,
    small_fold,
    small_job,
    trained_model,
)
from training.bundle import Task, open_bundle
from training.errors import RegistryError, TrainingError
from training.evaluation import paired_difference
from training.evaluation.evaluation import COUNTING
from training.offers.model_cards import model_plots
from training.offers.recording import OffersRecorder
from training.offers.result import TrainOffersResult
from training.plots import calibration_chart
from training.tracking import ModelRegistry, compare_versions, list_models, pull_all, pull_model
from training.tracking.evidence import read_cases, read_parity
from training.tracking.runs import RunContext
from training.tracking.store import existing_client, import_mlflow

# Both come from inside mlflow, which is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]

TASK = "replenish"
MODELS = (COUNTING, "als")
# Nothing of mlflow's may reach the terminal, on a store that does not exist yet either.
QUIET = """
import sys
from pathlib import Path
from tests.training.small_jobs import record_job, small_job
from training.promotion import promote
from training.tracking import list_models, pull_all

store = Path(sys.argv[1])
record_job(store, ["decayed_frequency", "als"], job=small_job(programme="quiet"))
promote(store, "quiet", "replenish")
list_models(store, "quiet")
pull_all(store, "quiet", target_dir=store / "models")
"""
PREDICT = """
import sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
frame = pandas.DataFrame({"member_id": ["m03", "nobody", "m03", "nobody"], "basket": [[], [], ["offer 07"], ["offer 07"]]})
print(model.predict(frame).to_json(orient="records", double_precision=15))
print(len(model.predict(frame[["member_id"]])))
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A store made by a process of its own, and what that process printed."""
    folder = tmp_path_factory.mktemp("tracking")
    return folder / "a store", run_child(QUIET, str(folder / "a store"), tmp_path=folder)


@pytest.fixture(scope="module")
def store(quiet: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """One store for all tests: making one takes seconds, and programmes do not touch each other."""
    return quiet[0]


@pytest.fixture(scope="module")
def job(store: Path) -> TrainOffersResult:
    """One recorded job, shared by the tests that only read it."""
    return record_job(store, MODELS)


@pytest.fixture
def client(job: TrainOffersResult) -> Any:
    return import_mlflow("mlflow.tracking").MlflowClient(
        tracking_uri=job.tracking_uri, registry_uri=job.tracking_uri
    )


def run_child(code: str, *arguments: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "child.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    # What a test run sets for its own sake must not be what keeps mlflow quiet.
    for name in [name for name in environment if name.startswith(("MLFLOW_", "PYTEST_", "DO_NOT"))] + ["CI"]:
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def children(client: Any, experiment_id: str, run_id: str) -> list[Any]:
    return list(client.search_runs([experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'"))


def artifacts(client: Any, run_id: str, folder: str | None = None) -> set[str]:
    found: set[str] = set()
    for file in client.list_artifacts(run_id, folder):
        found |= artifacts(client, run_id, file.path) if file.is_dir else {file.path}
    return found


def test_runs_are_nested_and_say_what_they_are(job: TrainOffersResult, client: Any) -> None:
    """The job is a run, each model a run below it, each trial a run below its model; all finished, tagged, with data."""
    parent = client.get_run(job.parent_run_id)
    models = children(client, job.experiment_id, job.parent_run_id)
    assert {run.info.run_name for run in models} == {f"{TASK}/{name}" for name in MODELS}
    assert parent.data.tags["troth.best"] == "als"
    assert "als" in parent.data.tags["mlflow.note.content"]
    for run in (parent, *models):
        assert run.info.status == "FINISHED"
        tags = run.data.tags
        assert (tags["troth.task"], tags["troth.programme"], tags["troth.seed"]) == (TASK, "coffee", "7")
        assert (tags["troth.judged_on"], tags["troth.metric"]) == (JUDGED_ON, "ndcg@10")
        assert tags["troth.data_fingerprint"] == FINGERPRINT
        assert tags["troth.split"] == job.job.split
        assert (tags["troth.code_version"], tags["mlflow.source.git.commit"]) == ("c0ffee+changes", "c0ffee")
        assert [(data.dataset.name, data.dataset.digest) for data in run.inputs.dataset_inputs] == [
            ("small", FINGERPRINT[:32])
        ]
    trials = children(client, job.experiment_id, job.run_ids["als"])
    assert sorted(run.info.run_name for run in trials) == ["trial 0", "trial 1"]
    for run in trials:
        assert run.info.status == "FINISHED"
        assert run.data.params["strength"] in {"0.5", "1.5"}
        assert {"ndcg_at_10", "ndcg_at_10_se", "fit_seconds", "score_seconds"} == run.data.metrics.keys()
        assert run.info.end_time - run.info.start_time == pytest.approx(750, abs=500)


def test_a_models_run_holds_what_was_measured(job: TrainOffersResult, client: Any) -> None:
    """Metrics of both windows, the deciding one alone, the paired difference, times, slices, files and a card."""
    for model in job.models:
        run = client.get_run(job.run_ids[model.name])
        metrics, judged = run.data.metrics, model.judged.metrics
        assert run.data.params == {"strength": "1.5"}
        assert metrics["ndcg_at_10"] == pytest.approx(judged["ndcg@10"].value)
        assert metrics["ndcg_at_10_se"] == pytest.approx(judged["ndcg@10"].standard_error)
        assert metrics["test_recall_at_5"] == pytest.approx(judged["recall@5"].value)
        assert metrics["validation_recall_at_5"] == pytest.approx(judged["recall@5"].value)
        assert (metrics["fit_seconds"], metrics["peak_memory_mib"]) == (0.25, 200.0)
        assert metrics["slices/no_history/ndcg_at_10"] == pytest.approx(judged["ndcg@10"].value)
        assert "test_coverage_at_5_se" not in metrics, "an error that is not known is left out"
        assert "only a randomised experiment" in run.data.tags["mlflow.note.content"]
        again = set() if model.recipe is None else {"known.npz", "recipe.json"}
        assert artifacts(client, run.info.run_id) == {
            "cases.parquet",
            "parity.npz",
            "slices.json",
            "trials.json",
            "plots/ndcg_by_activity.png",
            *again,
        }
        plot = Path(client.download_artifacts(run.info.run_id, "plots/ndcg_by_activity.png"))
        assert plot.read_bytes().startswith(b"\x89PNG")
    difference = job.differences["als"]
    metrics = client.get_run(job.run_ids["als"]).data.metrics
    assert metrics["difference_to_decayed_frequency"] == pytest.approx(difference.value)
    assert metrics["difference_to_decayed_frequency_se"] == pytest.approx(difference.standard_error)
    assert artifacts(client, job.parent_run_id) == {"comparison.json", "plots/comparison.png"}
    document = json.loads(
        Path(client.download_artifacts(job.parent_run_id, "comparison.json")).read_text(encoding="utf-8")
    )
    assert document["best"] == "als"


def test_charts_are_drawn_where_there_is_data() -> None:
    """Features and learning curves belong to trees; a single scorer has neither."""
    trained = trained_model("als", small_fold())
    job = small_job()
    assert set(model_plots(trained, job, None)) == {"ndcg_by_activity.png"}
    trees = dataclasses.replace(
        trained,
        gains={"trips": 0.75, "score_als": 0.25},
        learning=[(10, 0.3), (20, 0.4), (30, 0.35)],
    )
    plots = model_plots(trees, job, trained)
    assert set(plots) == {"ndcg_by_activity.png", "gains.png", "learning.png"}
    images = [*plots.values(), calibration_chart(trained.judged)]
    assert all(image.startswith(b"\x89PNG") for image in images)


def test_nothing_is_logged_twice(job: TrainOffersResult, client: Any) -> None:
    """Every metric of a run has one value, and each model's bundle is stored once."""
    for run_id in (job.parent_run_id, *job.run_ids.values()):
        for name in client.get_run(run_id).data.metrics:
            if not name.startswith("system/"):
                assert len(client.get_metric_history(run_id, name)) == 1, name
    logged = client.search_logged_models([job.experiment_id])
    assert sorted(model.name for model in logged) == sorted(MODELS)
    folders = [local_path(model.artifact_location) for model in logged]
    folders += [local_path(client.get_run(run_id).info.artifact_uri) for run_id in job.run_ids.values()]
    assert sum(len(list(folder.rglob("manifest.json"))) for folder in folders) == len(MODELS)


def test_models_can_be_ordered_by_their_metrics(job: TrainOffersResult, client: Any) -> None:
    """The metrics are tied to the logged model, so MLflow's list of models can be sorted by them."""
    order = [{"field_name": "metrics.ndcg_at_10", "ascending": False}]
    found = client.search_logged_models([job.experiment_id], order_by=order)
    assert [model.name for model in found] == ["als", COUNTING]


def test_cases_and_scores_come_back_as_they_were(job: TrainOffersResult, client: Any) -> None:
    """The per-case table gives the paired difference again; the kept scores are the model's, bit for bit."""
    files = {
        name: Path(client.download_artifacts(run_id, "cases.parquet")) for name, run_id in job.run_ids.items()
    }
    als, counting = job.model("als"), job.model(COUNTING)
    table = pl.read_parquet(files["als"])
    assert table["member_id"].to_list() == [als.model.member_ids[i] for i in als.judged.members]
    assert table["ndcg@10"].to_numpy() == pytest.approx(als.judged.cases["ndcg@10"])
    again = read_cases(files["als"]).difference(read_cases(files[COUNTING]), "ndcg@10")
    assert dataclasses.astuple(again) == pytest.approx(
        dataclasses.astuple(paired_difference(als.judged, counting.judged, "ndcg@10"))
    )
    parity = read_parity(Path(client.download_artifacts(job.run_ids["als"], "parity.npz")))
    assert (len(parity.members), parity.members[-1]) == (51, -1)
    member = int(parity.members[3])
    kept = parity.scores[parity.offsets[3] : parity.offsets[4]]
    assert kept.tobytes() == als.model.all_scores(member).tobytes()


def test_versions_and_challenger(job: TrainOffersResult, store: Path) -> None:
    """Every model of the job is a version that waits to be judged; the best is challenger, and nothing is champion yet."""
    listed = {version.version: version for version in list_models(store, "coffee", TASK)}
    for model in job.models:
        version = listed[job.versions[model.name]]
        assert (version.task, version.model, version.run_id) == (TASK, model.name, job.run_ids[model.name])
        assert version.model_version == f"{model.name}@{version.run_id[:12]}"
        assert version.parent_run_id == job.parent_run_id
        assert (version.judged_on, version.metric) == (JUDGED_ON, "ndcg@10")
        assert version.tags["validation_status"] == "pending"
        assert version.metrics["ndcg_at_10"] == pytest.approx(model.judged.metrics["ndcg@10"].value)
    aliases = {version.model: version.aliases for version in listed.values()}
    assert aliases == {COUNTING: (), "als": ("challenger",)}


def test_a_failed_job_marks_its_open_runs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error ends the job's run, every open model's run and the trial it happened in as failed; finished ones stay."""
    fold, log = small_fold(), RunContext.log
    model = trained_model(COUNTING, fold)
    broken = dataclasses.replace(model.trials[0], number=99)

    def fail_once(self: RunContext, run_id: str, **values: Any) -> None:
        if self.client.get_run(run_id).info.run_name == "trial 99":
            raise ValueError("broken")
        log(self, run_id, **values)

    monkeypatch.setattr(RunContext, "log", fail_once)
    recorder = OffersRecorder(store, small_job(programme="broken"), "compare")

    def fail() -> None:
        with recorder:
            recorder.start_model(COUNTING).finish(model, {})
            recorder.start_model("als")
            recorder.start_model("bpr").log_trial(broken)

    with pytest.raises(ValueError, match="broken"):
        fail()
    client = existing_client(store)
    ended = {run.info.run_name: run.info.status for run in client.search_runs([recorder.experiment_id])}
    assert ended == {
        "compare": "FAILED",
        f"{TASK}/{COUNTING}": "FINISHED",
        f"{TASK}/als": "FAILED",
        f"{TASK}/bpr": "FAILED",
        "trial 99": "FAILED",
    }


def test_nothing_of_mlflow_reaches_the_terminal(
    quiet: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    """Recording, promoting, listing and pulling on a fresh store print nothing at all."""
    done = quiet[1]
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_model_loads_in_another_process_and_ranks_like_the_bundle(
    job: TrainOffersResult, store: Path, tmp_path: Path
) -> None:
    """Loaded by alias in a fresh process, a model ranks as it did in training; a basket counts; strangers get popular offers."""
    record_job(store, [COUNTING], job=small_job(programme="fresh"))
    done = run_child(
        PREDICT, job.tracking_uri, f"models:/troth-fresh-offers-{TASK}@challenger", tmp_path=tmp_path
    )
    assert done.returncode == 0, done.stderr
    *_, rows, count = done.stdout.splitlines()
    assert int(count) == 40
    model, answers = job.model(COUNTING).model, json.loads(rows)
    for place, (name, basket) in enumerate(
        [("m03", []), ("nobody", []), ("m03", ["offer 07"]), ("nobody", ["offer 07"])]
    ):
        member = model.member_ids.index(name)
        profile = model.profile_after(member, 0.0, [(0.0, basket)])
        scores = model.scores(profile, member, np.arange(len(model.offer_ids)))
        ranked = sorted(
            range(len(scores)),
            key=lambda offer: (-scores[offer], -model.popular_scores[offer], offer),  # used at once
        )[:10]
        assert answers[place * 10 : place * 10 + 10] == [
            {
                "member_id": name,
                "offer_id": model.offer_ids[offer],
                "rank": rank,
                "score": pytest.approx(scores[offer]),
            }
            for rank, offer in enumerate(ranked, start=1)
        ]
    assert answers[30]["offer_id"] == "offer 07"


def test_pull_brings_a_verified_bundle_behind_a_link(
    job: TrainOffersResult, store: Path, tmp_path: Path
) -> None:
    """Pulling copies the bundle, points the link at it, and does nothing the second time."""
    pulled = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    folder = tmp_path / "coffee" / "offers" / TASK
    assert pulled.changed
    assert (pulled.link, pulled.path) == (folder / "challenger", folder / "versions" / job.versions["als"])
    assert pulled.link.resolve() == pulled.path.resolve()
    assert not Path(os.readlink(pulled.link)).is_absolute()  # noqa: PTH115  # the text of the link counts
    manifest = open_bundle(pulled.link).manifest
    assert (manifest.model_version, manifest.run_id) == (
        f"als@{job.run_ids['als'][:12]}",
        job.run_ids["als"],
    )
    assert (manifest.task, manifest.programme) == (TASK, "coffee")
    assert manifest.metrics["ndcg@10"] == pytest.approx(job.model("als").judged.metrics["ndcg@10"].value)
    stamp = (pulled.path / "manifest.json").stat()
    again = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    assert not again.changed
    assert (pulled.path / "manifest.json").stat() == stamp
    assert sorted(path.name for path in folder.iterdir()) == ["challenger", "versions"]
    assert [path.name for path in pulled.path.parent.iterdir()] == [pulled.version]


def test_pull_all_brings_every_task_with_the_alias(store: Path, tmp_path: Path) -> None:
    """Each task has its own versions and links; a task without the alias is left out."""
    record_job(store, [COUNTING], job=small_job(programme="tasks"))
    record_job(store, [COUNTING], job=small_job(programme="tasks", task=Task.DISCOVER))
    ModelRegistry(store, "tasks", TASK).set_alias("champion", "1")
    pulled = pull_all(store, "tasks", "challenger", target_dir=tmp_path)
    assert [(model.task, model.version) for model in pulled] == [(TASK, "1"), ("discover", "1")]
    assert [open_bundle(model.link).model.task for model in pulled] == [Task.REPLENISH, Task.DISCOVER]
    assert [model.task for model in pull_all(store, "tasks", target_dir=tmp_path)] == [TASK]
    assert {version.task for version in list_models(store, "tasks")} == {TASK, "discover"}
    with pytest.raises(RegistryError, match="has the alias 'green'"):
        pull_all(store, "tasks", "green", target_dir=tmp_path)


def test_damaged_or_foreign_pulls_are_repaired(store: Path, job: TrainOffersResult, tmp_path: Path) -> None:
    """A pulled bundle that was damaged, or is of a store that is gone, is copied again."""
    pulled = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    manifest = pulled.path / "manifest.json"
    (pulled.path / "popular_scores.npy").write_bytes(b"junk")
    again = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    assert open_bundle(again.link).manifest.run_id == job.run_ids["als"]
    manifest.write_text(manifest.read_text().replace(job.run_ids["als"], "0" * 32))
    again = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    assert open_bundle(again.link).manifest.run_id == job.run_ids["als"]


def test_a_bundle_damaged_in_the_store_is_not_pulled(
    store: Path, job: TrainOffersResult, tmp_path: Path, client: Any
) -> None:
    """Pulling verifies before it moves the link: a damaged bundle is refused and the old model stays."""
    pulled = pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    stored = stored_bundle(client, job, "als") / "popular_scores.npy"
    content = stored.read_bytes()
    shutil.rmtree(pulled.path)
    try:
        stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(RegistryError, match="damaged"):
            pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path)
    finally:
        stored.write_bytes(content)
    assert list(pulled.path.parent.iterdir()) == []


def stored_bundle(client: Any, job: TrainOffersResult, name: str) -> Path:
    (model,) = client.get_run(job.run_ids[name]).outputs.model_outputs
    location = client.get_logged_model(model.model_id).artifact_location
    return local_path(location) / "artifacts" / "bundle"


def local_path(address: str) -> Path:
    return Path(url2pathname(urlparse(address).path))


def test_look_ups_that_fail_say_why(store: Path, job: TrainOffersResult, tmp_path: Path) -> None:
    """A missing store, programme, task, version or alias is one sentence; nothing is made by looking."""
    with pytest.raises(RegistryError, match="There is no model store in"):
        list_models(tmp_path / "nowhere", "coffee")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(RegistryError, match="no model of programme tea"):
        list_models(store, "tea")
    with pytest.raises(RegistryError, match="no model troth-coffee-offers-redeem"):
        list_models(store, "coffee", "redeem")
    with pytest.raises(RegistryError, match="no task 'sell'; choose from replenish"):
        list_models(store, "coffee", "sell")
    for version in ("99", "x"):
        with pytest.raises(RegistryError, match=f"has no version '{version}'"):
            ModelRegistry(store, "coffee", TASK).version(version)
    with pytest.raises(RegistryError, match="no alias 'champion'; its aliases: challenger"):
        pull_model(store, "coffee", TASK, target_dir=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="cannot be brought to"):
        pull_model(store, "coffee", TASK, "challenger", target_dir=tmp_path / "file")


@pytest.mark.parametrize("programme", ["", "a/b", "a:b", "-a", "ü", "x" * 65])
def test_programmes_that_cannot_name_a_model(programme: str, tmp_path: Path) -> None:
    """A programme that the registry or a folder could not carry is refused in one sentence, before a store is made."""
    with pytest.raises(TrainingError, match="cannot name a model"):
        OffersRecorder(tmp_path / "s", small_job(programme=programme), "compare")
    assert not (tmp_path / "s").exists()


def test_store_that_cannot_be_written(tmp_path: Path) -> None:
    """A store below a file is one sentence."""
    (tmp_path / "file").write_text("")
    recorder = OffersRecorder(tmp_path / "file" / "s", small_job(), "compare")
    with pytest.raises(TrainingError, match="cannot be written"):
        recorder.__enter__()  # a with block would hide which line fails


def test_versions_are_compared_on_the_same_cases_only(store: Path, job: TrainOffersResult) -> None:
    """The best comes first with paired differences; what was judged on other cases is set aside by name."""
    record_job(store, [COUNTING, "als"], job=small_job(programme="two"))
    other = small_job(programme="two", judged_on="test: 28 days from 2018-01-01")
    record_job(store, [COUNTING], job=other, fold=small_fold(2))
    registry = ModelRegistry(store, "two", TASK)
    registry.set_alias("champion", "1")
    compared = compare_versions(store, "two", TASK, ["1", "2", "3"])
    assert [(row.version.model, row.version.version) for row in compared.rows] == [
        ("als", "2"),
        (COUNTING, "1"),
    ]
    assert [(version.version, version.judged_on) for version in compared.others] == [("3", other.judged_on)]
    best, counting = compared.rows
    assert best.value.value == pytest.approx(job.model("als").judged.metrics["ndcg@10"].value)
    assert best.against_counting is not None
    assert best.against_champion is not None
    assert best.against_counting.value == pytest.approx(job.differences["als"].value)
    assert best.against_counting == best.against_champion
    assert (counting.against_counting, counting.against_champion) == (None, None)
    latest = compare_versions(store, "two", TASK, metric="recall@5")
    assert [row.version.version for row in latest.rows] == ["3"]
    assert latest.rows[0].against_champion is None
    first = compare_versions(store, "two", TASK, job=registry.version("2").parent_run_id)
    assert {row.version.version for row in first.rows} == {"1", "2"}
    with pytest.raises(RegistryError, match="no metric 'luck@3'; choose from ndcg@5"):
        compare_versions(store, "two", TASK, metric="luck@3")
    with pytest.raises(RegistryError, match="made by a job 'x'"):
        compare_versions(store, "two", TASK, job="x")
