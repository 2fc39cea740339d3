"""Refreshing on a real MLflow store: a refreshed model is the model of all rows, with the evidence of the one before."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import polars as pl
import pytest

from tests.training.small_jobs import empty_store
from training.bundle import OfferModel, Task, open_bundle
from training.bundle.ranker import Ranker
from training.data.purchases import FitData
from training.data.tables import Tables, load_tables
from training.errors import DatasetError, TrainingError
from training.evaluation.folds import fit_data
from training.offers.champion import evaluate_champion
from training.offers.job import train_offers
from training.offers.job_data import JobData, from_tables, popular_scores
from training.offers.options import JobOptions
from training.offers.recipe import Known, Recipe, recipe_of_version
from training.offers.refresh_job import refresh_model
from training.offers.refreshing import RefreshResult, refit
from training.promotion import promote, rollback
from training.threads import one_thread_of_algebra
from training.tracking import ModelRegistry, compare_versions, pull_model
from training.tracking.store import using_store

# It comes from inside mlflow, which is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore:Operation with range is deprecated")

DAYS, MEMBERS, SEED = 150, 60, 3
TASK = "replenish"
NEW_MEMBER, NEW_OFFER = "a newcomer", "m novelty"


def purchases() -> pl.DataFrame:
    """Return purchases of members who buy from one half of the shop each, at any time of day."""
    rng = np.random.default_rng(5)
    rows = []
    for member in range(MEMBERS):
        half = member % 2
        favourites = half * 8 + rng.choice(8, 4, replace=False)
        for day in range(int(rng.integers(0, 6)), DAYS, 6):
            bought = [offer for offer in favourites if rng.random() < 0.6] + [half * 8 + int(rng.integers(8))]
            rows += [(f"m{member:02d}", f"o{offer:02d}", day + rng.random(), 1.5) for offer in bought]
    return pl.DataFrame(rows, schema=["member", "offer", "day", "paid"], orient="row").sort("day")


def later() -> pl.DataFrame:
    """Return purchases of the last day: of a new member, of a new offer, and of both."""
    return pl.DataFrame(
        {
            "member": [NEW_MEMBER, "m00", NEW_MEMBER, "m01"],
            "offer": ["o01", NEW_OFFER, NEW_OFFER, "o02"],
            "day": [DAYS + 0.2, DAYS + 0.3, DAYS + 0.4, DAYS + 0.5],
            "paid": [1.0, 2.0, 3.0, 4.0],
        }
    )


def tables(path: Path) -> Tables:
    return Tables(path, "member", "offer", time_column="day", value_column="paid")


def write(folder: Path, name: str, frame: pl.DataFrame) -> Tables:
    frame.write_parquet(folder / f"{name}.parquet")
    return tables(folder / f"{name}.parquet")


class Shop:
    """A store with one job on the purchases, and every purchase there is in one table.

    Attributes:
        store: Folder of the store.
        versions: Version of each model.
        everything: All purchases, also those that the job did not see.
        folder: Where tables can be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, empty_store(folder / "store")
        source = from_tables(write(folder, "before", purchases()), Task.REPLENISH, seed=SEED)
        source = replace(source, first_trees=tuple(replace(one, cold=False) for one in source.first_trees))
        models = ("decayed_frequency", "item_item", "als", "mixture", "ranker")
        options = JobOptions(self.store, models=models, ks=(5,), seed=SEED, promote=False)
        self.job = train_offers(source, options)
        self.versions = self.job.versions
        self.everything = pl.concat([purchases(), later()])
        self.source = source

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry(self.store, "default", TASK)

    def crown(self, model: str) -> None:
        """Let a model of the job be champion."""
        self.registry.set_alias("champion", self.versions[model])

    def refresh(self, frame: pl.DataFrame, name: str = "today") -> RefreshResult:
        return refresh_model(self.store, "default", TASK, write(self.folder, name, frame))

    def served(self, folder: Path) -> OfferModel:
        return open_bundle(pull_model(self.store, "default", TASK, target_dir=folder).link).model

    def kept(self, version: str) -> tuple[Recipe, Known]:
        kept = recipe_of_version(self.registry, self.registry.version(version))
        assert kept is not None
        return kept

    def at_once(self, model: str) -> OfferModel:
        """Fit a model of the job on every purchase there is, from the rows."""
        recipe, _ = self.kept(self.versions[model])
        whole = load_tables(write(self.folder, "everything", self.everything)).purchases
        moment = float(self.everything["day"].max() or 0.0)  # type: ignore[arg-type]  # a float column
        data: FitData = fit_data(whole, whole.rows, moment)
        trained = self.job.model(model).model
        with one_thread_of_algebra():
            scorer = refit(recipe, trained.scorer, data, Known.of(whole, recipe, moment), Task.REPLENISH)
        job_data = JobData(whole, self.source.split, (5,), "ndcg@5", SEED)
        return job_data.model(data, scorer)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def difference(ours: OfferModel, expected: OfferModel) -> float:
    """Return the largest difference of any score, relative to the member's largest one; ids must be the same."""
    assert ours.member_ids.texts() == expected.member_ids.texts()
    assert ours.offer_ids.texts() == expected.offer_ids.texts()
    scores = [
        (ours.all_scores(member), expected.all_scores(member)) for member in range(len(ours.member_ids))
    ]
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in scores)


