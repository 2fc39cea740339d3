"""An interval with the p-value that belongs to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Alternative(StrEnum):
    """Which effects a test looks for."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"

    @property
    def sides(self) -> int:
        """In how many directions an effect can be found."""
        return 2 if self is Alternative.TWO_SIDED else 1


@dataclass(frozen=True, slots=True)
class Interval:
    """What a method says about a difference, and about the relative effect.

    A figure that does not exist is none, and ``reasons`` says why, by the figure's name. The open end of a
    one-sided interval is such a figure.

    Attributes:
        level: The error alpha that the interval is taken at, in (0, 1).
        ci_lower: Lower end of the interval for the difference, at confidence 1 - level.
        ci_upper: Upper end.
        relative_ci_lower: Lower end of the interval for the relative effect (0.02 is 2 % more).
        relative_ci_upper: Upper end.
        p_value: Below the level exactly if the intervals exclude no effect.
        reasons: Why figures are missing.
        degrees_of_freedom: Of the t distribution used; none if the method uses none.
    """

    level: float
    ci_lower: float | None = None
    ci_upper: float | None = None
    relative_ci_lower: float | None = None
    relative_ci_upper: float | None = None
    p_value: float | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    degrees_of_freedom: float | None = None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval says that there is an effect."""
        above = self.ci_lower is not None and self.ci_lower > 0
        below = self.ci_upper is not None and self.ci_upper < 0
        return above or below


def no_interval(level: float, reason: str) -> Interval:
    """Return an interval without figures, all for the same reason."""
    missing = ("ci_lower", "ci_upper", "relative_ci_lower", "relative_ci_upper", "p_value")
    return Interval(level, reasons=dict.fromkeys(missing, reason))
