"""The MLflow runs of a training job: one that compares, below it one per model, below that one per trial; and of refreshed models."""

import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from training.bundle import Manifest, OfferModel
from training.evaluation import ModelEvaluation, paired_difference
from training.evaluation.evaluation import COUNTING, estimates_json
from training.offers.model_cards import comparison_chart, comparison_note, model_card, model_plots
from training.offers.recipe import Known, Recipe, write_recipe
from training.offers.result import TrainedModel, TrainOffersResult, TrialRecord
from training.tracking.evidence import (
    CASES_FILE,
    CHAMPION_CASES_FILE,
    PARITY_FILE,
    parity_of,
    write_cases,
    write_parity,
)
from training.tracking.registry import (
    CHALLENGER_ALIAS,
    EVIDENCE_TAG,
    FEATURE_TIME_TAG,
    REFRESHED_FROM_TAG,
    RegisteredVersion,
    register_version,
    store_model,
)
from training.tracking.runs import (
    COUNTING_RUN_TAG,
    MEASURED_CHAMPION_TAG,
    NOTE_TAG,
    JobInfo,
    RecordedModel,
    RunContext,
    flat,
    job_tags,
    metric_key,
    model_version,
)
from training.tracking.store import ensure_experiment, import_mlflow, registered_model_name, using_store


class ModelRun:
    """The record of one model, open until ``finish``. Several may be open at once.

    Attributes:
        name: Name of the model.
        run_id: MLflow run.
        open: Whether it is not finished yet.
    """

    def __init__(self, context: RunContext, name: str) -> None:
        self.name = name
        self._context = context
        self._tags = job_tags(context.job) | {"troth.model": name}
        self.run_id = context.start(f"{context.job.task}/{name}", context.parent_run_id, self._tags)
        self.open = True
        context.log_dataset(self.run_id)

    def log_trial(self, trial: TrialRecord) -> None:
        """Record a setting that was tried, as a finished run below this one."""
        context, seconds = self._context, trial.fit_seconds + trial.score_seconds
        run_id = context.start(f"trial {trial.number}", self.run_id, self._tags, seconds_ago=seconds)
        try:
            times = {"fit_seconds": trial.fit_seconds, "score_seconds": trial.score_seconds}
            context.log(run_id, metrics=flat(trial.metrics) | times, parameters=trial.parameters)
        except BaseException:
            context.end(run_id, failed=True)
            raise
        context.end(run_id)

    def finish(self, trained: TrainedModel, baselines: Mapping[str, TrainedModel]) -> RecordedModel:
        """Record how the model did, store it, register it as a new version, and close the run.

        Args:
            trained: The model.
            baselines: Models to compare it with, by name; ``decayed_frequency`` where the job has it.
        """
        context, job = self._context, self._context.job
        counting = baselines.get(COUNTING) if trained.name != COUNTING else None
        note = model_card(trained, job, counting)
        model = store_model(
            context,
            self.run_id,
            self.name,
            trained.model,
            parameters=trained.parameters,
            metrics=flat(trained.judged.metrics),
        )
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            files = Path(temporary) / "files"
            self._write_files(trained, counting, files)
            context.client.log_artifacts(self.run_id, str(files))
        context.log(
            self.run_id,
            metrics=_metrics(trained, counting, job.metric),
            parameters=trained.parameters,
            tags={NOTE_TAG: note},
            model_id=model.model_id,
        )
        version = register_version(context, self.run_id, model, note, self._tags)
        self.close()
        return RecordedModel(self.run_id, version, model_version(self.name, self.run_id))

    def leave_out(self, reason: str) -> None:
        """Close the run of a model that cannot be fitted on this data; its note says why."""
        self._context.log(self.run_id, tags={NOTE_TAG: f"Left out: {reason}"})
        self.close()

    def close(self, *, failed: bool = False) -> None:
        """Close the run."""
        self.open = False
        self._context.end(self.run_id, failed=failed)

    def _write_files(self, trained: TrainedModel, counting: TrainedModel | None, folder: Path) -> None:
        """Write the artifacts of the run into a new folder."""
        plots = model_plots(trained, self._context.job, counting)
        (folder / "plots").mkdir(parents=True)
        for name, image in plots.items():
            (folder / "plots" / name).write_bytes(image)
        write_cases(folder / CASES_FILE, trained.judged, trained.model.member_ids)
        write_parity(folder / PARITY_FILE, parity_of(trained.model, self._context.job.seed))
        if trained.recipe is not None and trained.known is not None:
            write_recipe(folder, trained.recipe, trained.known)
        documents: dict[str, object] = {"trials.json": [_trial_json(trial) for trial in trained.trials]}
        if trained.slices:
            documents["slices.json"] = {
                name: estimates_json(estimates) for name, estimates in trained.slices.items()
            }
        if trained.gains:
            documents["gains.json"] = dict(trained.gains)
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _metrics(trained: TrainedModel, counting: TrainedModel | None, metric: str) -> dict[str, float]:
    """Return the numbers of a model's run: both windows, the deciding one, times and slices."""
    metrics = flat(trained.validation.metrics, "validation_")
    if trained.test is not None:
        metrics |= flat(trained.test.metrics, "test_")
    metrics |= flat({metric: trained.judged.metrics[metric]})
    if counting is not None:
        delta = paired_difference(trained.judged, counting.judged, metric)
        metrics |= flat({f"difference_to_{COUNTING}": delta})
    for name, estimates in trained.slices.items():
        metrics |= flat(estimates, f"slices/{name}/")
    return metrics | {"fit_seconds": trained.fit_seconds, "peak_memory_mib": trained.peak_memory_mib}


