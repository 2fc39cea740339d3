"""The files of a bundle: written aside, synced and renamed; opened memory-mapped and checked. Every array is one ``.npy`` file."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from training.bundle.action_model import ActionModel
from training.bundle.encoding import AttributeCodes, Encoding, LevelsPart, NumberPart
from training.bundle.features import OfferTable
from training.bundle.history import History
from training.bundle.manifest import (
    ACTIONS,
    FORMAT_VERSION,
    MANIFEST_NAME,
    OFFERS,
    BundleError,
    FileEntry,
    Manifest,
    Parameter,
    parse_manifest,
    rfc3339,
)
from training.bundle.model import Ids, OfferModel, Task, check_scores, check_values
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import (
    Covers,
    Factors,
    FoldIn,
    Frequency,
    Linear,
    Mixture,
    Personal,
    Popular,
    Projection,
)
from training.bundle.trees import Trees

_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        ActionModel,
        AttributeCodes,
        Calibration,
        Covers,
        Encoding,
        Factors,
        FoldIn,
        Frequency,
        History,
        Ids,
        LevelsPart,
        Linear,
        Mixture,
        NumberPart,
        OfferModel,
        OfferTable,
        Personal,
        Popular,
        Projection,
        Ranker,
        Trees,
    )
}
_CHUNK = 1 << 20


def take_apart(value: Any, name: str, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """Take a value apart into a layout and arrays.

    Args:
        value: A value that a bundle can hold.
        name: What its files are called.
        arrays: Arrays by file name; added to.

    Returns:
        The layout as JSON, with file names in the place of arrays.

    Raises:
        TypeError: A part is of a type that has no place in a bundle.
    """
    if isinstance(value, np.ndarray):
        file = f"{name}.npy"
        arrays[file] = value
        return {"array": file}
    if is_dataclass(value) and type(value).__name__ in _TYPES:
        parts = {
            part.name: take_apart(
                getattr(value, part.name), f"{name}.{part.name}" if name else part.name, arrays
            )
            for part in fields(value)
            # What is worked out from the other parts is worked out again.
            if part.init
        }
        return {"type": type(value).__name__, "parts": parts}
    if isinstance(value, tuple):
        return [take_apart(part, f"{name}.{index}", arrays) for index, part in enumerate(value)]
    if value is None or isinstance(value, str | int | float | bool):
        return str(value) if isinstance(value, Task) else value
    raise TypeError(f"{name} is of type {type(value).__name__}, which has no place in a bundle")


def put_together(layout: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    """Return the value of a layout.

    Raises:
        KeyError, TypeError, ValueError: The layout is none that ``take_apart`` makes.
    """
    if isinstance(layout, list):
        return tuple(put_together(part, arrays) for part in layout)
    if not isinstance(layout, dict):
        return layout
    if "array" in layout:
        return arrays[layout["array"]]
    kind = _TYPES[layout["type"]]
    parts = {name: put_together(part, arrays) for name, part in layout["parts"].items()}
    if kind is OfferModel:
        parts["task"] = Task(parts["task"])
    return kind(**parts)


def file_names(layout: Any) -> list[str]:
    """Return the array files that a layout names."""
    if isinstance(layout, list):
        return [name for part in layout for name in file_names(part)]
    if not isinstance(layout, dict):
        return []
    if "array" in layout:
        return [str(layout["array"])]
    return file_names(list(layout.get("parts", {}).values()))


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def open_array(path: Path, name: str, *, size: int, sha256: str, verify: bool) -> npt.NDArray[Any]:
    """Open one array of a bundle, memory-mapped.

    Args:
        path: The bundle's folder.
        name: Its file.
        size: Bytes that it must have.
        sha256: The checksum that it must have.
        verify: Whether the checksum is compared.

    Returns:
        The array, read-only.

    Raises:
        BundleError: The file is missing or damaged.
    """
    file = path / name
    try:
        found = file.stat().st_size
        if found != size:
            raise BundleError(f"The bundle {path} is damaged: {name} has {found} bytes, expected {size}.")
        if verify and sha256_of(file) != sha256:
            raise BundleError(f"The bundle {path} is damaged: the checksum of {name} does not match.")
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise BundleError(f"The bundle {path} is half-written: no {name} in it.") from error
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"The bundle {path} is damaged: {name} cannot be read ({error}).") from error
    if not isinstance(array, np.ndarray):
        raise BundleError(f"The bundle {path} is damaged: {name} is not a single array.")
    # A plain view answers scalar access several times faster than the memmap class and keeps the map alive.
    return array.view(np.ndarray)


Model = TypeVar("Model", OfferModel, ActionModel)


class Bundle:
    """An opened bundle: immutable, safe to share between threads.

    Attributes:
        path: The folder it was opened from.
        manifest: What the model is and where it came from.
        model: The model, its arrays memory-mapped.
        offer_ids: Offers in the order of all score arrays.
        offer_index: Position of each offer id.
    """

    def __init__(self, path: Path, manifest: Manifest, model: OfferModel) -> None:
        self.path = path
        self.manifest = manifest
        self.model = model
        self.offer_ids = model.offer_ids.texts()
        self.offer_index = {offer_id: index for index, offer_id in enumerate(self.offer_ids)}

    @property
    def member_count(self) -> int:
        """Number of members the model knows."""
        return len(self.model.member_ids)


def open_bundle(path: Path, *, verify: bool = True) -> Bundle:
    """Open a bundle.

    Args:
        path: The folder.
        verify: Whether to compute the checksums and read every value once. Without it, presence, sizes, types and
            shapes are checked all the same.

    Raises:
        BundleError: The folder or a file is missing, half-written or damaged, or the parts do not fit together.
    """
    path = Path(path)
    manifest = _manifest(path, OFFERS)
    model = _model(path, manifest, OfferModel, verify=verify)
    if manifest.task != model.task:
        raise BundleError(
            f"The bundle {path} has a {MANIFEST_NAME} of task {manifest.task!r} with a model of {model.task.value!r}."
        )
    if verify:
        check_values(f"The bundle {path}", model)
        check_scores(f"The bundle {path}", model)
    try:
        return Bundle(path, manifest, model)
    except UnicodeDecodeError as error:
        raise BundleError(f"The bundle {path} is damaged: an offer id is not UTF-8.") from error


@dataclass(frozen=True, slots=True, eq=False)
class ActionBundle:
    """An opened bundle of an action model: immutable, safe to share between threads.

    Attributes:
        path: The folder it was opened from.
        manifest: What the model is and where it came from.
        model: The model, its arrays memory-mapped.
        arm_index: Position of each arm but the control.
    """

    path: Path
    manifest: Manifest
    model: ActionModel
    arm_index: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arm_index", {arm: place for place, arm in enumerate(self.model.arms)})


def open_action_bundle(path: Path, *, verify: bool = True) -> ActionBundle:
    """Open a bundle of an action model; see ``open_bundle``.

    Raises:
        BundleError: The folder or a file is missing, half-written or damaged, or the parts do not fit together.
    """
    path = Path(path)
    manifest = _manifest(path, ACTIONS)
    return ActionBundle(path, manifest, _model(path, manifest, ActionModel, verify=verify))


def _manifest(path: Path, kind: str) -> Manifest:
    if not path.is_dir():
        raise BundleError(f"The bundle {path} is not there: no such folder.")
    try:
        text = (path / MANIFEST_NAME).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BundleError(f"The bundle {path} is half-written: no {MANIFEST_NAME} in it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"The bundle {path} has a {MANIFEST_NAME} that cannot be read: {error}.") from error
    return parse_manifest(str(path), text, kind)


def _model(path: Path, manifest: Manifest, kind: type[Model], *, verify: bool) -> Model:
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name in file_names(manifest.layout):
        entry = manifest.files.get(name)
        if entry is None:
            raise BundleError(f"The bundle {path} has a {MANIFEST_NAME} that does not list {name}.")
        arrays[name] = open_array(path, name, size=entry.bytes, sha256=entry.sha256, verify=verify)
    try:
        model = put_together(manifest.layout, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise BundleError(
            f"The bundle {path} has a {MANIFEST_NAME} whose layout is none: {error}."
        ) from error
    except BundleError as error:
        raise BundleError(
            re.sub(r"^The (offer|action) model", lambda _: f"The bundle {path}", error.message)
        ) from error
    if not isinstance(model, kind):
        raise BundleError(
            f"The bundle {path} has a {MANIFEST_NAME} whose layout is none: it describes a {type(model).__name__}."
        )
    return model


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
