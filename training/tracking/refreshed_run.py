"""The run of a refreshed model: what it was made of, and the evidence of the version it goes back to."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.bundle import Manifest, OfferModel
from training.offers_result import COUNTING, JobInfo
from training.recipe import Known, Recipe
from training.tracking.evidence import CASES_FILE, PARITY_FILE, parity_of, write_parity
from training.tracking.quiet import import_mlflow
from training.tracking.recipes import write_recipe
from training.tracking.records import RecordedModel, metric_key, model_version
from training.tracking.registering import register_version, store_model
from training.tracking.registry import (
    EVIDENCE_TAG,
    FEATURE_TIME_TAG,
    REFRESHED_FROM_TAG,
    RegisteredVersion,
)
from training.tracking.runs import COUNTING_RUN_TAG, NOTE_TAG, RunContext, job_tags
from training.tracking.store import ensure_experiment, registered_model_name, using_store


@dataclass(frozen=True, eq=False)
class RefreshedModel:
    """A champion with later purchases, and how it came about.

    Attributes:
        model: The model.
        recipe: How to fit it again.
        known: What such a fit looks at beside histories.
        metrics: Numbers of the refresh.
        tags: Texts of the refresh.
        note: What to say of it, in Markdown.
    """

    model: OfferModel
    recipe: Recipe
    known: Known
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str


def record_refreshed(
    store: Path, job: JobInfo, origin: RegisteredVersion, manifest: Manifest, refreshed: RefreshedModel
) -> RecordedModel:
    """Record a refreshed model as a run of its own and register it as a new version.

    Its settings and its evaluation are those of the version it was refreshed from.

    Args:
        store: Folder of the store.
        job: What was done; ``judged_on`` and ``metric`` are those of the evaluation.
        origin: The version that purchases were added to.
        manifest: Of its bundle.
        refreshed: The model.
    """
    with using_store(store) as mlflow:
        context = RunContext(
            client=mlflow.MlflowClient(),
            experiment_id=ensure_experiment(mlflow, store, job.programme),
            parent_run_id="",
            registered_name=registered_model_name(job.programme, job.task),
            job=job,
        )
        tags = {
            **job_tags(job),
            "troth.model": origin.model,
            REFRESHED_FROM_TAG: origin.version,
            EVIDENCE_TAG: origin.evidence_from,
            FEATURE_TIME_TAG: job.feature_time,
            **refreshed.tags,
        }
        run_id = context.start(f"{job.task}/{origin.model}, refreshed", "", tags)
        # The run must be the active one: MLflow puts a model into the experiment of the active run, or else into its own
        # "Default", whose files lie in the working directory.
        with mlflow.start_run(run_id=run_id):
            version = _record(
                context, run_id, tags=tags, origin=origin, manifest=manifest, refreshed=refreshed
            )
        return RecordedModel(run_id, version, model_version(origin.model, run_id))


def _record(
    context: RunContext,
    run_id: str,
    *,
    tags: Mapping[str, str],
    origin: RegisteredVersion,
    manifest: Manifest,
    refreshed: RefreshedModel,
) -> str:
    context.log_dataset(run_id)
    model = store_model(
        context,
        run_id,
        origin.model,
        refreshed.model,
        parameters=manifest.parameters,
        metrics=manifest.metrics,
    )
    with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
        folder = Path(temporary)
        write_recipe(folder, refreshed.recipe, refreshed.known)
        write_parity(folder / PARITY_FILE, parity_of(refreshed.model, context.job.seed))
        _copy(context.client, origin.run_id, CASES_FILE, folder)
        context.client.log_artifacts(run_id, str(folder))
    # What the job of the first version measured is where the gate and comparisons look for it.
    job_run = context.client.get_run(origin.parent_run_id or origin.run_id).data.tags
    counted = {name: job_run[name] for name in (COUNTING_RUN_TAG,) if name in job_run}
    context.log(
        run_id,
        metrics={**_inherited(origin), **refreshed.metrics},
        parameters=manifest.parameters,
        tags={NOTE_TAG: refreshed.note, **counted},
        model_id=model.model_id,
    )
    return register_version(context, run_id, model, refreshed.note, tags)


def _inherited(origin: RegisteredVersion) -> dict[str, float]:
    """Return the evaluation of the version that was refreshed."""
    deciding = metric_key(origin.metric)
    kept = ("validation_", "test_", f"difference_to_{COUNTING}")
    return {
        name: value
        for name, value in origin.metrics.items()
        if name.startswith(kept) or name in {deciding, f"{deciding}_se"}
    }


def _copy(client: Any, run_id: str, name: str, folder: Path) -> None:
    """Copy an artifact of another run, if it is there."""
    errors = import_mlflow("mlflow.exceptions")
    try:
        client.download_artifacts(run_id, name, str(folder))
    except (errors.MlflowException, OSError):
        return