@pytest.mark.parametrize(
    ("model", "tolerance"),
    [
        ("decayed_frequency", 1e-6),
        ("item_item", 1e-5),
        ("als", 1e-5),
        ("mixture", 1e-5),
        # Where rounding takes a number across the threshold of a tree, a leaf changes.
        ("ranker", 1e-2),
    ],
)
def test_a_refreshed_model_is_the_model_of_all_rows(
    shop: Shop, model: str, tolerance: float, tmp_path: Path
) -> None:
    """The champion's settings fitted on merged histories score as the same settings fitted on every row at once."""
    shop.crown(model)
    result = shop.refresh(shop.everything)

    assert result.promotion.promoted
    assert (result.model, result.refreshed_from) == (model, shop.versions[model])
    ours, expected = shop.served(tmp_path), shop.at_once(model)
    assert difference(ours, expected) <= tolerance
    popular = popular_scores(FitData(expected.history, expected.covers), has_times=True)
    assert ours.popular_scores == pytest.approx(popular, rel=1e-5)
    assert shop.kept(result.version)[0] == shop.kept(shop.versions[model])[0]
    if isinstance(ours.scorer, Ranker):
        trained = shop.job.model("ranker").model.scorer
        assert isinstance(trained, Ranker)
        assert not trained.cold
        assert not ours.scorer.cold
        assert ours.scorer.trees.leaves.tobytes() == trained.trees.leaves.tobytes()
        assert ours.scorer.calibration.weights.tolist() == trained.calibration.weights.tolist()
    settings = shop.registry.version(result.version).parameters
    assert settings == shop.registry.version(shop.versions[model]).parameters


def test_a_refresh_on_top_of_a_refresh_goes_on(shop: Shop, tmp_path: Path) -> None:
    """Day by day, with tables that overlap, gives the model of all rows; nothing counts twice, and it says so."""
    shop.crown("mixture")
    known_until = shop.served(tmp_path / "before").history
    first = shop.refresh(shop.everything.filter(pl.col("day") < DAYS - 12.4))
    second = shop.refresh(shop.everything.filter(pl.col("day") > DAYS - 20))

    assert known_until.member_count == MEMBERS
    assert second.refreshed_from == first.version
    assert second.evidence_from == first.evidence_from == shop.versions["mixture"]
    assert (first.added.members, second.added.members) == (0, 1)
    assert (first.added.products, second.added.products) == (0, 1)
    overlap = pl.col("day").is_between(DAYS - 20, DAYS - 12.4, closed="none")
    assert second.added.left_out == len(shop.everything.filter(overlap))
    assert second.added.first_left_out == 1
    assert first.added.rows + second.added.rows + first.added.left_out == len(shop.everything)
    assert second.known_until == first.feature_time
    ours = shop.served(tmp_path / "after")
    assert difference(ours, shop.at_once("mixture")) <= 1e-5
    member, offer = ours.member_ids.index(NEW_MEMBER), ours.offer_ids.index(NEW_OFFER)
    assert member is not None
    assert offer is not None
    assert offer in ours.profile(member).products.tolist()
    assert int(np.argmax(ours.all_scores(member))) in ours.profile(member).products.tolist()

    with pytest.raises(
        DatasetError, match=r"Nothing in again\.parquet is new: none of its .* is later than 1970-"
    ):
        shop.refresh(shop.everything, "again")


def test_drift_on_the_test_window_is_the_test(shop: Shop) -> None:
    """When the new purchases are the window that the job tested on, the drift measure is the number of that test."""
    for model in ("decayed_frequency", "mixture"):
        shop.crown(model)
        result = shop.refresh(purchases())
        test = shop.job.model(model).test
        assert test is not None
        assert result.drift is not None
        assert result.drift.value.value == pytest.approx(test.metrics["ndcg@5"].value, abs=1e-9)
        assert result.drift.judged == pytest.approx(test.metrics["ndcg@5"].value)
        metrics = shop.registry.version(result.version).metrics
        assert metrics["drift_ndcg_at_5"] == pytest.approx(result.drift.value.value)
        assert metrics["drift_days"] == pytest.approx(28)


