"""Lengths of time that know their unit, so that a model of weeks is never asked in days."""

import re
from dataclasses import dataclass
from enum import StrEnum

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
