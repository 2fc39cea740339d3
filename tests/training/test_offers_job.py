"""The whole job on a small table and a real MLflow store: train, judge, pull, and the same scores again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.training.small_jobs import empty_store
from training.bundle import Task, open_bundle
from training.data.tables import Tables
from training.errors import TrainingError
from training.offers.job import train_offers
from training.offers.job_data import JobSource, from_tables
from training.offers.options import JobOptions
from training.offers.result import TrainOffersResult
from training.offers.second_stage_trees import TreeSettings
from training.recommenders import Als
from training.tracking import pull_model
from training.tracking.runs import NOTE_TAG
from training.tracking.store import using_store

DAYS = 200


def table(folder: Path) -> Path:
    """Write purchases of members who buy from one half of the shop each, some products weekly."""
    rng = np.random.default_rng(5)
    rows = []
    for member in range(80):
        half = member % 2
        favourites = half * 10 + rng.choice(10, 4, replace=False)
        for day in range(int(rng.integers(0, 7)), DAYS, 7):
            rows += [(f"m{member:02d}", f"o{offer:02d}", day) for offer in favourites if rng.random() < 0.6]
            rows += [(f"m{member:02d}", f"o{half * 10 + int(rng.integers(10)):02d}", day)]
    path = folder / "interactions.parquet"
    pl.DataFrame(rows, schema=["member_id", "offer_id", "day"], orient="row").write_parquet(path)
    return path


def fashion(folder: Path) -> Path:
    """Write purchases of members who leave their favourites for what others always buy, in the validation window alone."""
    rows = []
    for member in range(40):
        hits, own = [f"hit{place}" for place in range(4)], [f"o{member % 10}{place}" for place in range(4)]
        for day in range(member % 7, DAYS, 7):
            follows = member % 2 == 0 or DAYS - 56 <= day < DAYS - 28
            rows += [(f"m{member:02d}", offer, day) for offer in (hits if follows else own)]
    path = folder / "fashion.parquet"
    pl.DataFrame(rows, schema=["member_id", "offer_id", "day"], orient="row").write_parquet(path)
    return path


def train(folder: Path, recommendations: Path | None = None) -> TrainOffersResult:
    source = source_of(table(folder))
    models = ("popularity", "decayed_frequency", "item_item", "mixture", "ranker")
    options = JobOptions(folder / "store", models=models, ks=(5,), recommendations=recommendations)
    return train_offers(source, options)


def source_of(path: Path) -> JobSource:
    return from_tables(Tables(path, "member_id", "offer_id", time_column="day"), Task.REPLENISH, seed=1)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainOffersResult]:
    folder = tmp_path_factory.mktemp("job")
    empty_store(folder / "store")
    return folder, train(folder, recommendations=folder / "lists.parquet")


def test_personal_models_beat_popularity(job: tuple[Path, TrainOffersResult]) -> None:
    """Where members buy from their own half of the shop, counting and the second stage beat popularity on the test."""
    models = job[1].to_json()["models"]
    popular = models["popularity"]["metrics"]["ndcg@5"]["value"]
    assert models["decayed_frequency"]["metrics"]["ndcg@5"]["value"] > popular + 0.1
    assert models["ranker"]["metrics"]["ndcg@5"]["value"] > popular + 0.1
    assert models["mixture"]["metrics"]["ndcg@5"]["value"] > popular + 0.1
    assert {model["measured_on"] for model in models.values()} == {"test"}
    assert all(model["mlflow_run_id"] for model in models.values())


def test_the_weights_of_the_mixture_are_its_parameters(job: tuple[Path, TrainOffersResult]) -> None:
    """They add up to 1 and name other models of the job."""
    models = job[1].to_json()["models"]
    weights = models["mixture"]["parameters"]
    assert sum(weights.values()) == pytest.approx(1, abs=1e-3)
    parts = [name.removeprefix("weight_") for name in weights]
    assert set(parts) <= {"popularity", "decayed_frequency", "item_item"}


def test_the_document_names_what_was_done(job: tuple[Path, TrainOffersResult]) -> None:
    """The JSON has task, split, slices for members that are not known, and what the gate said."""
    document = job[1].to_json()
    assert document["task"] == "replenish"
    assert "test on the 28 days after" in document["split"]
    assert {"no_history", "first_basket"} <= set(document["models"]["ranker"]["slices"])
    assert document["promotion"]


def test_lists_hold_every_member_with_distinct_offers(job: tuple[Path, TrainOffersResult]) -> None:
    """The table of recommendations has rank 1 to k for every member, scores that never rise, and no offer twice."""
    lists = pl.read_parquet(job[0] / "lists.parquet")
    assert lists.columns == ["member", "offer", "rank", "score"]
    assert lists.group_by("member").len()["len"].unique().to_list() == [5]
    assert lists.select(pl.struct("member", "offer").n_unique()).item() == len(lists)
    falls = lists.with_columns(fall=pl.col("score").diff().over("member"))["fall"].drop_nulls()
    assert (falls <= 0).all()


def test_the_bundle_scores_as_the_job_did(job: tuple[Path, TrainOffersResult], tmp_path: Path) -> None:
    """The pulled bundle gives the scores of the model in memory, bit for bit, also for somebody unknown."""
    folder, result = job
    pulled = pull_model(folder / "store", "default", "replenish", "challenger", target_dir=tmp_path)
    served, trained = open_bundle(pulled.link).model, result.model(result.best).model
    for member in (0, 41, None):
        assert served.all_scores(member).tobytes() == trained.all_scores(member).tobytes()


def test_unknown_models_are_named(tmp_path: Path) -> None:
    """A model that does not exist is named with those that do, before anything is written."""
    source = source_of(table(tmp_path))
    with pytest.raises(TrainingError, match=r"Unknown models: magic\. Choose from popularity"):
        train_offers(source, JobOptions(tmp_path / "s", models=("magic",)))
    assert not (tmp_path / "s").exists()


def test_counting_serves_when_the_best_is_refused_and_nothing_served_before(tmp_path: Path) -> None:
    """A candidate that the gate refuses leaves no shop without a model: counting becomes champion, and the reason says so."""
    options = JobOptions(empty_store(tmp_path / "store"), models=("popularity", "decayed_frequency"), ks=(5,))
    result = train_offers(source_of(fashion(tmp_path)), options)
    assert result.best == "popularity"
    assert not result.promoted
    assert "popularity cannot become champion" in result.promotion.replace(", version 1", "")
    pulled = pull_model(tmp_path / "store", "default", "replenish", target_dir=tmp_path / "models")
    assert pulled.manifest.model_name == "decayed_frequency"


def test_what_is_left_out_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that were not named are left out where the data cannot feed them or they would take too long."""
    names = ("popularity", "seasonal_popularity", "decayed_frequency", "warp")
    monkeypatch.setattr("training.offers.options.MODELS", names)
    monkeypatch.setattr("training.offers.learning.MAX_SLOW_FITS", 1)
    source = source_of(table(tmp_path))
    document = train_offers(
        source, JobOptions(empty_store(tmp_path / "store"), ks=(5,), promote=False)
    ).to_json()
    assert set(document["models"]) == {"popularity", "decayed_frequency"}
    assert set(document["left_out"]) == {"seasonal_popularity", "warp"}
    assert "a year ago" in document["left_out"]["seasonal_popularity"]
    assert "--models" in document["left_out"]["warp"]
    runs = recorded(tmp_path / "store")
    assert "warp" not in {name.rpartition("/")[2] for name in runs}
    status, note = runs["replenish/seasonal_popularity"]
    assert (status, note) == ("FINISHED", f"Left out: {document['left_out']['seasonal_popularity']}")


