"""One run of a job that fits no recommender: what it was given, what it found, and what it made."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.tracking.runs import NOTE_TAG, UNKNOWN, code_version, metric_key
from training.tracking.store import import_mlflow, job_experiment, tracking_uri, using_store

_DIGEST_LENGTH = 32


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
