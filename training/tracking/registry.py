"""Looking models up and bringing them to where the server reads them."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.bundle import BundleError, Manifest, open_bundle
from training.errors import RegistryError
from training.tracking.quiet import import_mlflow
from training.tracking.recorder import BUNDLE_FOLDER, CHAMPION_ALIAS
from training.tracking.store import existing_client, registered_model_name


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a programme's offer model.

    Attributes:
        name: Name of the registered model.
        version: Version, ascending from 1.
        model: Name of the recommender.
        model_version: Name under which decisions log it.
        run_id: MLflow run that made it.
        parent_run_id: Run of the job that compared it with others.
        aliases: Aliases that point to it now.
        create_time: When it was registered (UTC).
        metrics: Metrics of its run.
        parameters: Settings of its run, as text.
        tags: Tags of the version.
    """

    name: str
    version: str
    model: str
    model_version: str
    run_id: str
    parent_run_id: str
    aliases: tuple[str, ...]
    create_time: datetime
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class PulledModel:
    """A model that was brought to a folder.

    Attributes:
        name: Name of the registered model.
        alias: Alias that was followed.
        version: Version it points to.
        path: Folder of the bundle.
        link: Link that points to the folder now; the server follows it.
        manifest: Manifest of the bundle.
        changed: Whether the link pointed elsewhere, or was absent, before.
    """

    name: str
    alias: str
    version: str
    path: Path
    link: Path
    manifest: Manifest
    changed: bool


def list_models(store: Path, programme: str = "default") -> list[RegisteredVersion]:
    """Return all versions of a programme's offer model, the newest first.

    Raises:
        RegistryError: There is no store in that folder, or it has no model of this programme.
    """
    name, client = registered_model_name(programme), existing_client(store)
    aliases = _aliases(client, store, name)
    versions = client.search_model_versions(f"name = '{name}'", max_results=10_000)
    listed = [_describe(client, version, aliases) for version in versions]
    return sorted(listed, key=lambda version: int(version.version), reverse=True)


def pull_model(
    store: Path, programme: str = "default", alias: str = CHAMPION_ALIAS, *, target_dir: Path
) -> PulledModel:
    """Bring the model behind an alias to where the server reads it.

    The bundle is copied to ``<target_dir>/<programme>/offers/versions/<version>/`` and verified; then the link
    ``<target_dir>/<programme>/offers/<alias>`` is replaced in one step, so a server sees the old model or the new one.
    A version that is there already, undamaged, is not copied again.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        alias: ``champion`` or another alias of the registry.
        target_dir: Folder of the pulled models.

    Raises:
        RegistryError: Store, model or alias do not exist, or the bundle cannot be copied or is damaged.
    """
    name, client = registered_model_name(programme), existing_client(store)
    aliases = _aliases(client, store, name)
    if alias not in aliases:
        known = ", ".join(sorted(aliases)) or "none"
        raise RegistryError(
            f"The model {name} in {store} has no alias {alias!r}; its aliases: {known}.",
            model=name,
            alias=alias,
        )
    version = str(aliases[alias])
    run_id = str(client.get_model_version(name, version).run_id)
    folder = Path(target_dir).absolute() / programme / "offers"
    path, link = folder / "versions" / version, folder / alias
    try:
        manifest = _manifest_of(path, run_id)
        if manifest is None:
            manifest = _materialise(client, run_id, path)
        target = os.path.relpath(path, folder)
        changed = not link.is_symlink() or os.readlink(link) != target  # noqa: PTH115  # the text of the link counts
        if changed:
            _repoint(link, target)
    except (OSError, BundleError) as error:
        raise RegistryError(
            f"Version {version} of {name} cannot be brought to {path}: {str(error).rstrip('.')}.",
            model=name,
            version=version,
        ) from error
    return PulledModel(
        name=name, alias=alias, version=version, path=path, link=link, manifest=manifest, changed=changed
    )


def _aliases(client: Any, store: Path, name: str) -> dict[str, str]:
    errors = import_mlflow("mlflow.exceptions")
    try:
        return dict(client.get_registered_model(name).aliases)
    except errors.MlflowException as error:
        raise RegistryError(f"There is no model {name} in {store}.", model=name, store=str(store)) from error


def _describe(client: Any, version: Any, aliases: Mapping[str, str]) -> RegisteredVersion:
    run = client.get_run(version.run_id)
    tags = dict(version.tags)
    return RegisteredVersion(
        name=version.name,
        version=str(version.version),
        model=tags.get("troth.model", ""),
        model_version=f"{tags.get('troth.model', '')}@{version.run_id[:12]}",
        run_id=version.run_id,
        parent_run_id=run.data.tags.get("mlflow.parentRunId", ""),
        aliases=tuple(
            sorted(alias for alias, target in aliases.items() if str(target) == str(version.version))
        ),
        create_time=datetime.fromtimestamp(version.creation_timestamp / 1000, tz=UTC),
        metrics=dict(run.data.metrics),
        parameters=dict(run.data.params),
        tags=tags,
    )


def _manifest_of(path: Path, run_id: str) -> Manifest | None:
    """Return the manifest of a bundle that is there already, or ``None`` when it must be copied (again)."""
    try:
        manifest = open_bundle(path).manifest
    except BundleError:
        return None
    # A version number of another store can be in the way, for example after the store was deleted and made anew.
    return manifest if manifest.run_id == run_id else None


def _materialise(client: Any, run_id: str, path: Path) -> Manifest:
    """Copy a run's bundle aside, verify it, then move it into place; what was there before goes away."""
    aside = path.parent / f".{path.name}.{secrets.token_hex(4)}.pulling"
    aside.mkdir(parents=True)
    try:
        copied = Path(client.download_artifacts(run_id, BUNDLE_FOLDER, str(aside)))
        manifest = open_bundle(copied).manifest
        if path.exists():
            path.rename(aside / "replaced")
        copied.rename(path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def _repoint(link: Path, target: str) -> None:
    temporary = link.parent / f".{link.name}.{secrets.token_hex(4)}"
    temporary.symlink_to(target)
    os.replace(temporary, link)  # noqa: PTH105  # replaces a link, and never follows it
