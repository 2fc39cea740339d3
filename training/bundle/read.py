"""Reading a bundle: checked when opened, memory-mapped, never trusted blindly."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.bundle.errors import BundleError
from training.bundle.files import (
    FACTORS,
    MEMBER_BYTES,
    MEMBER_OFFSETS,
    OFFER_BYTES,
    OFFER_OFFSETS,
    PERSONAL,
    POPULAR_SCORES,
    encode_id,
    expected_files,
    sha256_of,
)
from training.bundle.manifest import MANIFEST_NAME, Manifest, parse_manifest
from training.bundle.model import Factors, PersonalScores, check_shapes, check_values, score_member


class Bundle:
    """An opened bundle: immutable, safe to share between threads.

    Attributes:
        path: The folder it was opened from.
        manifest: What the model is and where it came from.
        offer_ids: Offers in the order of all score arrays.
        offer_index: Position of each offer id.
        member_count: Number of members the model knows.
        popular_scores: float32[offers], the scores for members the model does not know.
        personal: Sparse personal scores, or ``None``.
        factors: Member and offer factors, or ``None``.
    """

    def __init__(self, path: Path, manifest: Manifest, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.path = path
        self.manifest = manifest
        self._member_bytes = arrays[MEMBER_BYTES].data
        # A memoryview gives plain integers, several times faster than numpy's scalars.
        self._member_offsets = arrays[MEMBER_OFFSETS].data
        self.member_count = len(self._member_offsets) - 1
        self.offer_ids = _decode_ids(path, arrays[OFFER_BYTES], arrays[OFFER_OFFSETS])
        self.offer_index = {offer_id: index for index, offer_id in enumerate(self.offer_ids)}
        self.popular_scores: npt.NDArray[np.float32] = arrays[POPULAR_SCORES]
        self.personal = (
            PersonalScores(*(arrays[name] for name in PERSONAL))
            if manifest.scoring == "personal_scores"
            else None
        )
        self.factors = Factors(*(arrays[name] for name in FACTORS)) if manifest.scoring == "factors" else None

    def member_index(self, member_id: str) -> int | None:
        """Return the position of a member, or ``None`` when the model does not know the id, whatever the id is."""
        wanted = encode_id(member_id)
        offsets, content = self._member_offsets, self._member_bytes
        low, high = 0, self.member_count
        while low < high:
            middle = (low + high) // 2
            if bytes(content[offsets[middle] : offsets[middle + 1]]) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < self.member_count and self._member(low) == wanted else None

    def scores(self, member_index: int) -> npt.NDArray[np.float32]:
        """Return float32[offers] for one known member, as a new array with the same bits in every call.

        Raises:
            IndexError: The index is not in ``[0, member_count)``.
        """
        return score_member(self, member_index, self.member_count)

    def _member(self, index: int) -> bytes:
        return bytes(self._member_bytes[self._member_offsets[index] : self._member_offsets[index + 1]])


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
    if not path.is_dir():
        raise BundleError(f"The bundle {path} is not there: no such folder.")
    try:
        text = (path / MANIFEST_NAME).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BundleError(f"The bundle {path} is half-written: no {MANIFEST_NAME} in it.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"The bundle {path} has a {MANIFEST_NAME} that cannot be read: {error}.") from error
    manifest = parse_manifest(str(path), text)
    names = expected_files(manifest.scoring)
    arrays = {name: _open_array(path, name, manifest, verify=verify) for name in names}
    bundle_name = f"The bundle {path}"
    for offsets, content in ((MEMBER_OFFSETS, MEMBER_BYTES), (OFFER_OFFSETS, OFFER_BYTES)):
        _check_ids(bundle_name, offsets, arrays[offsets], arrays[content], whole=verify)
    bundle = Bundle(path, manifest, arrays)
    check_shapes(bundle_name, bundle.member_count, len(bundle.offer_ids), bundle)
    if verify:
        check_values(bundle_name, len(bundle.offer_ids), bundle)
    return bundle


def _open_array(path: Path, name: str, manifest: Manifest, *, verify: bool) -> npt.NDArray[Any]:
    entry = manifest.files.get(name)
    if entry is None:
        raise BundleError(f"The bundle {path} has a {MANIFEST_NAME} that does not list {name}.")
    file = path / name
    try:
        size = file.stat().st_size
        if size != entry.bytes:
            raise BundleError(
                f"The bundle {path} is damaged: {name} has {size} bytes, expected {entry.bytes}."
            )
        if verify and sha256_of(file) != entry.sha256:
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


def _check_ids(
    bundle_name: str, name: str, offsets: npt.NDArray[Any], content: npt.NDArray[Any], *, whole: bool
) -> None:
    fits = (
        offsets.dtype == np.int64
        and offsets.ndim == 1
        and len(offsets) > 0
        and content.dtype == np.uint8
        and content.ndim == 1
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(content)
        and not (whole and np.any(np.diff(offsets) < 0))
    )
    if not fits:
        raise BundleError(f"{bundle_name} does not fit: {name} does not match its ids.")


def _decode_ids(
    path: Path, content: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]
) -> tuple[str, ...]:
    packed, bounds = content.tobytes(), offsets.tolist()
    try:
        return tuple(packed[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(bounds))
    except UnicodeDecodeError as error:
        raise BundleError(f"The bundle {path} is damaged: an offer id is not UTF-8.") from error
