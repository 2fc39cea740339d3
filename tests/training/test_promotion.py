"""The gate: what it refuses, in which words, and how the champion changes and comes back."""

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import numpy as np
import pytest

from experiments.stats.estimate import Estimate, estimate_of
from tests.training.small_jobs import (
    OFFERS,
    empty_store,
    offer_model,
    record_job,
    scorer_of,
    small_fold,
    small_job,
    trained_model,
)
from training.bundle import OfferModel, Task, write_bundle
from training.bundle.scorers import Personal
from training.errors import RegistryError
from training.evaluation.evaluation import COUNTING
from training.offers.result import TrainOffersResult
from training.promotion import promote, rollback
from training.promotion_checks import (
    CheckError,
    Latency,
    Rival,
    check_latency,
    check_parity,
    check_smoke,
    judge,
)
from training.tracking import ModelRegistry, pull_model
from training.tracking.evidence import parity_of
from training.tracking.store import existing_client

# Both come from inside mlflow, which is not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
    pytest.mark.filterwarnings("ignore:Operation with range is deprecated"),
]

TASK = "replenish"
OTHER_CASES = "test: 28 days from 2018-01-01"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all tests: making one takes seconds, and programmes do not touch each other."""
    return empty_store(tmp_path_factory.mktemp("promotion") / "store")


@pytest.fixture(scope="module")
def waiting(store: Path) -> TrainOffersResult:
    """A job whose models wait: no test promotes one of them."""
    return record_job(store, [COUNTING, "als"], job=small_job(programme="waiting"))


def aliases(store: Path, programme: str) -> dict[str, str]:
    return ModelRegistry(store, programme, TASK).aliases()


def gate_tags(store: Path, programme: str, version: str) -> dict[str, str]:
    tags = ModelRegistry(store, programme, TASK).version(version).tags
    return {name.removeprefix("gate."): value for name, value in tags.items() if name.startswith("gate.")}


def test_the_first_champion_must_beat_counting(store: Path) -> None:
    """A model worse than counting is refused with the numbers; one that is better serves; every step leaves its tag."""
    job = record_job(store, [COUNTING, "bpr", "als"], job=small_job(programme="first"))
    refused = promote(store, "first", TASK, job.versions["bpr"])
    delta = job.differences["bpr"]
    low, high = delta.interval
    value = job.model("bpr").judged.metrics["ndcg@10"].value
    assert refused.reason == (
        f"bpr cannot become champion: NDCG@10 {value:.4f} is {-delta.value:.4f} below decayed_frequency "
        f"(95 % {low:+.4f} to {high:+.4f})."
    )
    assert (refused.promoted, refused.changed, refused.previous) == (False, False, None)
    assert aliases(store, "first") == {"challenger": job.versions["als"]}
    promoted = promote(store, "first", TASK)
    assert (promoted.promoted, promoted.version, promoted.model) == (True, job.versions["als"], "als")
    assert promoted.reason.startswith("als, version 3 is champion: NDCG@10 1.0000 is ")
    assert promoted.reason.endswith("; nothing served before.")
    assert aliases(store, "first") == {"challenger": "3", "champion": "3"}
    tags = gate_tags(store, "first", "3")
    assert tags["smoke"] == "passed"
    assert tags["parity"] == "1,530 scores of 51 members equal"
    assert tags["vs_counting"].startswith("+0.5")
    assert tags["reason"] == promoted.reason
    assert 0 < float(tags["latency_ms_p50"]) <= float(tags["latency_ms_p99"])
    assert "vs_champion" not in tags
    registry = ModelRegistry(store, "first", TASK)
    status = {version.version: version.tags["validation_status"] for version in registry.versions()}
    assert status == {"1": "pending", "2": "rejected", "3": "approved"}
    parent = existing_client(store).get_run(job.parent_run_id)
    assert parent.data.tags["troth.promotion"] == promoted.reason
    again = promote(store, "first", TASK)
    assert (again.promoted, again.changed, again.reason) == (
        True,
        False,
        "als, version 3 is champion already.",
    )


def test_a_champion_is_replaced_by_a_better_model_only_and_comes_back(store: Path, tmp_path: Path) -> None:
    """Better than the champion serves, worse is refused; a rollback brings the old one back, a second undoes the first."""
    job = record_job(store, [COUNTING, "ease", "als"], job=small_job(programme="second"))
    counting, ease, als = (job.versions[name] for name in (COUNTING, "ease", "als"))
    assert promote(store, "second", TASK, counting).promoted
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        rollback(store, "second", TASK)
    assert promote(store, "second", TASK, ease).previous == counting
    better = promote(store, "second", TASK, als)
    assert (better.promoted, better.previous) == (True, ease)
    assert f"above ease, version {ease} (95 % +0.00" in better.reason
    assert aliases(store, "second") == {"challenger": als, "champion": als, "previous": ease}
    assert ModelRegistry(store, "second", TASK).version(als).tags["troth.previous_champion"] == ease
    worse = promote(store, "second", TASK, ease)
    assert not worse.promoted
    assert worse.reason.startswith(
        "ease cannot become champion: NDCG@10 0.9911 is 0.0089 below als, version 3"
    )
    back_to_counting = promote(store, "second", TASK, counting)
    assert not back_to_counting.promoted
    assert "below als, version 3" in back_to_counting.reason

    back = rollback(store, "second", TASK)
    assert (back.version, back.model, back.replaced) == (ease, "ease", als)
    assert back.reason == f"ease, version {ease} is champion again; als, version {als} served before."
    assert pull_model(store, "second", TASK, target_dir=tmp_path).manifest.model_name == "ease"
    assert rollback(store, "second", TASK).version == als
    assert aliases(store, "second") == {"challenger": als, "champion": als, "previous": ease}
    with damaged(store, "second", ease, "popular_scores.npy"), pytest.raises(RegistryError, match="damaged"):
        rollback(store, "second", TASK)
    assert aliases(store, "second")["champion"] == als


def test_a_champion_judged_on_other_cases_must_have_been_measured(store: Path) -> None:
    """New cases need the champion's numbers on them; the job that measured the current champion may promote."""
    first = record_job(store, [COUNTING, "ease"], job=small_job(programme="cases"))
    assert promote(store, "cases", TASK).promoted
    job, fold = small_job(programme="cases", judged_on=OTHER_CASES), small_fold(2)
    champion = first.versions["ease"]
    record_job(store, [COUNTING, "als"], job=job, fold=fold)
    refused = promote(store, "cases", TASK)
    assert refused.reason == (
        f"als cannot become champion: the champion, version {champion}, was judged on other cases: train again, the "
        "job measures it too."
    )
    theirs = trained_model("bpr", fold).judged
    record_job(store, [COUNTING, "als"], job=job, fold=fold, champion=("1", theirs))
    assert "was judged on other cases" in promote(store, "cases", TASK).reason, (
        "measured, but not the champion"
    )
    record_job(store, [COUNTING, "als"], job=job, fold=fold, champion=(champion, theirs))
    promoted = promote(store, "cases", TASK)
    assert promoted.promoted
    assert f"above ease, version {champion}" in promoted.reason


