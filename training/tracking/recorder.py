"""Recording one training job: a parent run that compares, a nested run per model."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.metadata import version as installed_version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from training.tracking.quiet import import_mlflow
from training.tracking.records import ModelRecord, ParentRecord, RecordedModel
from training.tracking.store import ensure_experiment, registered_model_name, using_store

NOTE_TAG = "mlflow.note.content"
BUNDLE_FOLDER = "bundle"
CHAMPION_ALIAS = "champion"

_MODEL_CODE = Path(__file__).with_name("offers_pyfunc.py")


class OffersRecorder:
    """The MLflow side of one training job. Use it as a context manager; an exception marks the parent run as failed."""

    def __init__(self, store: Path, programme: str, run_name: str, dataset: Mapping[str, str]) -> None:
        """Prepare the record.

        Args:
            store: Folder of the store; made where it does not exist.
            programme: Loyalty programme.
            run_name: Name of the parent run.
            dataset: ``name``, ``digest`` (fingerprint) and ``source`` of the data set.
        """
        self._store = Path(store)
        self._programme = programme
        self._run_name = run_name
        self._dataset = dict(dataset)
        self._stack = ExitStack()
        self._mlflow: Any = None
        self.model_name = registered_model_name(programme)
        self.parent_run_id = ""
        self.experiment_id = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._mlflow = stack.enter_context(using_store(self._store))
            self.experiment_id = ensure_experiment(self._mlflow, self._store, self._programme)
            run = stack.enter_context(
                self._mlflow.start_run(experiment_id=self.experiment_id, run_name=self._run_name)
            )
            self.parent_run_id = run.info.run_id
            self._log_dataset()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def record_model(self, record: ModelRecord) -> RecordedModel:
        """Record a model as a nested run and register it as a new version."""
        mlflow = self._mlflow
        with (
            tempfile.TemporaryDirectory(prefix="troth-") as temporary,
            mlflow.start_run(experiment_id=self.experiment_id, run_name=record.name, nested=True) as run,
        ):
            run_id = str(run.info.run_id)
            mlflow.set_tags({**record.tags, NOTE_TAG: record.note})
            mlflow.log_params(dict(record.parameters))
            mlflow.log_metrics(dict(record.metrics))
            self._log_dataset()
            self._log_files(record.documents, record.plots)
            bundle = Path(temporary) / BUNDLE_FOLDER
            record.write_bundle(run_id, bundle)
            mlflow.log_artifacts(str(bundle), BUNDLE_FOLDER)
            model = self._log_pyfunc(bundle, record.example_members)
            version = self._register(model, record, run_id)
        return RecordedModel(run_id=run_id, version=version)

    def record_parent(self, record: ParentRecord) -> None:
        """Record the comparison and let the alias ``champion`` point to the best model."""
        mlflow = self._mlflow
        mlflow.set_tags({**record.tags, NOTE_TAG: record.note})
        mlflow.log_metrics(dict(record.metrics))
        self._log_files(record.documents, record.plots)
        client = mlflow.MlflowClient()
        client.set_registered_model_alias(self.model_name, CHAMPION_ALIAS, record.version)
        client.update_registered_model(self.model_name, description=record.note)

    def _register(self, model: Any, record: ModelRecord, run_id: str) -> str:
        """Register a logged model as a new version; mlflow's own function for this prints to the terminal."""
        client, errors = self._mlflow.MlflowClient(), import_mlflow("mlflow.exceptions")
        try:
            client.get_registered_model(self.model_name)
        except errors.MlflowException:
            client.create_registered_model(self.model_name, tags={"troth.programme": self._programme})
        version = client.create_model_version(
            self.model_name,
            source=model.model_uri,
            run_id=run_id,
            tags=dict(record.tags),
            description=record.note,
            model_id=model.model_id,
        )
        return str(version.version)

    def _log_files(self, documents: Mapping[str, object], plots: Mapping[str, bytes]) -> None:
        for name, document in documents.items():
            self._mlflow.log_dict(document, name)
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            for name, image in plots.items():
                (Path(temporary) / name).write_bytes(image)
            if plots:
                self._mlflow.log_artifacts(temporary, "plots")

    def _log_dataset(self) -> None:
        sources = import_mlflow("mlflow.data.code_dataset_source")
        meta = import_mlflow("mlflow.data.meta_dataset")
        source = sources.CodeDatasetSource(tags={"mlflow.source.name": self._dataset["source"]})
        dataset = meta.MetaDataset(
            source=source,
            name=self._dataset["name"],
            digest=self._dataset["digest"][:32],  # the store keeps 36 characters
        )
        self._mlflow.log_input(dataset, context="training")

    def _log_pyfunc(self, bundle: Path, members: tuple[str, ...]) -> Any:
        models = import_mlflow("mlflow.models")
        types = import_mlflow("mlflow.types")
        pandas = import_mlflow("pandas")
        columns = [("string", "member_id"), ("string", "offer_id"), ("long", "rank"), ("double", "score")]
        signature = models.ModelSignature(
            inputs=types.Schema([types.ColSpec("string", "member_id")]),
            outputs=types.Schema([types.ColSpec(kind, name) for kind, name in columns]),
        )
        return self._mlflow.pyfunc.log_model(
            name="offers",
            python_model=str(_MODEL_CODE),
            artifacts={BUNDLE_FOLDER: bundle.as_uri()},
            signature=signature,
            input_example=pandas.DataFrame({"member_id": list(members)}),
            # Given explicitly, or MLflow would import the model in another process to find out.
            pip_requirements=[f"{name}=={installed_version(name)}" for name in ("mlflow", "numpy", "pandas")],
        )