def recorded(store: Path) -> dict[str, tuple[str, str]]:
    """Return status and note of the runs of a store by name."""
    with using_store(store) as mlflow:
        client = mlflow.MlflowClient()
        experiments = [one.experiment_id for one in client.search_experiments()]
        return {
            run.info.run_name: (run.info.status, run.data.tags.get(NOTE_TAG, ""))
            for run in client.search_runs(experiments)
        }


def test_the_second_stage_hears_all_but_those_that_learn_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without named models ALS gives its scores and BPR does not; where ensembles are averaged, settings stay as they are."""
    monkeypatch.setattr("training.offers.options.MODELS", ("decayed_frequency", "als", "bpr", "ranker"))
    source = source_of(table(tmp_path))
    source = replace(source, first_trees=(TreeSettings(ensembles=2, rounds=30, leaves=4),))
    options = JobOptions(empty_store(tmp_path / "store"), ks=(5,), promote=False)
    result = train_offers(source, options)
    tried = [trial.parameters for trial in result.model("als").trials]
    assert tried == [settings.parameters for settings in Als.starts()]
    ranker = result.to_json()["models"]["ranker"]
    assert ranker["parameters"]["components"].split(",") == ["decayed_frequency", "als"]
    assert (ranker["parameters"]["rounds"], ranker["trial_count"]) == (30, 1)


def test_a_spent_budget_leaves_out_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the time for the first stage is over no other model is begun, but counting always is."""
    monkeypatch.setattr("training.offers.options.MODELS", ("popularity", "decayed_frequency", "item_item"))
    source = source_of(table(tmp_path))
    monkeypatch.setattr(JobOptions, "is_spent", lambda *_: True)
    options = JobOptions(empty_store(tmp_path / "store"), ks=(5,), promote=False)
    document = train_offers(source, options).to_json()
    assert set(document["models"]) == {"popularity", "decayed_frequency"}
    assert document["left_out"] == {"item_item": "The time budget was spent before its turn."}
