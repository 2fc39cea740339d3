"""Training jobs so small that they are made of arrays: whatever a job hands to the recorder, in milliseconds."""

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from tests.training.histories import fit_data
from training.bundle import AttributeCodes, Ids, OfferModel, Task
from training.bundle.scorers import AnyScorer, Personal, Popular
from training.evaluation import Fold, ModelEvaluation, evaluate, paired_difference
from training.evaluation.evaluation import COUNTING
from training.offers.recipe import Kind, Known, Recipe, RecipePart
from training.offers.recording import OffersRecorder
from training.offers.result import TrainedModel, TrainOffersResult, TrialRecord
from training.recommenders.frequency import DecayedFrequency, Popularity
from training.tracking import experiment_name, tracking_uri
from training.tracking.runs import JobInfo
from training.tracking.store import DATABASE, using_store

MEMBERS, OFFERS = 60, 30
JUDGED_ON = "test: 28 days from 2017-12-04"
FINGERPRINT = "0123456789abcdef" * 4


@functools.cache
def _empty_database() -> bytes:
    """Make a store once per process: laying out its tables takes MLflow several seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        with using_store(Path(temporary)) as mlflow:
            mlflow.MlflowClient().search_experiments()
        return (Path(temporary) / DATABASE).read_bytes()


def empty_store(folder: Path) -> Path:
    """Return a new store without experiments."""
    folder.mkdir(parents=True)
    (folder / DATABASE).write_bytes(_empty_database())
    return folder


def small_fold(seed: int = 1) -> Fold:
    """Members with a few favourites each, who buy some of them again and some others."""
    rng = np.random.default_rng(seed)
    favourites = [rng.choice(OFFERS, 6, replace=False) for _ in range(MEMBERS)]
    purchases = [
        (member, int(offer), float(rng.integers(1, 200)))
        for member, liked in enumerate(favourites)
        for offer in (*rng.choice(liked, 12), *rng.choice(OFFERS, 6))
    ]
    truths = np.zeros((MEMBERS, OFFERS), bool)
    for member, liked in enumerate(favourites):
        truths[member, [*rng.choice(liked, 2), *rng.choice(OFFERS, 4)]] = True
    return Fold(
        name=JUDGED_ON,
        data=fit_data(purchases, members=MEMBERS, products=OFFERS),
        cutoff=0.0,
        label_end=28.0,
        members=np.arange(MEMBERS, dtype=np.int32),
        truths=sparse.csr_matrix(truths),
        open_offers=np.ones(OFFERS, bool),
    )


def offer_model(fold: Fold, scorer: AnyScorer, task: Task = Task.REPLENISH) -> OfferModel:
    """Put a scorer beside the histories of a fold."""
    offers = Ids.of([f"offer {place:02}" for place in range(OFFERS)])
    return OfferModel(
        task=task,
        member_ids=Ids.of([f"m{place:02}" for place in range(MEMBERS)]),
        product_ids=offers,
        offer_ids=offers,
        history=fold.data.history,
        covers=fold.data.covers,
        popular_scores=Popularity().fit(fold.data, seed=0).offer_scores,
        scorer=scorer,
    )


def scorer_of(name: str, fold: Fold, seed: int = 0) -> AnyScorer:
    """Return how a model of this name scores: ``als`` knows most truths, ``bpr`` knows nothing, the others count."""
    if name == COUNTING:
        return DecayedFrequency().fit(fold.data, seed=0)
    popular = Popularity().fit(fold.data, seed=0)
    if name == "popularity":
        return Popular(popular.offer_scores)
    rng = np.random.default_rng(seed)
    knowledge = {"als": 1.0, "ease": 0.9, "bpr": 0.0}[name]
    scores = knowledge * fold.truths.toarray() + rng.random((MEMBERS, OFFERS))
    rows = sparse.csr_matrix(scores.astype(np.float32))
    return Personal(rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data, OFFERS)


def trained_model(name: str, fold: Fold, task: Task = Task.REPLENISH) -> TrainedModel:
    """Return a model with its evaluation, and two trials."""
    model = offer_model(fold, scorer_of(name, fold), task)
    judged = evaluate([model], [fold], [5, 10])
    trials = [
        TrialRecord(
            number=number,
            parameters={"strength": 0.5 + number},
            metrics={"ndcg@10": judged.metrics["ndcg@10"]},
            fit_seconds=0.25,
            score_seconds=0.5,
        )
        for number in range(2)
    ]
    # Only what counts is fitted here; the scorers of the others are made up.
    single = RecipePart.of(name, DecayedFrequency()) if name == COUNTING else None
    nothing = np.full(OFFERS, -1, np.int32)
    return TrainedModel(
        recipe=None if single is None else Recipe(Kind.SINGLE, (single,), 7, True, AttributeCodes()),
        known=Known(np.zeros((MEMBERS, 0), np.float32), np.zeros((OFFERS, 0), np.float32), nothing, nothing),
        name=name,
        summary=f"What {name} does.",
        parameters={"strength": 1.5},
        trials=trials,
        validation=judged,
        test=judged,
        fit_seconds=0.25,
        peak_memory_mib=200.0,
        model=model,
        slices={"no_history": {"ndcg@10": judged.metrics["ndcg@10"]}},
    )


def small_job(
    *, programme: str = "coffee", task: Task = Task.REPLENISH, judged_on: str = JUDGED_ON
) -> JobInfo:
    """Return what the models of a job have in common."""
    return JobInfo(
        programme=programme,
        task=str(task),
        dataset="small",
        source="tests.training.small_jobs",
        fingerprint=FINGERPRINT,
        split="choose on 28 days, test on 28 days",
        judged_on=judged_on,
        notes=("Every offer is open.",),
        metric="ndcg@10",
        ks=(5, 10),
        seed=7,
        code_version="c0ffee+changes",
        feature_time="2018-01-01T00:00:00Z",
    )


def record_job(
    store: Path,
    models: Sequence[str | TrainedModel],
    *,
    job: JobInfo | None = None,
    fold: Fold | None = None,
    champion: tuple[str, ModelEvaluation] | None = None,
) -> TrainOffersResult:
    """Record a job with these models; the best on validation becomes challenger.

    Args:
        store: Folder of the store.
        models: Models, or names for ``scorer_of``.
        job: What they have in common.
        fold: What named models are judged on.
        champion: Version of the champion and how it did on the same fold.
    """
    job = job or small_job()
    fold = fold or small_fold()
    ready = [
        trained_model(model, fold, Task(job.task)) if isinstance(model, str) else model for model in models
    ]
    by_name = {model.name: model for model in ready}
    counting = by_name.get(COUNTING)
    with OffersRecorder(store, job, "compare") as recorder:
        runs = {name: recorder.start_model(name) for name in by_name}
        for name, model in by_name.items():
            for trial in model.trials:
                runs[name].log_trial(trial)
        recorded = {name: runs[name].finish(model, by_name) for name, model in by_name.items()}
        if champion is not None:
            recorder.record_champion_cases(*champion)
        result = TrainOffersResult(
            job=job,
            models=tuple(ready),
            best=max(ready, key=lambda model: model.validation.metrics[job.metric].value).name,
            run_ids={name: record.run_id for name, record in recorded.items()},
            versions={name: record.version for name, record in recorded.items()},
            parent_run_id=recorder.parent_run_id,
            experiment_id=recorder.experiment_id,
            experiment_name=experiment_name(job.programme),
            tracking_uri=tracking_uri(store),
            registered_model=recorder.model_name,
            differences={
                name: paired_difference(model.judged, counting.judged, job.metric)
                for name, model in by_name.items()
                if counting is not None and name != COUNTING
            },
        )
        recorder.finish(result)
    return result
