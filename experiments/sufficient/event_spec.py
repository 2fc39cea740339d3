"""What is read from long event tables: their column names, and the columns to be made of each unit's events."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import polars as pl

from experiments.errors import AnalysisError


class Aggregate(StrEnum):
    """What becomes of a unit's events."""

    COUNT = "count"
    """Number of outcomes."""

    VALUE = "value"
    """Sum of the outcomes' values."""

    RETAINED = "retained"
    """1 if there is any outcome between two days after first exposure, else 0."""

    EXPOSURES = "exposures"
    """Number of exposures."""


@dataclass(frozen=True, slots=True)
class EventColumn:
    """One column of the unit table. Days are 24 hours, counted from the unit's first exposure.

    Attributes:
        name: Name of the column.
        aggregate: What becomes of the events.
        outcome_type: Which outcomes; of exposures None.
        window_days: Events before so many days after first exposure count; None takes the plan's window.
        first_day: Of retention, the first day after exposure that counts; 0 is the day of exposure.
        last_day: Of retention, the last day that counts, whole.
        pre_period_days: Count outcomes of so many days before first exposure instead, as a covariate.
    """

    name: str
    aggregate: Aggregate
    outcome_type: str | None = None
    window_days: float | None = None
    first_day: int = 0
    last_day: int = 0
    pre_period_days: float | None = None

    def __post_init__(self) -> None:
        if (self.outcome_type is None) != (self.aggregate is Aggregate.EXPOSURES):
            raise AnalysisError(f"Column {self.name} needs an outcome type, unless it counts exposures.")
        if self.aggregate is Aggregate.EXPOSURES and self.pre_period_days is not None:
            raise AnalysisError(f"Column {self.name} cannot count exposures before the first one.")
        if self.aggregate is Aggregate.RETAINED and not 0 <= self.first_day <= self.last_day:
            raise AnalysisError(
                f"Column {self.name} looks for retention from day {self.first_day} to day {self.last_day}."
            )
        for days in (self.window_days, self.pre_period_days):
            if days is not None and not days > 0:
                raise AnalysisError(f"Column {self.name} has a window of {days} days; it must be above 0.")


@dataclass(frozen=True, slots=True)
class EventNames:
    """The names of the event tables' columns.

    Attributes:
        unit: Unit id in both tables; None takes ``unit_id`` or ``member_id``, whichever is there.
        variant: Variant, in the exposures.
        expose_time: Time of the exposure.
        outcome_type: Type of the outcome.
        outcome_time: Time of the outcome.
        value: Value of the outcome, needed only for sums of values.
        event_id: Id of the event in both tables; where the column is there, each id counts once.
        experiment: Experiment id, in the exposures.
    """

    unit: str | None = None
    variant: str = "variant_id"
    expose_time: str = "expose_time"
    outcome_type: str = "outcome_type"
    outcome_time: str = "outcome_time"
    value: str = "value"
    event_id: str = "event_id"
    experiment: str = "experiment_id"


@dataclass(frozen=True, slots=True)
class EventSpec:
    """How a unit table is made of event tables.

    Attributes:
        columns: The columns to be made.
        window_days: Days after first exposure in which outcomes count; units whose window is not over at ``as_of``
            are left out. None counts all that followed, and leaves nobody out.
        as_of: When the data end, with a time zone: no later event counts. None takes the latest time in either table.
        experiment_id: Only exposures of this experiment count, where they name one; None takes all.
        overridden: Units whose variant was set by hand; they never count.
        identities: Links with columns ``anonymous_id`` and ``member_id``, applied to both tables before anything
            else; an id without a link stands for itself.
        segment_columns: Columns of the exposures; a unit has the value of its first exposure.
        trigger_column: Column of the exposures; only those with true or 1 count.
        names: The names of the tables' columns.
    """

    columns: tuple[EventColumn, ...]
    window_days: float | None = None
    as_of: datetime | None = None
    experiment_id: str | None = None
    overridden: frozenset[str] = frozenset()
    identities: pl.LazyFrame | None = None
    segment_columns: tuple[str, ...] = ()
    trigger_column: str | None = None
    names: EventNames = field(default_factory=EventNames)

    def window_of(self, column: EventColumn) -> float | None:
        """Return the days after first exposure that must be over before a column's value is final."""
        if column.pre_period_days is not None:
            return None
        if column.aggregate is Aggregate.RETAINED:
            return column.last_day + 1
        return self.window_days if column.window_days is None else column.window_days
