"""The models that serve, one for each task and one for actions: opened from the pulled folder, swapped when another was pulled.

`troth models pull` keeps ``<models>/<programme>/offers/<task>/champion``, and ``<models>/<programme>/actions/champion``, pointing at a
complete bundle and moves it in one step. The watcher looks at where it points; it opens and checks the new bundle beside the old one, then swaps. A bundle that
cannot be used leaves the old one serving, and one task's bundle never touches another's.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from training.bundle import (
    ActionBundle,
    Bundle,
    BundleError,
    Manifest,
    Task,
    open_action_bundle,
    open_bundle,
)

ACTIONS = "actions"
"""Stands for the task of action models, which have none."""

_log = logging.getLogger("troth.models")


def champion_folder(models: Path, programme: str, task: Task) -> Path:
    """Return where the champion of a programme's task is pulled to.

    Args:
        models: The folder of pulled models.
        programme: The loyalty programme.
        task: The task.
    """
    return models / programme / "offers" / task.value / "champion"


def open_champions(models: Path, programme: str) -> dict[Task, Bundle]:
    """Open the pulled champion of each task that has one.

    Raises:
        BundleError: One of them cannot be used.
    """
    links = {task: champion_folder(models, programme, task) for task in Task}
    return {
        task: open_for(programme, task, link.resolve())
        for task, link in links.items()
        if os.path.lexists(link)
    }


def actions_folder(models: Path, programme: str) -> Path:
    """Return where the champion of a programme's action models is pulled to."""
    return models / programme / ACTIONS / "champion"


def open_actions(models: Path, programme: str) -> ActionBundle | None:
    """Open the pulled champion of the action models, if there is one.

    Raises:
        BundleError: It cannot be used.
    """
    link = actions_folder(models, programme)
    return open_actions_at(programme, link.resolve()) if os.path.lexists(link) else None


def open_actions_at(programme: str, path: Path) -> ActionBundle:
    """Open a bundle of an action model.

    Raises:
        BundleError: It cannot be used, or is another programme's.
    """
    bundle = open_action_bundle(path)
    _check_programme(programme, path, bundle.manifest)
    return bundle


def find_actions(models: Path, programme: str, model_version: str) -> ActionBundle | None:
    """Return the pulled action model of a version; see ``find_bundle``.

    Args:
        models: The folder of pulled models.
        programme: The loyalty programme.
        model_version: The version.
    """
    for folder in _pulled(actions_folder(models, programme)):
        try:
            bundle = open_actions_at(programme, folder)
        except BundleError:
            continue
        if bundle.manifest.model_version == model_version:
            return bundle
    return None


def find_bundle(models: Path, programme: str, task: Task, model_version: str) -> Bundle | None:
    """Return the pulled bundle of a version, the champion or an earlier one; ``None`` if it is not there or cannot be used.

    Args:
        models: The folder of pulled models.
        programme: The loyalty programme.
        task: The task.
        model_version: The version.
    """
    for folder in _pulled(champion_folder(models, programme, task)):
        try:
            bundle = open_for(programme, task, folder)
        except BundleError:
            continue
        if bundle.manifest.model_version == model_version:
            return bundle
    return None


def _pulled(link: Path) -> list[Path]:
    return [link.resolve(), *sorted((link.parent / "versions").glob("*"))]


def _check_programme(programme: str, path: Path, manifest: Manifest) -> None:
    if manifest.programme != programme:
        raise BundleError(
            f"The bundle {path} was trained for programme {manifest.programme!r}, not {programme!r}."
        )


def open_for(programme: str, task: Task, path: Path) -> Bundle:
    """Open a bundle of a task's model.

    Args:
        programme: The loyalty programme.
        task: The task.
        path: The bundle's folder.

    Returns:
        The opened bundle.

    Raises:
        BundleError: It cannot be used, or is another programme's or task's.
    """
    bundle = open_bundle(path)
    _check_programme(programme, path, bundle.manifest)
    if bundle.manifest.task != task or bundle.model.task is not task:
        raise BundleError(
            f"The bundle {path} was trained for the task {bundle.manifest.task!r}, not {task.value!r}."
        )
    return bundle


@dataclass(slots=True)
class Watched:
    """A model to look for.

    Attributes:
        programme: The loyalty programme.
        task: Its task, or ``actions``.
        link: Where its champion is pulled to.
        opened: Path of the bundle that serves now; ``None`` if none does.
        swap: Opens the bundle of a folder and lets it serve; returns its version.
    """

    programme: str
    task: str
    link: Path
    opened: Path | None
    swap: Callable[[Path], str]


class ModelWatcher:
    """Looks for newly pulled models in the background.

    Args:
        watched: What to look for.
        interval: Seconds between looks.
    """

    def __init__(self, watched: Iterable[Watched], interval: float) -> None:
        self._watched = tuple(watched)
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._interval):
            for one in self._watched:
                try:
                    look(one)
                except Exception:  # noqa: BLE001 the watcher must live on
                    _log.exception("looking for a new model failed")


def look(watched: Watched) -> None:
    """Let what was pulled since serve; what cannot be used is told once, and the model before goes on serving."""
    if not os.path.lexists(watched.link):
        return
    target = watched.link.resolve()
    if target == watched.opened:
        return
    fields = {"programme": watched.programme, "task": watched.task}
    try:
        version = watched.swap(target)
    except BundleError as error:
        # Told once, not at every look.
        watched.opened = target
        _log.error(
            "new model not used, the old one goes on serving",
            extra={"fields": {**fields, "problem": error.message}},
        )
        return
    watched.opened = target
    _log.info("new model serves", extra={"fields": {**fields, "model_version": version}})
