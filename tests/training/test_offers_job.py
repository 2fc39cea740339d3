"""The whole job on a real MLflow store: train, register, pull, serve the same scores."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import polars as pl
import pytest
from training.fit_pool import attempt, fit_pool

from tests.training.synthetic import random_dataset
from training.bundle import open_bundle
from training.data.dataset import OfferDataset
from training.errors import DatasetError, RegistryError, TrainingError
from training.evaluation import WeekSplit
from training.offers_fits import prepare
from training.offers_job import train_offers
from training.offers_result import TrainOffersResult
from training.recommenders import Popularity
from training.tracking import list_models, pull_model
from training.tracking.quiet import import_mlflow

# Both come from inside mlflow, which is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]

SPLIT = WeekSplit(train_until=4, validate_until=5)
MODELS = ("popularity", "decayed_frequency")
# The order of the lines of one process is kept, and nothing of mlflow's may be among them.
CHILD = """
import json, sys
from pathlib import Path
from tests.training.synthetic import random_dataset
from training.evaluation import WeekSplit
from training.offers_job import train_offers
from training.tracking import list_models, pull_model

def main():
    store = Path(sys.argv[1])
    result = train_offers(random_dataset(1), store=store, programme="quiet", models=["popularity"],
                          split=WeekSplit(train_until=4, validate_until=5))
    list_models(store, "quiet")
    pull_model(store, "quiet", target_dir=store / "models")

if __name__ == "__main__":
    main()
"""
PREDICT = """
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
print(model.predict(pandas.DataFrame({"member_id": json.loads(sys.argv[3])})).to_json(orient="records"))
"""


class Job:
    """One trained store, shared by the tests that only read it."""

    def __init__(self, store: Path, data: OfferDataset, models: tuple[str, ...] = MODELS) -> None:
        self.store, self.data, self.models = store, data, models
        self.steps: list[tuple[str, int, int]] = []
        self.result: TrainOffersResult = self.train()

    def train(self) -> TrainOffersResult:
        return train_offers(
            self.data,
            store=self.store,
            programme="coffee",
            models=self.models,
            split=SPLIT,
            progress=lambda text, done, total: self.steps.append((text, done, total)),
        )


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return Job(tmp_path_factory.mktemp("job") / "a store", random_dataset(1, members=60))


@pytest.fixture
def client(job: Job) -> Any:
    return import_mlflow("mlflow.tracking").MlflowClient(
        tracking_uri=job.result.tracking_uri, registry_uri=job.result.tracking_uri
    )


def run_child(code: str, *arguments: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "child.py"
    script.write_text(code)
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
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


def test_result_names_everything(job: Job) -> None:
    """The result says which models were compared, how they did, what won, and where to look, as plain JSON."""
    result = job.result
    assert [model.name for model in result.models] == list(MODELS)
    assert result.champion == max(result.models, key=lambda model: model.metrics["hits_per_trip"].value).name
    assert result.experiment_name == "troth/coffee/offers"
    assert result.registered_model == "troth-coffee-offers"
    assert result.tracking_uri == f"sqlite:///{job.store.resolve() / 'mlflow.db'}"
    assert result.data_fingerprint == job.data.fingerprint
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert document["models"][1]["parameters"]["half_life_days"] in {28, 56, 84, 168}
    assert document["models"][0]["metrics"]["hits_per_trip"]["standard_error"] > 0
    assert document["models"][0]["difference_to_decayed_frequency"]["hits_per_trip"]["standard_error"] > 0


def test_progress_counts_to_the_end(job: Job) -> None:
    """Progress goes up one by one and ends at the announced total."""
    total = job.steps[0][2]
    assert [(done, all_steps) for _, done, all_steps in job.steps] == [
        (step, total) for step in range(1, total + 1)
    ]


def test_runs_hold_what_was_promised(job: Job, client: Any) -> None:
    """Each model is a run below the comparing run, with parameters, metrics, tags, data, plot, bundle and model."""
    parent = client.get_run(job.result.parent_run_id)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["troth.champion"] == job.result.champion
    assert job.result.champion in parent.data.tags["mlflow.note.content"]
    assert parent.inputs.dataset_inputs[0].dataset.digest == job.data.fingerprint[:32]
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"comparison.json", "plots"} <= files
    for model in job.result.models:
        run = client.get_run(model.run_id)
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == job.result.parent_run_id
        assert run.data.tags["troth.split"] == SPLIT.describe()
        assert run.data.tags["troth.data_fingerprint"] == job.data.fingerprint
        assert run.data.tags["troth.task"] == "offers"
        assert "validation" in run.data.tags["mlflow.note.content"]
        assert run.data.params == {key: str(value) for key, value in model.parameters.items()}
        assert run.data.metrics["hits_per_trip"] == pytest.approx(model.metrics["hits_per_trip"].value)
        assert run.data.metrics["hits_per_trip_se"] == pytest.approx(
            model.metrics["hits_per_trip"].standard_error
        )
        assert {"usd_per_trip_se", "ndcg_at_10", "fit_seconds", "cold_trip_share"} <= run.data.metrics.keys()
        assert run.inputs.dataset_inputs[0].dataset.name == "synthetic"
        plot = Path(client.download_artifacts(model.run_id, "plots/hits_by_activity.png"))
        assert plot.read_bytes().startswith(b"\x89PNG")
        manifest = open_bundle(Path(client.download_artifacts(model.run_id, "bundle"))).manifest
        assert (manifest.run_id, manifest.programme) == (model.run_id, "coffee")
        assert manifest.model_version == model.model_version == f"{model.name}@{model.run_id[:12]}"
        assert manifest.metrics["hits_per_trip"] == pytest.approx(model.metrics["hits_per_trip"].value)
        assert manifest.feature_time == "2017-02-06T05:00:00Z"


def test_versions_and_champion(job: Job) -> None:
    """Every model of the job is a version, and the best one has the alias champion."""
    listed = {version.version: version for version in list_models(job.store, "coffee")}
    for model in job.result.models:
        version = listed[model.registered_version]
        assert (version.model, version.run_id) == (model.name, model.run_id)
        assert version.model_version == model.model_version
        assert version.parent_run_id == job.result.parent_run_id
        assert version.metrics["hits_per_trip"] == pytest.approx(model.metrics["hits_per_trip"].value)
        assert version.tags["troth.programme"] == "coffee"
    champions = [version.model for version in listed.values() if "champion" in version.aliases]
    assert champions == [job.result.champion]


def test_pull_brings_a_verified_bundle_behind_a_link(job: Job, tmp_path: Path) -> None:
    """Pulling copies the champion's bundle, points the link at it, and does nothing the second time."""
    pulled = pull_model(job.store, "coffee", target_dir=tmp_path / "models")
    best = job.result.model(job.result.champion)
    assert pulled.version == best.registered_version
    assert pulled.changed
    assert pulled.link == tmp_path / "models" / "coffee" / "offers" / "champion"
    assert pulled.path == tmp_path / "models" / "coffee" / "offers" / "versions" / pulled.version
    assert pulled.link.resolve() == pulled.path.resolve()
    assert not Path(os.readlink(pulled.link)).is_absolute()  # noqa: PTH115  # the text of the link counts
    assert open_bundle(pulled.link).manifest.model_version == best.model_version
    stamp = (pulled.path / "manifest.json").stat()
    again = pull_model(job.store, "coffee", target_dir=tmp_path / "models")
    assert not again.changed
    assert (pulled.path / "manifest.json").stat() == stamp
    assert sorted(path.name for path in pulled.link.parent.iterdir()) == ["champion", "versions"]
    assert [path.name for path in pulled.path.parent.iterdir()] == [pulled.version]


