"""Runs, written through MLflow's client with explicit ids, so that several can be open at once: of models, and of jobs that fit none."""

import json
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.stats.estimate import Estimate
from training.tracking.store import import_mlflow, job_experiment, tracking_uri, using_store


@dataclass(frozen=True, eq=False)
class JobInfo:
    """What all models of a job have in common.

    Attributes:
        programme: Loyalty programme.
        task: What the models are for.
        dataset: Name of the data set.
        source: Where it came from.
        fingerprint: SHA-256 of the data.
        split: What was used for what, in words.
        judged_on: Names the cases that models are judged on; two evaluations are comparable when it is equal.
        notes: Rules that shaped data and split, in words.
        metric: The metric that decides, such as ``ndcg@10``.
        ks: Lengths of lists.
        seed: Seed of everything random.
        code_version: Git commit, or ``unknown``.
        feature_time: The moment that the histories of the served models reach to, RFC 3339 in UTC.
    """

    programme: str
    task: str
    dataset: str
    source: str
    fingerprint: str
    split: str
    judged_on: str
    notes: tuple[str, ...]
    metric: str
    ks: tuple[int, ...]
    seed: int
    code_version: str
    feature_time: str


@dataclass(frozen=True)
class RecordedModel:
    """Where a model was recorded.

    Attributes:
        run_id: MLflow run.
        version: Version in the registry, ascending from 1 within a task.
        model_version: Unique name of the fitted model, under which decisions log it.
    """

    run_id: str
    version: str
    model_version: str


def model_version(model: str, run_id: str) -> str:
    """Return the name under which decisions log a model."""
    return f"{model}@{run_id[:12]}"


def metric_key(metric: str) -> str:
    """Return the name of a metric in MLflow, which refuses ``@``: ``ndcg@10`` is ``ndcg_at_10`` there."""
    return metric.replace("@", "_at_")


UNKNOWN = "unknown"