def test_a_damaged_bundle_is_refused(store: Path, waiting: TrainOffersResult) -> None:
    """A byte that changed, or a bundle that is gone, is found by the first step, and nothing is measured any more."""
    version = waiting.versions["als"]
    with damaged(store, "waiting", version, "popular_scores.npy"):
        refused = promote(store, "waiting", TASK)
    assert not refused.promoted
    assert refused.reason == (
        "als cannot become champion: the bundle is damaged: the checksum of popular_scores.npy does not match."
    )
    tags = gate_tags(store, "waiting", version)
    assert tags["smoke"].startswith("failed: The bundle is damaged")
    assert set(tags) == {"smoke", "reason"}
    folder = bundle_folder(store, "waiting", version)
    folder.rename(folder.with_name("away"))
    try:
        assert "is not in the store" in promote(store, "waiting", TASK).reason
    finally:
        folder.with_name("away").rename(folder)
    assert "champion" not in aliases(store, "waiting")


def test_scores_that_differ_from_training_are_refused(store: Path, waiting: TrainOffersResult) -> None:
    """One bit in one score is enough; scores that were not kept are refused too."""
    version = waiting.versions["als"]
    path = run_folder(store, "waiting", version) / "parity.npz"
    content = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)
    arrays["scores"].view(np.uint32)[40] ^= 1
    try:
        np.savez_compressed(path, **arrays)
        reason = promote(store, "waiting", TASK).reason
        path.unlink()
        lost = promote(store, "waiting", TASK).reason
    finally:
        path.write_bytes(content)
    assert (
        reason
        == "als cannot become champion: the bundle scores member 'm01' differently from the training job."
    )
    assert lost == (
        "als cannot become champion: the scores that training computed were not kept: train again."
    )