def test_damaged_pull_is_repaired(job: Job, tmp_path: Path) -> None:
    """A pulled bundle that was damaged on disk is copied again."""
    pulled = pull_model(job.store, "coffee", target_dir=tmp_path)
    (pulled.path / "popular_scores.npy").write_bytes(b"junk")
    again = pull_model(job.store, "coffee", target_dir=tmp_path)
    assert open_bundle(again.link).manifest.run_id == job.result.model(job.result.champion).run_id


def test_a_bundle_of_another_store_is_replaced(job: Job, tmp_path: Path) -> None:
    """After the store was made anew, version 1 is another model; the old bundle under that number must not be served."""
    pulled = pull_model(job.store, "coffee", target_dir=tmp_path)
    manifest = pulled.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(pulled.manifest.run_id, "0" * 32))
    again = pull_model(job.store, "coffee", target_dir=tmp_path)
    assert open_bundle(again.path).manifest.run_id == pulled.manifest.run_id


def test_a_bundle_damaged_in_the_store_is_not_pulled(job: Job, tmp_path: Path, client: Any) -> None:
    """Pulling verifies before it moves the link: a damaged bundle is refused and the old model stays."""
    pulled = pull_model(job.store, "coffee", target_dir=tmp_path)
    address = client.get_run(pulled.manifest.run_id).info.artifact_uri
    stored = Path(url2pathname(urlparse(address).path)) / "bundle" / "popular_scores.npy"
    content = stored.read_bytes()
    shutil.rmtree(pulled.path)
    try:
        stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(RegistryError, match="damaged"):
            pull_model(job.store, "coffee", target_dir=tmp_path)
    finally:
        stored.write_bytes(content)
    assert list(pulled.path.parent.iterdir()) == []


def test_look_ups_that_fail_say_why(job: Job, tmp_path: Path) -> None:
    """A missing store, programme or alias is one sentence; nothing is made by looking."""
    with pytest.raises(RegistryError, match="There is no model store in"):
        list_models(tmp_path / "nowhere", "coffee")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(RegistryError, match="no model troth-tea-offers"):
        list_models(job.store, "tea")
    with pytest.raises(RegistryError, match="no alias 'challenger'; its aliases: champion"):
        pull_model(job.store, "coffee", "challenger", target_dir=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError, match="cannot be brought to"):
        pull_model(job.store, "coffee", target_dir=tmp_path / "file")


