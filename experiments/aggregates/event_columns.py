"""Event tables brought to one shape: known column names, UTC times, members instead of anonymous ids.

What is read from long event tables: their column names, and the columns to be made of each unit's events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum

import polars as pl

from experiments.aggregates.layout import is_met
from experiments.aggregates.tables import refuse_unreadable, utc_time
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


UNIT, VARIANT, TIME, TYPE, VALUE, EVENT = "unit", "variant", "time", "type", "value", "event"
"""Names of the columns in prepared tables."""

_LINK_NAMES = ("anonymous_id", "member_id")
_UNIT_NAMES = ("unit_id", "member_id")


def prepared_exposures(exposures: pl.LazyFrame, spec: EventSpec) -> pl.LazyFrame:
    """Return the exposures of the experiment: unit, variant, time, segments, whether they met the trigger.

    Raises:
        AnalysisError: Columns are not there or of a wrong type, or times cannot be read.
    """
    schema, names = exposures.collect_schema(), spec.names
    unit = _unit_name(schema, spec, "exposures")
    needed = [names.variant, names.expose_time, *spec.segment_columns]
    _check(schema, [*needed, *([spec.trigger_column] if spec.trigger_column else [])], "exposures")
    if spec.experiment_id is not None and names.experiment in schema:
        exposures = exposures.filter(pl.col(names.experiment).cast(pl.String) == spec.experiment_id)
    refuse_unreadable(exposures, names.expose_time, schema[names.expose_time])
    met = (
        pl.lit(value=True)
        if spec.trigger_column is None
        else is_met(spec.trigger_column, schema[spec.trigger_column])
    )
    prepared = exposures.select(
        _text(unit, schema[unit]).alias(UNIT),
        _text(names.variant, schema[names.variant]).alias(VARIANT),
        utc_time(names.expose_time, schema[names.expose_time]).alias(TIME),
        met.alias("met"),
        *(pl.col(name).alias(f"segment {name}") for name in spec.segment_columns),
        *_event(schema, names.event_id),
    )
    return _linked(prepared, spec)


def prepared_outcomes(outcomes: pl.LazyFrame, spec: EventSpec) -> pl.LazyFrame:
    """Return the outcomes of the types that columns are made of: unit, type, time, value.

    Raises:
        AnalysisError: Columns are not there or of a wrong type, or times cannot be read.
    """
    schema, names = outcomes.collect_schema(), spec.names
    unit = _unit_name(schema, spec, "outcomes")
    valued = any(column.aggregate is Aggregate.VALUE for column in spec.columns)
    _check(schema, [names.outcome_type, names.outcome_time, *([names.value] if valued else [])], "outcomes")
    if valued and not (schema[names.value].is_numeric() or schema[names.value] in (pl.Boolean, pl.Null)):
        raise AnalysisError(
            f"Column {names.value} of the outcomes holds {schema[names.value]}, but numbers are needed.",
            column=names.value,
        )
    types = sorted({column.outcome_type for column in spec.columns if column.outcome_type is not None})
    outcomes = outcomes.filter(pl.col(names.outcome_type).cast(pl.String).is_in(types))
    refuse_unreadable(outcomes, names.outcome_time, schema[names.outcome_time])
    prepared = outcomes.select(
        _text(unit, schema[unit]).alias(UNIT),
        pl.col(names.outcome_type).cast(pl.String).alias(TYPE),
        utc_time(names.outcome_time, schema[names.outcome_time]).alias(TIME),
        *([pl.col(names.value).cast(pl.Float64).fill_nan(None).alias(VALUE)] if valued else []),
        *_event(schema, names.event_id),
    )
    return _linked(prepared, spec)


def counted_once(events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the events without those whose id was there already; events without an id all count."""
    if EVENT not in events.collect_schema():
        return events
    named = events.filter(pl.col(EVENT).is_not_null()).unique(EVENT, keep="first")
    return pl.concat([named, events.filter(pl.col(EVENT).is_null())])


def _linked(events: pl.LazyFrame, spec: EventSpec) -> pl.LazyFrame:
    """Return the events with member ids in place of anonymous ones."""
    if spec.identities is None:
        return events
    schema = spec.identities.collect_schema()
    _check(schema, _LINK_NAMES, "identity links")
    links = spec.identities.select(_text(name, schema[name]) for name in _LINK_NAMES).drop_nulls().unique()
    twice = links.group_by("anonymous_id").len().filter(pl.col("len") > 1).collect(engine="streaming")
    if len(twice):
        raise AnalysisError(
            f"{len(twice):,} anonymous ids are linked to several members, for example"
            f" “{twice['anonymous_id'].sort()[0]}”."
        )
    joined = events.join(links, left_on=UNIT, right_on="anonymous_id", how="left")
    return joined.with_columns(pl.coalesce("member_id", UNIT).alias(UNIT)).drop("member_id")


def _text(column: str, dtype: pl.DataType) -> pl.Expr:
    """Return ids as text; a whole number is the same id whether a table holds 7 or 7.0, as it does beside nulls."""
    ids = pl.col(column)
    if not dtype.is_float():
        return ids.cast(pl.String)
    whole = ids.cast(pl.Int64, strict=False)
    return pl.when(ids == whole).then(whole.cast(pl.String)).when(ids.is_not_nan()).then(ids.cast(pl.String))


def _event(schema: Mapping[str, pl.DataType], name: str) -> list[pl.Expr]:
    return [pl.col(name).alias(EVENT)] if name in schema else []


def _unit_name(schema: Mapping[str, pl.DataType], spec: EventSpec, table: str) -> str:
    if spec.names.unit is not None:
        _check(schema, [spec.names.unit], table)
        return spec.names.unit
    for name in _UNIT_NAMES:
        if name in schema:
            return name
    raise AnalysisError(
        f"The {table} have no column {' or '.join(_UNIT_NAMES)}. They have: {', '.join(schema)}.", table=table
    )


def _check(schema: Mapping[str, pl.DataType], names: Sequence[str], table: str) -> None:
    missing = [name for name in names if name not in schema]
    if missing:
        close = get_close_matches(missing[0], list(schema), n=1)
        hint = f", did you mean {close[0]}?" if close else "."
        raise AnalysisError(
            f"The {table} have no column {', '.join(missing)}{hint} They have: {', '.join(schema)}.",
            table=table,
        )
