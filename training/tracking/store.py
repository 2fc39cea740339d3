"""Where runs and models are kept: one SQLite file with a folder of artifacts beside it; and how mlflow is imported."""

import importlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from training.bundle.manifest import ACTIONS
from training.bundle.model import Task
from training.errors import RegistryError, TrainingError

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # MLflow asks GitPython for the commit; without a git program that import would print a paragraph.
    "GIT_PYTHON_REFRESH": "quiet",
}


def import_mlflow(name: str = "mlflow") -> ModuleType:
    """Return mlflow or one of its modules; settings the user made in the environment stay in force."""
    for variable, value in _SETTINGS.items():
        os.environ.setdefault(variable, value)
    module = importlib.import_module(name)
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    return module


DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
_PROGRAMME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# Without it MLflow's pages open in the view for language models.
_SHOWN_AS_TRAINING = {"mlflow.experimentKind": "custom_model_development"}


def tracking_uri(store: Path) -> str:
    """Return the address of a store, as ``mlflow ui --backend-store-uri`` takes it."""
    return f"sqlite:///{Path(store).resolve() / DATABASE}"


def experiment_name(programme: str, kind: str = "offers") -> str:
    """Return the name of a programme's experiment on offers, or on what another kind of job makes."""
    return f"troth/{_check_programme(programme)}/{kind}"


def registered_model_name(programme: str, task: str) -> str:
    """Return the name under which a programme's offer models of a task, or its action models, are registered.

    Raises:
        TrainingError: The programme cannot name a model.
        RegistryError: There is no such task.
    """
    if task == ACTIONS:
        return f"troth-{_check_programme(programme)}-actions"
    if task not in tuple(Task):
        raise RegistryError(
            f"There is no task {task!r}; choose from {', '.join((*Task, ACTIONS))}.", task=task
        )
    return f"troth-{_check_programme(programme)}-offers-{task}"


def existing_client(store: Path) -> Any:
    """Return a client of a store that must exist.

    Raises:
        RegistryError: There is no store in that folder.
    """
    if not (Path(store) / DATABASE).is_file():
        raise RegistryError(
            f"There is no model store in {store}: {DATABASE} is missing. Train a model first.",
            store=str(store),
        )
    uri = tracking_uri(store)
    return import_mlflow("mlflow.tracking").MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def using_store(store: Path) -> Iterator[Any]:
    """Make a store, where it does not exist, and let mlflow's functions work on it for a while.

    Yields:
        The module mlflow.

    Raises:
        TrainingError: The folder cannot be made or written to.
    """
    store = Path(store).resolve()
    if "?" in str(store) or "%" in str(store):
        # Both mean something else inside a database address.
        raise TrainingError(f"The store {store} cannot be used: its path has a '?' or '%'.", store=str(store))
    try:
        (store / ARTIFACTS).mkdir(parents=True, exist_ok=True)
        (store / DATABASE).touch()
    except OSError as error:
        raise TrainingError(f"The store {store} cannot be written: {error}.", store=str(store)) from error
    mlflow = import_mlflow()
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(tracking_uri(store))
    mlflow.set_registry_uri(tracking_uri(store))
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


def ensure_experiment(mlflow: Any, store: Path, programme: str) -> str:
    """Find a programme's MLflow experiment, made or brought back where needed.

    Args:
        mlflow: The module.
        store: Folder of the store.
        programme: The loyalty programme.

    Returns:
        The experiment's id.
    """
    return job_experiment(mlflow, store, programme, "offers")[0]


def job_experiment(mlflow: Any, store: Path, programme: str, kind: str) -> tuple[str, str]:
    """Find a programme's MLflow experiment for a kind of job, made or brought back where needed.

    Args:
        mlflow: The module.
        store: Folder of the MLflow store.
        programme: The loyalty programme.
        kind: The kind of job.

    Returns:
        Its id and its name.
    """
    client, name = mlflow.MlflowClient(), experiment_name(programme, kind)
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = (Path(store).resolve() / ARTIFACTS).as_uri()
        made = client.create_experiment(name, artifact_location=location, tags=_SHOWN_AS_TRAINING)
        return str(made), name
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id), name


def _check_programme(programme: str) -> str:
    if not _PROGRAMME.fullmatch(programme):
        raise TrainingError(
            f"The programme {programme!r} cannot name a model: use 1 to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit.",
            programme=programme,
        )
    return programme
