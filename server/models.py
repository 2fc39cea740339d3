"""The models that serve, one for each task: opened from the pulled folder, swapped when another one was pulled.

`troth models pull` keeps ``<models>/<programme>/offers/<task>/champion`` pointing at a complete bundle and moves it in one
step. The watcher looks at where it points; it opens and checks the new bundle beside the old one, then swaps. A bundle that
cannot be used leaves the old one serving, and one task's bundle never touches another's.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from training.bundle import Bundle, BundleError, Task, open_bundle

_log = logging.getLogger("troth.models")


def champion_folder(models: Path, programme: str, task: Task) -> Path:
    """Return where the champion of a programme's task is pulled to."""
    return models / programme / "offers" / task.value / "champion"


def open_champions(models: Path, programme: str) -> dict[Task, Bundle]:
    """Open the pulled champion of each task that has one.

    Raises:
        BundleError: One of them cannot be used.
    """
    links = {task: champion_folder(models, programme, task) for task in Task}
    return {
        task: _open_for(programme, task, link.resolve())
        for task, link in links.items()
        if os.path.lexists(link)
    }


def find_bundle(models: Path, programme: str, task: Task, model_version: str) -> Bundle | None:
    """Return the pulled bundle of a version, the champion or an earlier one; none if it is not there or cannot be used."""
    link = champion_folder(models, programme, task)
    folders = [link.resolve(), *sorted((link.parent / "versions").glob("*"))]
    for folder in folders:
        try:
            bundle = _open_for(programme, task, folder)
        except BundleError:
            continue
        if bundle.manifest.model_version == model_version:
            return bundle
    return None


def _open_for(programme: str, task: Task, path: Path) -> Bundle:
    bundle = open_bundle(path)
    if bundle.manifest.programme != programme:
        raise BundleError(
            f"The bundle {path} was trained for programme {bundle.manifest.programme!r}, not {programme!r}."
        )
    if bundle.manifest.task != task or bundle.model.task is not task:
        raise BundleError(
            f"The bundle {path} was trained for the task {bundle.manifest.task!r}, not {task.value!r}."
        )
    return bundle


class ModelWatcher:
    """Looks for newly pulled models in the background.

    Args:
        folders: The models folder of each programme that has one.
        opened: Path of the bundle that each programme serves now for each task that has one.
        swap: Called with programme, task and newly opened bundle.
        interval: Seconds between looks.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        opened: Mapping[tuple[str, Task], Path],
        swap: Callable[[str, Task, Bundle], None],
        interval: float,
    ) -> None:
        self._folders = dict(folders)
        self._seen = dict(opened)
        self._swap = swap
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
            for programme, folder in self._folders.items():
                for task in Task:
                    try:
                        self._look(programme, task, folder)
                    except Exception:  # noqa: BLE001 the watcher must live on
                        _log.exception("looking for a new model failed")

    def _look(self, programme: str, task: Task, folder: Path) -> None:
        link = champion_folder(folder, programme, task)
        if not os.path.lexists(link):
            return
        target = link.resolve()
        if target == self._seen.get((programme, task)):
            return
        fields = {"programme": programme, "task": task.value}
        try:
            bundle = _open_for(programme, task, target)
        except BundleError as error:
            # Told once, not at every look.
            self._seen[programme, task] = target
            _log.error(
                "new model not used, the old one goes on serving",
                extra={"fields": {**fields, "problem": error.message}},
            )
            return
        self._swap(programme, task, bundle)
        self._seen[programme, task] = target
        _log.info(
            "new model serves", extra={"fields": {**fields, "model_version": bundle.manifest.model_version}}
        )
