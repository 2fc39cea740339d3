"""Bringing registered models to where the server reads them."""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.bundle import BundleError, Manifest, open_action_bundle, open_bundle
from training.bundle.manifest import ACTIONS, OFFERS
from training.errors import RegistryError
from training.tracking.comparing import existing_registries
from training.tracking.registry import CHAMPION_ALIAS, ModelRegistry, RegisteredVersion


@dataclass(frozen=True)
class PulledModel:
    """A model that was brought to a folder.

    Attributes:
        name: Name of the registered model.
        task: What it is for.
        alias: Alias that was followed.
        version: Version it points to.
        path: Folder of the bundle.
        link: Link that points to the folder now; the server follows it.
        manifest: Manifest of the bundle.
        changed: Whether the link pointed elsewhere, or was absent, before.
    """

    name: str
    task: str
    alias: str
    version: str
    path: Path
    link: Path
    manifest: Manifest
    changed: bool

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "task": self.task,
            "alias": self.alias,
            "version": self.version,
            "model_version": self.manifest.model_version,
            "path": str(self.path),
            "link": str(self.link),
            "changed": self.changed,
        }


def pull_models(
    store: Path, programme: str, task: str = "", alias: str = CHAMPION_ALIAS, *, target_dir: Path
) -> list[PulledModel]:
    """Bring the model of a task, or those of all tasks, to where the server reads them; see ``pull_model``.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        task: What the model is for; all tasks, and actions, if empty.
        alias: ``champion`` or another alias of the registry.
        target_dir: Folder of the pulled models.

    Returns:
        One entry per model.

    Raises:
        RegistryError: There is no such model, or a bundle cannot be copied or is damaged.
    """
    if task:
        return [pull_model(store, programme, task, alias, target_dir=target_dir)]
    return pull_all(store, programme, alias, target_dir=target_dir)


def pull_all(
    store: Path, programme: str = "default", alias: str = CHAMPION_ALIAS, *, target_dir: Path
) -> list[PulledModel]:
    """Bring the models of all tasks, and of actions, that have this alias; see ``pull_model``.

    Args:
        store: Folder of the MLflow store.
        programme: The loyalty programme.
        alias: Such as ``champion``.
        target_dir: The folder that the server reads.

    Returns:
        What was brought.

    Raises:
        RegistryError: No task has the alias, or a bundle cannot be copied or is damaged.
    """
    pulled = [
        _pull(registry, programme, alias, target_dir)
        for registry in existing_registries(store, programme)
        if alias in registry.aliases()
    ]
    if not pulled:
        raise RegistryError(
            f"No model of programme {programme} in {store} has the alias {alias!r}.",
            programme=programme,
            alias=alias,
        )
    return pulled


def pull_model(
    store: Path, programme: str, task: str, alias: str = CHAMPION_ALIAS, *, target_dir: Path
) -> PulledModel:
    """Bring the model behind an alias to where the server reads it.

    The bundle is copied to ``<target_dir>/<programme>/offers/<task>/versions/<version>/`` and verified; then the link
    ``<target_dir>/<programme>/offers/<task>/<alias>`` is replaced in one step, so a server sees the old model or the
    new one. For actions, which have no tasks, both are in ``<target_dir>/<programme>/actions``. A version that is there already, undamaged, is not copied again.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        task: What the model is for.
        alias: ``champion`` or another alias of the registry.
        target_dir: Folder of the pulled models.

    Returns:
        What was brought.

    Raises:
        RegistryError: Store, model or alias do not exist, or the bundle cannot be copied or is damaged.
    """
    return _pull(ModelRegistry(store, programme, task), programme, alias, target_dir)


def _pull(registry: ModelRegistry, programme: str, alias: str, target_dir: Path) -> PulledModel:
    version = registry.version_of(alias)
    kind = ACTIONS if version.task == ACTIONS else OFFERS
    folder = Path(target_dir).absolute() / programme / kind
    if kind == OFFERS:
        folder /= version.task
    path, link = folder / "versions" / version.version, folder / alias
    try:
        manifest = _manifest_of(path, version)
        if manifest is None:
            manifest = _materialise(registry, version, path)
        target = os.path.relpath(path, folder)
        changed = not link.is_symlink() or os.readlink(link) != target  # noqa: PTH115  # the text of the link counts
        if changed:
            _repoint(link, target)
    except (OSError, BundleError, RegistryError) as error:
        raise RegistryError(
            f"Version {version.version} of {registry.name} cannot be brought to {path}: {str(error).rstrip('.')}.",
            model=registry.name,
            version=version.version,
        ) from error
    return PulledModel(
        name=registry.name,
        task=version.task,
        alias=alias,
        version=version.version,
        path=path,
        link=link,
        manifest=manifest,
        changed=changed,
    )


def _manifest_of(path: Path, version: RegisteredVersion) -> Manifest | None:
    """Return the manifest of a bundle that is there already, or ``None`` when it must be copied (again)."""
    try:
        manifest = _checked(path, version)
    except BundleError:
        return None
    # A version number of another store can be in the way, for example after the store was deleted and made anew.
    return manifest if manifest.run_id == version.run_id else None


def _materialise(registry: ModelRegistry, version: RegisteredVersion, path: Path) -> Manifest:
    """Copy a version's bundle aside, verify it, then move it into place; what was there before goes away."""
    aside = path.parent / f".{path.name}.{secrets.token_hex(4)}.pulling"
    aside.mkdir(parents=True)
    try:
        copied = registry.bundle(version, aside)
        manifest = _checked(copied, version)
        if path.exists():
            path.rename(aside / "replaced")
        copied.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def _checked(path: Path, version: RegisteredVersion) -> Manifest:
    if version.task == ACTIONS:
        return open_action_bundle(path).manifest
    return open_bundle(path).manifest


def _repoint(link: Path, target: str) -> None:
    temporary = link.parent / f".{link.name}.{secrets.token_hex(4)}"
    temporary.symlink_to(target)
    os.replace(temporary, link)  # noqa: PTH105  # replaces a link, and never follows it
