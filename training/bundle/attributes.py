"""How attributes of members become numbers that trees can compare."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UNKNOWN = -1.0
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class AttributeCodes:
    """The attributes a model knows.

    Attributes:
        names: Names, in the order of their columns.
        values: For each, the texts it can have, in the order of their codes; empty for a number, which stands for
            itself.
    """

    names: tuple[str, ...] = ()
    values: tuple[tuple[str, ...], ...] = ()

    def encode(self, known: Mapping[str, object]) -> npt.NDArray[np.float32]:
        """Return float32[attributes], -1 for what is missing, unheard of or of another type."""
        row = np.full(len(self.names), UNKNOWN, np.float32)
        for column, (name, values) in enumerate(zip(self.names, self.values, strict=True)):
            value = known.get(name)
            if values:
                if str(value) in values:
                    row[column] = values.index(str(value))
            elif isinstance(value, int | float) and abs(value) <= _LARGEST:
                row[column] = value
        return row

    def decode(self, row: npt.NDArray[np.float32]) -> dict[str, object]:
        """Return what a row of codes stands for; what is unknown is left out."""
        return {
            name: values[int(code)] if values else float(code)
            for name, values, code in zip(self.names, self.values, row.tolist(), strict=True)
            if code >= 0
        }
