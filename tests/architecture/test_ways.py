"""Data goes a short way: few files between a request and its answer."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.architecture.ways import files_of, watched_threads
from tests.cli.in_process import run
from tests.server.running import RPC_TIMEOUT_S, running
from tests.server.scene import write_scene
from tests.training.small_jobs import empty_store
from training.bundle import Task
from training.data.tables import Tables
from training.offers.job import train_offers
from training.offers.job_data import from_tables
from training.offers.options import JobOptions
from troth.v1.recommendation_service_pb2 import RecommendOffersRequest
from troth.v1.recommendation_service_pb2_grpc import RecommendationServiceStub

MANY = 46
"""Files on a way that are too many to follow; the three ways have fewer, and none may grow beyond it."""

MANY_FOR_OFFERS = 40
"""A training job that counts runs through at most so many."""


def test_one_recommendation_runs_through_few_files(tmp_path: Path) -> None:
    """From the message to the logged answer, the log's writer included, a RecommendOffers runs through few files."""
    with watched_threads(), running(write_scene(tmp_path / "scene")) as server:
        stub = RecommendationServiceStub(server.channel)
        request = RecommendOffersRequest(member_id="m01", placement_id="checkout")
        stub.RecommendOffers(request, timeout=RPC_TIMEOUT_S)
        with files_of() as files:
            stub.RecommendOffers(request, timeout=RPC_TIMEOUT_S)

    assert "server/decide/decide.py" in files
    assert "server/storage/group_commit.py" in files
    assert len(files) <= MANY, sorted(files)


def test_an_analysis_runs_through_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a definition and a table to JSON, ``troth experiment analyze`` runs through few files."""
    (tmp_path / "gate.yaml").write_text(
        "experiment_id: gate\nvariant_column: version\ncontrol: old\nvariants: [{variant_id: old}, {variant_id: new}]\n"
        "metrics:\n  - {metric_id: bought, kind: proportion}\n",
        encoding="utf-8",
    )
    random = np.random.default_rng(1)
    pl.DataFrame({"version": ["old", "new"] * 500, "bought": random.integers(0, 2, 1_000)}).write_parquet(
        tmp_path / "t.parquet"
    )
    monkeypatch.chdir(tmp_path)
    with files_of() as files:
        ran = run(
            monkeypatch, capsys, "experiment", "analyze", "gate.yaml", "--data", "t.parquet", "--json", "-"
        )

    assert json.loads(ran.out)["experiment_id"] == "gate"
    assert "experiments/analysis/analyze.py" in files
    assert len(files) <= MANY, sorted(files)


def test_training_offers_runs_through_few_files(tmp_path: Path) -> None:
    """From a table of interactions to recorded models, a job for offers that count runs through few files."""
    random = np.random.default_rng(2)
    pl.DataFrame(
        {
            "member_id": random.integers(0, 60, 3_000),
            "offer_id": random.integers(0, 20, 3_000),
            "day": random.integers(0, 150, 3_000),
        }
    ).write_parquet(tmp_path / "bought.parquet")
    tables = Tables(tmp_path / "bought.parquet", "member_id", "offer_id", time_column="day")
    options = JobOptions(
        empty_store(tmp_path / "store"), models=("popularity", "decayed_frequency"), ks=(5,), promote=False
    )
    with files_of() as files:
        result = train_offers(from_tables(tables, Task.REPLENISH, seed=1), options)

    assert result.best in {"popularity", "decayed_frequency"}
    assert len(files) <= MANY_FOR_OFFERS, sorted(files)