def test_a_slow_model_is_refused(store: Path, waiting: TrainOffersResult) -> None:
    """Above the limit the sentence says how long scoring takes and what is allowed; both are kept as tags."""
    refused = promote(store, "waiting", TASK, latency_limit_ms=0.0)
    tags = gate_tags(store, "waiting", waiting.versions["als"])
    assert not refused.promoted
    assert re.fullmatch(
        rf"als cannot become champion: scoring all {OFFERS} offers takes \d\.\d\d ms for half of the members "
        r"\(99 %: \d\.\d\d ms\), the limit is 0 ms\.",
        refused.reason,
    )
    assert 0 < float(tags["latency_ms_p50"]) <= float(tags["latency_ms_p99"])
    assert tags["parity"].endswith("equal"), "the steps before were passed"
    assert "vs_counting" not in tags, "the steps after were not taken"
    slow = Latency(offer_count=1836, p50=31.234, p99=40.0, short_p50=1.0, short_p99=2.0)
    check_latency(slow, 31.3)
    with pytest.raises(CheckError, match=r"all 1,836 offers takes 31.23 ms .* the limit is 20 ms"):
        check_latency(slow, 20.0)


def test_a_job_without_counting_promotes_nothing(store: Path) -> None:
    """Where nobody counted, nobody knows whether a model beats it."""
    record_job(store, ["als"], job=small_job(programme="alone"))
    assert promote(store, "alone", TASK).reason == (
        "als cannot become champion: its job did not measure decayed_frequency: train again with it."
    )


def test_versions_and_aliases_that_are_not_there(store: Path, waiting: TrainOffersResult) -> None:
    """A version or alias that does not exist is one sentence."""
    with pytest.raises(RegistryError, match="has no version '77'"):
        promote(store, "waiting", TASK, "77")
    with pytest.raises(RegistryError, match="no alias 'green'"):
        promote(store, "waiting", TASK, alias="green")
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        rollback(store, "waiting", TASK)


SURE, CHANCE = estimate_of(0.02, 0.001), estimate_of(0.02, 0.02)
SURE_LOSS, CHANCE_LOSS = estimate_of(-0.02, 0.001), estimate_of(-0.02, 0.02)
EQUAL, UNKNOWN = estimate_of(0.0, 0.0), estimate_of(0.02, float("nan"))


@pytest.mark.parametrize(
    ("counting", "champion", "approved", "says"),
    [
        (SURE, None, True, "0.0200 above decayed_frequency (95 % +0.0180 to +0.0220); nothing served before"),
        (CHANCE, None, False, "above decayed_frequency (95 % -0.0192 to +0.0592), which may be chance."),
        (SURE_LOSS, None, False, "0.0200 below decayed_frequency (95 % -0.0220 to -0.0180)."),
        (EQUAL, None, False, "equal to decayed_frequency (95 % +0.0000 to +0.0000)."),
        (UNKNOWN, None, False, "above decayed_frequency (interval unknown), which may be chance."),
        (SURE, SURE, True, "and 0.0200 above ease, version 3 (95 % +0.0180 to +0.0220)"),
        (SURE, CHANCE, True, "and 0.0200 above ease, version 3 (95 % -0.0192 to +0.0592)"),
        (SURE, CHANCE_LOSS, False, "0.0200 below ease, version 3 (95 % -0.0592 to +0.0192)."),
        (SURE, EQUAL, False, "equal to ease, version 3"),
        (CHANCE, SURE, False, "which may be chance."),
        (None, None, True, "it is what others must beat, and nothing served before"),
        (None, SURE, True, "no certain loss, and counting is simpler"),
        (None, CHANCE_LOSS, True, "no certain loss"),
        (None, EQUAL, True, "no certain loss"),
        (None, SURE_LOSS, False, "0.0200 below ease, version 3"),
    ],
)
def test_the_rule(counting: Estimate | None, champion: Estimate | None, approved: bool, says: str) -> None:
    """Beat counting for sure and do not fall below the champion; counting itself must not lose for sure."""
    judgement = judge(
        COUNTING if counting is None else "als",
        "ndcg@10",
        0.398,
        counting=None if counting is None else Rival(COUNTING, counting),
        champion=None if champion is None else Rival("ease, version 3", champion),
    )
    assert judgement.approved is approved
    assert says in judgement.reason
    assert "NDCG@10 0.3980" in judgement.reason