def test_model_loads_in_another_process_and_ranks_like_the_bundle(job: Job, tmp_path: Path) -> None:
    """The registered model, loaded by alias in a fresh process, gives the bundle's top offers, cold members included."""
    bundle = open_bundle(pull_model(job.store, "coffee", target_dir=tmp_path / "models").link)
    members = ["m03", "m17", "nobody", "", "日本"]
    done = run_child(
        PREDICT,
        job.result.tracking_uri,
        "models:/troth-coffee-offers@champion",
        json.dumps(members),
        tmp_path=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout.splitlines()[-1])
    expected = []
    for member in members:
        index = bundle.member_index(member)
        scores = (bundle.popular_scores if index is None else bundle.scores(index)).tolist()
        ranked = sorted(range(len(scores)), key=lambda offer: (-scores[offer], offer))[:10]  # used at once
        expected += [
            {
                "member_id": member,
                "offer_id": bundle.offer_ids[offer],
                "rank": rank,
                "score": pytest.approx(scores[offer]),
            }
            for rank, offer in enumerate(ranked, start=1)
        ]
    assert rows == expected


def test_a_second_job_on_the_same_store_adds_to_it(tmp_path: Path) -> None:
    """Training again gives new runs and versions, the same numbers, and one champion."""
    first = Job(tmp_path / "store", random_dataset(2), ("popularity",))
    again = first.train()
    assert again.parent_run_id != first.result.parent_run_id
    assert again.experiment_id == first.result.experiment_id
    assert again.models[0].metrics == first.result.models[0].metrics
    listed = list_models(first.store, "coffee")
    assert [version.version for version in listed] == ["2", "1"]
    assert [version.run_id for version in listed if "champion" in version.aliases] == [again.models[0].run_id]


def test_a_job_that_fails_says_so_in_its_run(job: Job, client: Any) -> None:
    """An error in a fit's own process comes out as itself, and the comparing run is marked as failed."""
    fields = {
        field.name: getattr(job.data, field.name) for field in dataclasses.fields(job.data) if field.init
    }
    ended = job.data.offers.with_columns(valid_until=pl.col("valid_from") - pl.duration(days=1))
    with pytest.raises(DatasetError, match="Nobody bought"):
        train_offers(
            OfferDataset(**(fields | {"offers": ended})),
            store=job.store,
            programme="broken",
            models=["popularity"],
            split=SPLIT,
        )
    experiment = client.get_experiment_by_name("troth/broken/offers")
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["FAILED"]


def test_a_lost_process_ends_the_job_with_one_sentence() -> None:
    """When a fit's process is killed, the job ends at once instead of waiting, and leaves no process behind."""
    before = set(multiprocessing.active_children())

    def lose_both_processes() -> None:
        with fit_pool(prepare(random_dataset(1), SPLIT)) as pool:
            pool.submit(os.getpid).result()
            for process in set(multiprocessing.active_children()) - before:
                process.kill()
            pool.submit(attempt, Popularity(), 1).result()

    with pytest.raises(TrainingError, match="ended before it was done"):
        lose_both_processes()
    for process in set(multiprocessing.active_children()) - before:
        process.join(10)
    assert set(multiprocessing.active_children()) <= before


def test_nothing_of_mlflow_reaches_the_terminal(tmp_path: Path) -> None:
    """Training, listing and pulling on a fresh store print nothing at all."""
    done = run_child(CHILD, str(tmp_path / "store"), tmp_path=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("models", [["popularity", "magic"], []])
def test_unknown_models_are_named(models: list[str], tmp_path: Path) -> None:
    """A model that does not exist is named with those that do, before anything is written."""
    with pytest.raises(TrainingError, match="Choose from popularity, decayed_frequency"):
        train_offers(random_dataset(1), store=tmp_path / "store", models=models, split=SPLIT)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("programme", ["", "a/b", "a:b", "-a", "ü", "x" * 65])
def test_programmes_that_cannot_name_a_model(programme: str, tmp_path: Path) -> None:
    """A programme that the registry or a folder could not carry is refused in one sentence."""
    with pytest.raises(TrainingError, match="cannot name a model"):
        train_offers(
            random_dataset(1), store=tmp_path / "s", programme=programme, models=["popularity"], split=SPLIT
        )
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(TrainingError, match="cannot name a model"):
        pull_model(tmp_path, programme, target_dir=tmp_path)


def test_data_without_the_weeks_of_the_split(tmp_path: Path) -> None:
    """A split that the data cannot fill fails before a store is made."""
    with pytest.raises(DatasetError, match="no purchases in weeks"):
        train_offers(random_dataset(1), store=tmp_path / "s", models=["popularity"])
    assert not (tmp_path / "s").exists()


def test_store_that_cannot_be_written(tmp_path: Path) -> None:
    """A store below a file is one sentence, and the fits are not started."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="cannot be written"):
        train_offers(random_dataset(1), store=tmp_path / "file" / "s", models=["popularity"], split=SPLIT)
