"""What the models of counts read: each member's orders in brief, in a time unit that cannot be mixed up."""

import re
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from training.errors import TrainingError

_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([dw]?)\s*")


class TimeUnit(StrEnum):
    """What a number of time units counts."""

    DAY = "day"
    WEEK = "week"

    @property
    def days(self) -> float:
        """Days in one unit; a week is 7 days."""
        return 7.0 if self is TimeUnit.WEEK else 1.0


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time.

    Attributes:
        amount: How many units, at least 0.
        unit: Of what.
    """

    amount: float
    unit: TimeUnit

    def of(self, unit: TimeUnit) -> float:
        """Return the length in another unit."""
        return self.amount * self.unit.days / unit.days

    @property
    def days(self) -> float:
        """The length in days."""
        return self.of(TimeUnit.DAY)


def parse_duration(text: str, option: str) -> Duration:
    """Return a length such as ``90d`` or ``13w``; a number alone counts days.

    Raises:
        TrainingError: The text is none, or not above 0.
    """
    found = _WRITTEN.fullmatch(text)
    amount = float(found[1]) if found else 0.0
    if found is None or amount <= 0:
        raise TrainingError(f"{option} is {text!r}; write days or weeks above 0, such as 90d or 13w.")
    return Duration(amount, TimeUnit.WEEK if found[2] == "w" else TimeUnit.DAY)


Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class OrderHistory:
    """Orders of members, as Fader, Hardie & Lee (2005), section 2, summarise them.

    Attributes:
        repeats: float64[n], orders after the first, ``x``.
        last: float64[n], time from the first order to the last, ``t_x``; 0 without repeats.
        age: float64[n], time from the first order to the end of observation, ``T``.
        unit: What the times count.
    """

    repeats: Floats
    last: Floats
    age: Floats
    unit: TimeUnit

    def __post_init__(self) -> None:
        wrong = (self.repeats < 0) | (self.last < 0) | (self.last > self.age)
        if wrong.any() or not np.isfinite(self.age).all():
            raise ValueError("an order history needs x >= 0 and 0 <= t_x <= T")

    def __len__(self) -> int:
        return len(self.repeats)

    def grouped(self) -> tuple["OrderHistory", Floats]:
        """Return the distinct histories, and float64[groups], how many members have each."""
        rows = np.column_stack([self.repeats, self.last, self.age])
        distinct, counts = np.unique(rows, axis=0, return_counts=True)
        repeats, last, age = distinct.T
        return OrderHistory(repeats, last, age, self.unit), counts.astype(np.float64)