def test_a_refreshed_version_says_what_it_is(shop: Shop) -> None:
    """Tags name what it was made of; its evaluation is that of the version it goes back to, also case by case."""
    shop.crown("als")
    result = shop.refresh(shop.everything)
    version = shop.registry.version(result.version)
    origin = shop.registry.version(shop.versions["als"])

    assert version.tags["troth.refreshed_from"] == origin.version
    assert version.tags["troth.evidence_from"] == origin.version
    assert version.tags["troth.feature_time"] == result.feature_time
    assert version.tags["troth.new_rows"] == str(result.added.rows)
    assert (version.tags["troth.new_members"], version.tags["troth.new_products"]) == ("1", "1")
    assert version.tags["gate.evaluation"] == f"that of version {origin.version}"
    assert version.tags["validation_status"] == "approved"
    assert version.judged_on == origin.judged_on
    assert version.metrics["ndcg_at_5"] == origin.metrics["ndcg_at_5"]
    ours, theirs = shop.registry.cases(version), shop.registry.cases(origin)
    assert ours is not None
    assert theirs is not None
    assert ours.same_as(theirs)
    assert result.promotion.reason.startswith(
        f"als, version {version.version} is champion: it is version {origin.version} with the purchases made since; "
        f"NDCG@5 {origin.metrics['ndcg_at_5']:.4f} is what version {origin.version} reached"
    )
    latest = compare_versions(shop.store, "default", TASK)
    assert version.version not in {row.version.version for row in latest.rows}
    compared = compare_versions(shop.store, "default", TASK, [version.version, origin.version])
    assert [row.value for row in compared.rows] == [compared.rows[0].value] * 2
    assert compared.rows[0].against_counting is not None


def test_a_refreshed_model_lies_in_the_store(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bundle is kept among the programme's, so the store can be moved whole; the working directory stays empty."""
    monkeypatch.chdir(tmp_path)
    shop.crown("als")
    result = shop.refresh(shop.everything)
    with using_store(shop.store) as mlflow:
        kept = mlflow.MlflowClient().search_logged_models(
            [shop.job.experiment_id], filter_string=f"source_run_id = '{result.run_id}'"
        )

    assert [Path(urlparse(one.artifact_location).path).is_relative_to(shop.store) for one in kept] == [True]
    assert not list(tmp_path.iterdir())


def test_the_gate_lets_a_refreshed_model_replace_its_own_champion_only(shop: Shop) -> None:
    """When another model serves by now, a refreshed one is judged as any other; a rollback brings back the one before."""
    shop.crown("als")
    result = shop.refresh(shop.everything)
    assert rollback(shop.store, "default", TASK).version == shop.versions["als"]
    again = promote(shop.store, "default", TASK, result.version)
    assert again.promoted
    shop.crown("mixture")
    refused = promote(shop.store, "default", TASK, result.version)
    assert not refused.promoted
    assert "is champion" not in refused.reason


def test_a_later_job_measures_the_champion_by_what_had_not_seen_the_truths(shop: Shop) -> None:
    """A champion that was refreshed with the purchases of the test window is measured by the version before them."""
    shop.crown("als")
    shop.refresh(shop.everything.filter(pl.col("day") < DAYS - 10))
    last = shop.refresh(shop.everything)
    job_data = JobData(shop.source.purchases, shop.source.split, (5,), "ndcg@5", SEED)
    with one_thread_of_algebra():
        found = evaluate_champion(
            shop.store, "default", job_data, [make() for make in shop.source.split.test]
        )
    test = shop.job.model("als").test
    assert test is not None
    assert found is not None
    assert found[0] == last.version
    assert found[1].metrics["ndcg@5"].value == pytest.approx(test.metrics["ndcg@5"].value, abs=1e-6)


def test_times_in_the_future_are_refused(shop: Shop) -> None:
    """One of them would keep out every purchase until then."""
    shop.crown("decayed_frequency")
    wrong = shop.everything.with_columns(
        day=pl.when(pl.int_range(pl.len()) == 6).then(90_000.0).otherwise(pl.col("day"))
    )
    with pytest.raises(DatasetError, match=r"1 row has a time in the future, the first is row 7\."):
        shop.refresh(wrong)


def test_without_times_nobody_can_tell_what_is_new(shop: Shop, tmp_path: Path) -> None:
    """A champion that was trained without times is refused."""
    rows = purchases().unique(["member", "offer"], maintain_order=True)
    train, test = rows[::2], rows[1::2]
    test.write_parquet(tmp_path / "test.parquet")
    given = replace(write(tmp_path, "train", train), time_column="", test=tmp_path / "test.parquet")
    source = from_tables(given, Task.DISCOVER, seed=SEED)
    options = JobOptions(shop.store, programme="tea", models=("decayed_frequency",), ks=(5,))
    assert train_offers(source, options).promoted
    with pytest.raises(TrainingError, match=r"was trained without times.*train once with --time-column"):
        refresh_model(shop.store, "tea", "discover", write(tmp_path, "today", purchases()))
