"""How far an experiment is, and how far it has to go."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from experiments.analysis.comparison import Comparison
from experiments.definition import AnalysisMethod, ExperimentDefinition
from experiments.wording import count_of

_LONGEST_FORECAST_DAYS = 3_650
_NORMAL_QUANTILE_OF_80_PERCENT = 0.8416212335729143


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an experiment is.

    Attributes:
        units: Units of all variants so far.
        planned_units: Where it ends, if the plan says.
        units_per_day: New units a day; none if the days are unknown.
        finished: Whether the planned end is reached, by size or by date.
        judged_now: Whether the method allows a verdict now.
    """

    units: int
    planned_units: int | None
    units_per_day: float | None
    finished: bool
    judged_now: bool

    @property
    def units_to_go(self) -> int | None:
        """Units up to the planned size."""
        return None if self.planned_units is None else max(0, self.planned_units - self.units)

    @property
    def days_to_go(self) -> int | None:
        """Days up to the planned size at the present rate."""
        return self._days(self.units_to_go)

    def remaining_words(self) -> str:
        """Return what is missing up to the planned end."""
        if self.units_to_go:
            return self.words_for(self.units_to_go, self.days_to_go)
        return "the planned last day is not over"

    def finished_words(self) -> str:
        """Return that the end is reached, in words."""
        if self.planned_units is not None and self.units >= self.planned_units:
            return f"the planned size of {self.planned_units:,} is reached"
        if self.planned_units is None and self.units_per_day is None:
            return "the data are complete"
        return "the planned end is reached"

    @staticmethod
    def words_for(units: int, days: int | None) -> str:
        """Return units and days to go, in words."""
        more = f"about {units:,} more units"
        return more if days is None else f"{more}, {count_of(days, 'day')} at the present rate"

    def to_go(self, success: Sequence[Comparison]) -> tuple[int | None, int | None]:
        """Return units of the whole experiment and days until a verdict is likely.

        If the present estimate is the truth, the soonest success metric is proven after so many units with 80 %; the
        plan's end comes first if it is nearer. The estimate of an undecided metric is vague, and so is this.
        """
        needed = [more for one in success if (more := self._more_units(one)) is not None]
        planned = self.units_to_go
        candidates = [*needed, *([planned] if planned else [])]
        if not candidates:
            return None, None
        units = min(candidates)
        days = self._days(units)
        return (None, None) if days is not None and days > _LONGEST_FORECAST_DAYS else (units, days)

    def _more_units(self, one: Comparison) -> int | None:
        interval, pair = one.decisive, one.pair
        if interval is None or pair is None or pair.estimate == 0 or pair.standard_error == 0:
            return None
        half = _half_width(interval.ci_lower, interval.ci_upper, pair.estimate)
        if half is None:
            return None
        # The half-width shrinks with the square root of the units; a sequence's a little slower.
        wanted = abs(pair.estimate) / (half + _NORMAL_QUANTILE_OF_80_PERCENT * pair.standard_error)
        if wanted <= 0:
            return None
        factor = 1 / wanted**2
        share = pair.units / self.units if self.units else 1
        more = pair.units * (factor - 1) / share
        return math.ceil(more) if 0 < more < 1e12 else None

    def _days(self, units: int | None) -> int | None:
        if units is None or not self.units_per_day:
            return None
        return math.ceil(units / self.units_per_day)


def progress_of(
    definition: ExperimentDefinition,
    units: Mapping[str, int],
    units_by_day: Mapping[date, int],
    today: date | None,
) -> Progress:
    """Return how far an experiment is.

    Args:
        definition: The experiment.
        units: Units by variant.
        units_by_day: New units on each day; empty if the days are unknown.
        today: The day for which the end is judged; the last day of the data if not given.
    """
    total = sum(units.values())
    days = [day for day in units_by_day if day is not None]
    last = today or (max(days) if days else None)
    span = (max(days) - min(days)).days + 1 if days else 0
    by_size = definition.planned_units is not None and total >= definition.planned_units
    by_date = definition.end_date is not None and last is not None and last > definition.end_date
    stopped = definition.state in {"stopped", "archived"}
    unplanned = definition.planned_units is None and definition.end_date is None
    fixed = definition.analysis.method is AnalysisMethod.FIXED
    finished = by_size or by_date or stopped or (fixed and unplanned)
    return Progress(
        units=total,
        planned_units=definition.planned_units,
        units_per_day=total / span if span > 1 else None,
        finished=finished,
        judged_now=finished or not fixed,
    )


def _half_width(lower: float | None, upper: float | None, estimate: float) -> float | None:
    if lower is not None and upper is not None:
        return (upper - lower) / 2
    end = lower if lower is not None else upper
    return None if end is None else abs(estimate - end)
