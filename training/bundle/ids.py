"""Ids as one block of bytes: memory-mapped, found by bisection, never a Python object per member."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Ids, ascending by their UTF-8 bytes (which is Python's order of strings) and unique.

    Attributes:
        content: uint8[bytes], all ids one after the other.
        offsets: int64[ids + 1].
    """

    content: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def of(cls, ids: Sequence[str]) -> Self:
        """Pack ids.

        numpy's fixed-width strings would drop trailing NULs and pad every id to the longest one.

        Raises:
            ValueError: They are not ascending and unique.
        """
        encoded = [_encode(identifier) for identifier in ids]
        if any(a >= b for a, b in itertools.pairwise(encoded)):
            raise ValueError("ids must be ascending without repeats")
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(item) for item in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        return self._bytes(self.content.data, index).decode("utf-8", "surrogatepass")

    def texts(self) -> tuple[str, ...]:
        """Return all ids.

        Raises:
            UnicodeDecodeError: The bytes are not text.
        """
        packed, bounds = self.content.tobytes(), self.offsets.tolist()
        return tuple(packed[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(bounds))

    def index(self, identifier: str) -> int | None:
        """Return the position of an id, or ``None``, whatever the id is."""
        wanted = _encode(identifier)
        # A memoryview gives plain integers and bytes, several times faster than numpy's scalars.
        content, low, high = self.content.data, 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(content, middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self._bytes(content, low) == wanted else None

    def _bytes(self, content: Any, index: int) -> bytes:
        offsets = self.offsets
        return bytes(content[int(offsets[index]) : int(offsets[index + 1])])


def _encode(identifier: str) -> bytes:
    # A lone surrogate is not an error here, just an unknown id.
    return identifier.encode("utf-8", "surrogatepass")
