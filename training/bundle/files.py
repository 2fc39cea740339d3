"""Values as files: every array of a model becomes one ``.npy`` file, everything else stands in the manifest."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.bundle.action_model import ActionModel
from training.bundle.attributes import AttributeCodes
from training.bundle.encoding import Encoding, LevelsPart, NumberPart
from training.bundle.errors import BundleError
from training.bundle.features import OfferTable
from training.bundle.history import History
from training.bundle.ids import Ids
from training.bundle.model import OfferModel
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
from training.bundle.task import Task
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
    """Return the layout of a value as JSON; its arrays are put into ``arrays`` under file names.

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
        raise BundleError(f"The bundle {path} is damaged: {name} is no single array.")
    # A plain view answers scalar access several times faster than the memmap class and keeps the map alive.
    return array.view(np.ndarray)
