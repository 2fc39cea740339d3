"""Reading a bundle: checked when opened, memory-mapped, never trusted blindly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt

from training.bundle.action_model import ActionModel
from training.bundle.errors import BundleError
from training.bundle.files import file_names, open_array, put_together
from training.bundle.manifest import ACTIONS, MANIFEST_NAME, OFFERS, Manifest, parse_manifest
from training.bundle.model import OfferModel, check_scores, check_values

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
