"""Names of the array files and the two small encodings they use."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

MEMBER_BYTES = "member_ids.bytes.npy"
MEMBER_OFFSETS = "member_ids.offsets.npy"
OFFER_BYTES = "offer_ids.bytes.npy"
OFFER_OFFSETS = "offer_ids.offsets.npy"
POPULAR_SCORES = "popular_scores.npy"
PERSONAL = ("personal.indptr.npy", "personal.indices.npy", "personal.data.npy")
FACTORS = ("factors.member.npy", "factors.offer.npy", "factors.offer_biases.npy")
COMMON = (MEMBER_BYTES, MEMBER_OFFSETS, OFFER_BYTES, OFFER_OFFSETS, POPULAR_SCORES)

_CHUNK = 1 << 20


def expected_files(scoring: str) -> tuple[str, ...]:
    """Return the array files of a bundle with the given scoring."""
    return COMMON + {"personal_scores": PERSONAL, "factors": FACTORS, "popular": ()}[scoring]


def encode_id(identifier: str) -> bytes:
    """Return the bytes under which an id is stored; a lone surrogate is no error here, just an unknown id."""
    return identifier.encode("utf-8", "surrogatepass")


def encode_ids(ids: Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Pack ids into one byte array and int64[n + 1] offsets.

    numpy's fixed-width strings would drop trailing NULs and pad every id to the longest one.
    """
    encoded = [encode_id(identifier) for identifier in ids]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(item) for item in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
