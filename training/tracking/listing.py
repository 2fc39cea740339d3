"""The registries of a programme, and their versions in one list."""

from pathlib import Path

from training.bundle import Task
from training.bundle.manifest import ACTIONS
from training.errors import RegistryError
from training.tracking.registry import ModelRegistry, RegisteredVersion


def list_models(store: Path, programme: str = "default", task: str | None = None) -> list[RegisteredVersion]:
    """Return all versions of a programme's models, those for offers task by task and then those for actions, the newest first.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        task: Only the models of this task; of all tasks by default.

    Raises:
        RegistryError: There is no store in that folder, or it has no such model.
    """
    if task is not None:
        return ModelRegistry(store, programme, task).versions()
    return [version for registry in existing_registries(store, programme) for version in registry.versions()]


def existing_registries(store: Path, programme: str) -> list[ModelRegistry]:
    """Return the registries of the tasks that a programme has models for, and of its actions.

    Raises:
        RegistryError: There is no store in that folder, or it has no model of this programme.
    """
    registries = [ModelRegistry(store, programme, task) for task in (*Task, ACTIONS)]
    found = [registry for registry in registries if registry.exists()]
    if not found:
        raise RegistryError(
            f"There is no model of programme {programme} in {store}.", programme=programme, store=str(store)
        )
    return found
