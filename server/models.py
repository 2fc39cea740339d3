"""The model that serves: opened from the pulled folder, swapped when another one was pulled.

`troth models pull` keeps ``<models>/<programme>/offers/champion`` pointing at a complete bundle and moves it in one step.
The watcher looks at where it points; it opens and checks the new bundle beside the old one, then swaps. A bundle that
cannot be used leaves the old one serving.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from training.bundle import Bundle, BundleError, open_bundle

_log = logging.getLogger("troth.models")


def champion_folder(models: Path, programme: str) -> Path:
    """Return where the champion of a programme is pulled to."""
    return models / programme / "offers" / "champion"


def open_champion(models: Path, programme: str) -> Bundle | None:
    """Open the pulled champion; none if nothing was pulled yet.

    Raises:
        BundleError: It cannot be used.
    """
    link = champion_folder(models, programme)
    return _open_for(programme, link.resolve()) if os.path.lexists(link) else None


def _open_for(programme: str, path: Path) -> Bundle:
    bundle = open_bundle(path)
    if bundle.manifest.programme != programme:
        raise BundleError(
            f"The bundle {path} was trained for programme {bundle.manifest.programme!r}, not {programme!r}."
        )
    return bundle


class ModelWatcher:
    """Looks for newly pulled models in the background.

    Args:
        folders: The models folder of each programme that has one.
        opened: Path of the bundle that each programme serves now; none if it has none.
        swap: Called with programme and newly opened bundle.
        interval: Seconds between looks.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        opened: Mapping[str, Path | None],
        swap: Callable[[str, Bundle], None],
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
                try:
                    self._look(programme, folder)
                except Exception:  # noqa: BLE001 the watcher must live on
                    _log.exception("looking for a new model failed")

    def _look(self, programme: str, folder: Path) -> None:
        link = champion_folder(folder, programme)
        if not os.path.lexists(link):
            return
        target = link.resolve()
        if target == self._seen.get(programme):
            return
        self._seen[programme] = target
        try:
            bundle = _open_for(programme, target)
        except BundleError as error:
            fields = {"programme": programme, "problem": error.message}
            _log.error("new model not used, the old one goes on serving", extra={"fields": fields})
            return
        self._swap(programme, bundle)
        fields = {"programme": programme, "model_version": bundle.manifest.model_version}
        _log.info("new model serves", extra={"fields": fields})
