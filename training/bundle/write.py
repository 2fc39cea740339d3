"""Writing a bundle: aside, synced, then renamed, so that a reader never sees half of one."""

import os
import secrets
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.bundle.action_model import ActionModel
from training.bundle.errors import BundleError
from training.bundle.files import sha256_of, take_apart
from training.bundle.manifest import (
    ACTIONS,
    FORMAT_VERSION,
    MANIFEST_NAME,
    OFFERS,
    FileEntry,
    Manifest,
    Parameter,
    rfc3339,
)
from training.bundle.model import OfferModel


def write_bundle(
    path: Path,
    model: OfferModel | ActionModel,
    *,
    programme: str,
    model_name: str,
    model_version: str,
    data_fingerprint: str,
    feature_time: datetime,
    run_id: str = "",
    code_version: str = "unknown",
    parameters: Mapping[str, Parameter] | None = None,
    metrics: Mapping[str, float] | None = None,
    create_time: datetime | None = None,
) -> Manifest:
    """Write a model as a bundle.

    Args:
        path: Folder to make; it must not exist, its parent may be missing.
        model: The fitted model.
        programme: Loyalty programme.
        model_name: Name of the recommender.
        model_version: Unique name of this fitted model.
        data_fingerprint: SHA-256 of the data set.
        feature_time: Aware time the member features reach to.
        run_id: MLflow run, or empty.
        code_version: Git commit, or ``unknown``.
        parameters: Settings of the recommender.
        metrics: Validation metrics, finite.
        create_time: Aware time of writing; now by default.

    Returns:
        The manifest that was written.

    Raises:
        BundleError: The folder exists, cannot be written, or a value cannot stand in a manifest.
    """
    path = Path(path)
    if path.exists():
        raise BundleError(f"The bundle {path} exists already; bundles are never overwritten.")
    aside = path.parent / f".{path.name}.{secrets.token_hex(6)}.writing"
    try:
        aside.mkdir(parents=True)
        arrays: dict[str, npt.NDArray[Any]] = {}
        layout = take_apart(model, "", arrays)
        files = {name: _write_array(aside / name, array) for name, array in arrays.items()}
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            kind=OFFERS if isinstance(model, OfferModel) else ACTIONS,
            programme=programme,
            model_name=model_name,
            model_version=model_version,
            run_id=run_id,
            data_fingerprint=data_fingerprint,
            code_version=code_version,
            feature_time=rfc3339(feature_time),
            create_time=rfc3339(create_time or datetime.now(tz=UTC)),
            parameters=dict(parameters or {}),
            metrics=dict(metrics or {}),
            task=str(model.task) if isinstance(model, OfferModel) else ACTIONS,
            files=files,
            layout=layout,
        )
        _write_synced(aside / MANIFEST_NAME, manifest.to_json().encode())
        _sync_folder(aside)
        aside.rename(path)
        _sync_folder(path.parent)
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"The bundle {path} cannot be written: {error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def _write_array(path: Path, array: npt.NDArray[np.generic]) -> FileEntry:
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    return FileEntry(sha256=sha256_of(path), bytes=path.stat().st_size)


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
