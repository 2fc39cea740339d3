"""How far an experiment is, and how far it has to go."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from experiments.analysis.comparison import Comparison, excludes_zero, planned_looks
from experiments.definition import AnalysisMethod, ExperimentDefinition
from experiments.number_format import count_of
from experiments.stats.outlook import days_to_go


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an experiment is.

    Attributes:
        units: Units of all variants so far.
        planned_units: Where it ends, if the plan says.
        units_per_day: New units a day; none if the days are unknown.
        finished: Whether the planned end is reached, by size or by date.
        judged_now: Whether the method allows a verdict now.
        dated: Whether it is known up to which day the data reach.
    """

    units: int
    planned_units: int | None
    units_per_day: float | None
    finished: bool
    judged_now: bool
    dated: bool = True

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
        if not self.dated:
            return "the data name no days, so say with --as-of up to which day they reach"
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

    def to_go(
        self, definition: ExperimentDefinition, success: Sequence[Comparison]
    ) -> tuple[int | None, int | None]:
        """Return units of the whole experiment and days until a verdict is expected.

        If the present estimate is the truth, the soonest success metric is expected to be proven after so many; the
        plan's end comes first if it is nearer. The estimate of an undecided metric is vague, and so is this.
        """
        needed = [more for one in success if (more := self._more_units(definition, one)) is not None]
        candidates = [*needed, *([self.units_to_go] if self.units_to_go else [])]
        if not candidates:
            return None, None
        return min(candidates), self._days(min(candidates))

    def _more_units(self, definition: ExperimentDefinition, one: Comparison) -> int | None:
        pair, interval = one.pair, one.decisive
        if pair is None or interval is None or interval.p_value is None or not self.units:
            return None
        share = pair.units / self.units
        # Without days, steps of a hundredth of the units so far stand in for them.
        rate = (self.units_per_day or self.units / 100) * share
        outlook = days_to_go(pair, rate, excludes_zero(definition, one), looks=planned_looks(definition, one))
        return None if not outlook.units else math.ceil(outlook.units / share)

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
    # Data that end on the last day are whole; on a given today the last day is not over.
    over = None if last is None else last - timedelta(days=1) if today is not None else last
    by_date = definition.end_date is not None and over is not None and over >= definition.end_date
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
        dated=last is not None,
    )
