"""How a member's attributes become numbers: learned by a training job, repeated by the server for one member at a time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NumberPart:
    """A number, a boolean, a date or a time (days since 1970), moved and scaled; where it is missing it counts as the mean.

    Attributes:
        name: The attribute.
        mean: What is subtracted.
        deviation: What it is divided by, above 0.
        flagged: Whether a second number says that it is missing.
    """

    name: str
    mean: float
    deviation: float
    flagged: bool

    @property
    def width(self) -> int:
        """How many numbers it becomes."""
        return 2 if self.flagged else 1

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return (self.name, f"{self.name} is missing") if self.flagged else (self.name,)


@dataclass(frozen=True, slots=True)
class LevelsPart:
    """A text: one number per frequent level, 1 where it is that one; all 0 for the level left out and for rare ones.

    Attributes:
        name: The attribute.
        levels: Those with a number; the empty text stands for a missing one.
    """

    name: str
    levels: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many numbers it becomes."""
        return len(self.levels)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its numbers."""
        return tuple(
            f"{self.name} = {level}" if level else f"{self.name} is missing" for level in self.levels
        )


Part = NumberPart | LevelsPart


@dataclass(frozen=True, slots=True)
class Encoding:
    """The parts in the order of their numbers.

    Attributes:
        parts: One per attribute.
    """

    parts: tuple[Part, ...]

    @property
    def width(self) -> int:
        """How many numbers a member becomes."""
        return sum(part.width for part in self.parts)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the numbers."""
        return tuple(label for part in self.parts for label in part.labels)

    def of_member(self, attributes: Mapping[str, object]) -> Floats:
        """Return float64[width], the numbers of one member; an attribute of another type counts as missing.

        Args:
            attributes: By name.
        """
        row = np.zeros(self.width)
        at = 0
        for part in self.parts:
            value = attributes.get(part.name)
            if isinstance(part, NumberPart):
                number = _number(value)
                if number is not None:
                    row[at] = (number - part.mean) / part.deviation
                elif part.flagged:
                    row[at + 1] = 1.0
            else:
                level = value if isinstance(value, str) else ""
                if level in part.levels:
                    row[at + part.levels.index(level)] = 1.0
            at += part.width
        return row


def _number(value: object) -> float | None:
    if isinstance(value, bool | int | float):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) / _DAY
    if isinstance(value, date):
        return float(value.toordinal() - _EPOCH.toordinal())
    return None


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