def write(path: Path, model: OfferModel) -> Path:
    write_bundle(
        path,
        model,
        programme="coffee",
        model_name="m",
        model_version="m@1",
        data_fingerprint="f",
        feature_time=datetime(2018, 1, 1, tzinfo=UTC),
    )
    return path


def test_smoke_finds_what_opening_does_not(tmp_path: Path) -> None:
    """A score that is not finite, or a bundle of another task, opens well and is refused all the same."""
    fold = small_fold()
    good = offer_model(fold, scorer_of(COUNTING, fold))
    assert check_smoke(write(tmp_path / "good", good), TASK).member_count == 60
    with pytest.raises(CheckError, match="for the task replenish, not redeem"):
        check_smoke(tmp_path / "good", Task.REDEEM)
    scorer = scorer_of("als", fold)
    assert isinstance(scorer, Personal)
    data, indices = scorer.data.copy(), scorer.indices.copy()
    data[OFFERS + 1], indices[2 * OFFERS + 1] = np.nan, OFFERS + 5
    bad = dataclasses.replace(good, scorer=dataclasses.replace(scorer, data=data))
    with pytest.raises(CheckError, match="A score of member 'm01' is not finite"):
        check_smoke(write(tmp_path / "nan", bad), TASK)
    bad = dataclasses.replace(good, scorer=dataclasses.replace(scorer, indices=indices))
    with pytest.raises(CheckError, match="Scoring fails: IndexError"):
        check_smoke(write(tmp_path / "beyond", bad), TASK)
    with pytest.raises(CheckError, match="The bundle is not there"):
        check_smoke(tmp_path / "none", TASK)


def test_parity_covers_strangers_and_candidates() -> None:
    """Another scorer, other histories (so other candidates) and a smaller model are all noticed."""
    fold, other = small_fold(), small_fold(5)
    model = offer_model(fold, scorer_of("als", fold), Task.DISCOVER)
    parity = parity_of(model, seed=1)
    assert check_parity(model, parity) == f"{len(parity.scores):,} scores of 51 members equal"
    assert parity.members[-1] == -1
    for changed in (
        dataclasses.replace(model, scorer=scorer_of("als", fold, seed=9)),
        dataclasses.replace(model, history=other.data.history),
        dataclasses.replace(model, popular_scores=model.popular_scores + np.float32(1)),
    ):
        with pytest.raises(CheckError, match="differently from the training job"):
            check_parity(changed, parity)


def bundle_folder(store: Path, programme: str, version: str) -> Path:
    client = existing_client(store)
    source = client.get_model_version(f"troth-{programme}-offers-{TASK}", version).source
    location = client.get_logged_model(source.removeprefix("models:/")).artifact_location
    return Path(url2pathname(urlparse(location).path)) / "artifacts" / "bundle"


def run_folder(store: Path, programme: str, version: str) -> Path:
    registry = ModelRegistry(store, programme, TASK)
    uri = existing_client(store).get_run(registry.version(version).run_id).info.artifact_uri
    return Path(url2pathname(urlparse(uri).path))


@contextmanager
def damaged(store: Path, programme: str, version: str, name: str) -> Iterator[None]:
    """Change the last byte of one stored file for a while."""
    path = bundle_folder(store, programme, version) / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        yield
    finally:
        path.write_bytes(content)