def _trial_json(trial: TrialRecord) -> dict[str, object]:
    return {
        "number": trial.number,
        "parameters": dict(trial.parameters),
        "metrics": estimates_json(trial.metrics),
        "fit_seconds": round(trial.fit_seconds, 3),
        "score_seconds": round(trial.score_seconds, 3),
    }


class OffersRecorder:
    """The MLflow side of one training job. Use it as a context manager; an exception marks the open runs as failed.

    Attributes:
        job: What all models of the job have in common.
        model_name: Name of the registered model.
        parent_run_id: Run that compares the models.
        experiment_id: MLflow experiment.
    """

    def __init__(self, store: Path, job: JobInfo, run_name: str) -> None:
        """Prepare the record.

        Args:
            store: Folder of the store; made where it does not exist.
            job: What all models of the job have in common.
            run_name: Name of the run that compares the models.

        Raises:
            TrainingError: The programme cannot name a model.
        """
        self.job = job
        self.model_name = registered_model_name(job.programme, job.task)
        self.parent_run_id = ""
        self.experiment_id = ""
        self._store = Path(store)
        self._run_name = run_name
        self._stack = ExitStack()
        self._context: RunContext | None = None
        self._models: list[ModelRun] = []
        self._champion: tuple[str, ModelEvaluation] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            mlflow = stack.enter_context(using_store(self._store))
            self.experiment_id = ensure_experiment(mlflow, self._store, self.job.programme)
            run = stack.enter_context(
                mlflow.start_run(
                    experiment_id=self.experiment_id,
                    run_name=self._run_name,
                    tags=job_tags(self.job),
                    log_system_metrics=True,
                )
            )
            self.parent_run_id = str(run.info.run_id)
            context = RunContext(
                client=mlflow.MlflowClient(),
                experiment_id=self.experiment_id,
                parent_run_id=self.parent_run_id,
                registered_name=self.model_name,
                job=self.job,
            )
            context.log_dataset(self.parent_run_id)
            self._context = context
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for model in self._models:
                if model.open:
                    model.close(failed=True)
        finally:
            self._stack.__exit__(kind, error, trace)

    def start_model(self, name: str) -> ModelRun:
        """Open the run of a model; several may be open at once."""
        model = ModelRun(self._entered(), name)
        self._models.append(model)
        return model

    def record_champion_cases(self, version: str, evaluation: ModelEvaluation) -> None:
        """Keep how the current champion did on the cases of this job, so that the gate can compare.

        Args:
            version: The champion's version in the registry.
            evaluation: How its bundle did on the folds that the models of this job are judged on.
        """
        self._champion = version, evaluation

    def finish(self, result: TrainOffersResult) -> None:
        """Record the comparison and let the alias ``challenger`` point to the best model."""
        context = self._entered()
        best, note = result.model(result.best), comparison_note(result)
        tags = {NOTE_TAG: note, "troth.best": result.best}
        if COUNTING in result.run_ids:
            tags[COUNTING_RUN_TAG] = result.run_ids[COUNTING]
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            folder = Path(temporary)
            (folder / "plots").mkdir()
            (folder / "plots" / "comparison.png").write_bytes(comparison_chart(result))
            document = json.dumps(result.to_json(), indent=2, ensure_ascii=False)
            (folder / "comparison.json").write_text(document + "\n", encoding="utf-8")
            tags |= self._write_champion(folder, best.model)
            context.client.log_artifacts(self.parent_run_id, str(folder))
        metrics = flat(best.judged.metrics) | flat(best.validation.metrics, "validation_")
        context.log(self.parent_run_id, metrics=metrics, tags=tags)
        context.client.set_registered_model_alias(
            self.model_name, CHALLENGER_ALIAS, result.versions[result.best]
        )
        context.client.update_registered_model(self.model_name, description=note)

    def _write_champion(self, folder: Path, model: OfferModel) -> dict[str, str]:
        if self._champion is None:
            return {}
        version, evaluation = self._champion
        write_cases(folder / CHAMPION_CASES_FILE, evaluation, model.member_ids)
        return {MEASURED_CHAMPION_TAG: version}

    def _entered(self) -> RunContext:
        if self._context is None:
            raise RuntimeError("The recorder must be entered first: with OffersRecorder(…) as recorder.")
        return self._context


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

    Returns:
        Where it was recorded.
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