def code_version() -> str:
    """Return the Git commit of this source tree, with ``+changes`` where files differ from it, or ``unknown``."""
    root = Path(__file__).resolve().parents[2]
    git = shutil.which("git")
    # Inside somebody else's repository (a virtual environment, say) git would answer for that one.
    if git is None or not (root / ".git").exists():
        return UNKNOWN
    commit = _run([git, "-C", str(root), "rev-parse", "HEAD"])
    if not commit:
        return UNKNOWN
    changed = _run([git, "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return f"{commit}+changes" if changed else commit


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


NOTE_TAG = "mlflow.note.content"
PARENT_TAG = "mlflow.parentRunId"
COUNTING_RUN_TAG = "troth.counting_run_id"
MEASURED_CHAMPION_TAG = "troth.champion_measured"
_DIGEST_LENGTH = 32  # the store keeps 36 characters; the whole fingerprint is a tag


@dataclass(frozen=True)
class RunContext:
    """What all runs of a job share.

    Attributes:
        client: MLflow client of the store.
        experiment_id: Experiment of the programme.
        parent_run_id: Run that compares the models.
        registered_name: Name of the registered model.
        job: What all models of the job have in common.
    """

    client: Any
    experiment_id: str
    parent_run_id: str
    registered_name: str
    job: JobInfo

    def start(
        self, name: str, parent_run_id: str, tags: Mapping[str, str], *, seconds_ago: float = 0.0
    ) -> str:
        """Open a run, below another one if one is named, and return its id.

        Args:
            name: Name of the run.
            parent_run_id: The run above, or empty.
            tags: Its tags.
            seconds_ago: How long ago its work began, in seconds.

        Returns:
            The run's id.
        """
        context = import_mlflow("mlflow.tracking.context.registry")
        above = {PARENT_TAG: parent_run_id} if parent_run_id else {}
        run = self.client.create_run(
            self.experiment_id,
            start_time=int((time.time() - seconds_ago) * 1000),
            tags=context.resolve_tags({**tags, **above}),
            run_name=name,
        )
        return str(run.info.run_id)

    def end(self, run_id: str, *, failed: bool = False) -> None:
        """Close a run."""
        self.client.set_terminated(run_id, "FAILED" if failed else "FINISHED")

    def log(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        parameters: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        model_id: str | None = None,
    ) -> None:
        """Log in one transaction; numbers that are not finite are left out.

        Args:
            run_id: The run.
            metrics: Number by name.
            parameters: Value by name.
            tags: Text by name.
            model_id: Logged model that the metrics are of, so that models can be ordered by them.
        """
        entities, now = import_mlflow("mlflow.entities"), int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[
                entities.Metric(metric_key(name), float(value), now, 0, model_id=model_id, run_id=run_id)
                for name, value in (metrics or {}).items()
                if math.isfinite(value)
            ],
            params=[entities.Param(name, str(value)) for name, value in (parameters or {}).items()],
            tags=[entities.RunTag(name, value) for name, value in (tags or {}).items()],
        )

    def log_dataset(self, run_id: str) -> None:
        """Say which data a run is about."""
        entities, job = import_mlflow("mlflow.entities"), self.job
        dataset = entities.Dataset(
            name=job.dataset,
            digest=job.fingerprint[:_DIGEST_LENGTH],
            source_type="code",
            source=json.dumps({"tags": {"mlflow.source.name": job.source}}),
        )
        context = entities.InputTag("mlflow.data.context", "training")
        self.client.log_inputs(run_id, [entities.DatasetInput(dataset, [context])])


def job_tags(job: JobInfo) -> dict[str, str]:
    """Return the tags that every run and version of a job carries."""
    tags = {
        "troth.task": job.task,
        "troth.programme": job.programme,
        "troth.split": job.split,
        "troth.data_fingerprint": job.fingerprint,
        "troth.code_version": job.code_version,
        "troth.judged_on": job.judged_on,
        "troth.metric": job.metric,
        "troth.seed": str(job.seed),
    }
    if job.code_version != UNKNOWN:
        tags["mlflow.source.git.commit"] = job.code_version.removesuffix("+changes")
    return tags


def flat(estimates: Mapping[str, Estimate], prefix: str = "") -> dict[str, float]:
    """Return values and, as ``<name>_se``, standard errors by name."""
    return {
        f"{prefix}{name}{suffix}": number
        for name, estimate in estimates.items()
        for suffix, number in (("", estimate.value), ("_se", estimate.standard_error))
    }


@dataclass(frozen=True, slots=True)
class JobRun:
    """A run as its job sees it.

    Attributes:
        run_id: MLflow run.
        experiment_id: Its experiment.
        experiment_name: The experiment's name.
        tracking_uri: Address of the store.
        mlflow: The module, set to the store.
    """

    run_id: str
    experiment_id: str
    experiment_name: str
    tracking_uri: str
    mlflow: Any = field(repr=False)

    def log_data(self, name: str, fingerprint: str, source: str) -> None:
        """Say which data the run is about.

        Args:
            name: Of the table.
            fingerprint: SHA-256 of the data.
            source: Where it lies.
        """
        entities = import_mlflow("mlflow.entities")
        dataset = entities.Dataset(
            name=name,
            digest=fingerprint[:_DIGEST_LENGTH],
            source_type="code",
            source=json.dumps({"tags": {"mlflow.source.name": source}}),
        )
        context = entities.InputTag("mlflow.data.context", "training")
        client = self.mlflow.MlflowClient()
        client.log_inputs(self.run_id, [entities.DatasetInput(dataset, [context])])
        client.set_tag(self.run_id, "troth.data_fingerprint", fingerprint)

    def log(
        self,
        *,
        parameters: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        note: str = "",
    ) -> None:
        """Log settings, numbers (those that are not finite are left out) and a note in Markdown.

        Args:
            parameters: Settings by name.
            metrics: Numbers by name.
            note: In Markdown.
        """
        finite = {
            metric_key(name): float(value)
            for name, value in (metrics or {}).items()
            if value == value and abs(value) != float("inf")  # noqa: PLR0124  # NaN
        }
        self.mlflow.log_params({name: str(value) for name, value in (parameters or {}).items()})
        self.mlflow.log_metrics(finite)
        if note:
            self.mlflow.set_tag(NOTE_TAG, note)

    def log_files(self, files: Mapping[str, bytes]) -> None:
        """Keep files with the run, by their path below it."""
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            for name, content in files.items():
                path = Path(temporary) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.mlflow.log_artifacts(temporary)


@contextmanager
def job_run(store: Path, programme: str, kind: str, name: str) -> Iterator[JobRun]:
    """Open a run of a job; an exception marks it as failed.

    Args:
        store: Folder of the store; made where it does not exist.
        programme: Loyalty programme.
        kind: What the job makes, such as ``actions``; it has an experiment of its own.
        name: Name of the run.

    Returns:
        The open run.

    Raises:
        TrainingError: The store cannot be made, or the programme cannot name an experiment.
    """
    with using_store(store) as mlflow:
        experiment_id, experiment = job_experiment(mlflow, store, programme, kind)
        version = code_version()
        tags = {"troth.programme": programme, "troth.job": kind, "troth.code_version": version}
        if version != UNKNOWN:
            tags["mlflow.source.git.commit"] = version.removesuffix("+changes")
        with mlflow.start_run(experiment_id=experiment_id, run_name=name, tags=tags) as run:
            yield JobRun(str(run.info.run_id), experiment_id, experiment, tracking_uri(store), mlflow)
