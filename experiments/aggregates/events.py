"""From long event tables to a table with one row per unit, which ``collect`` reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from experiments.aggregates.event_columns import (
    EVENT,
    TIME,
    TYPE,
    UNIT,
    VALUE,
    VARIANT,
    Aggregate,
    EventColumn,
    EventSpec,
    counted_once,
    prepared_exposures,
    prepared_outcomes,
)
from experiments.aggregates.layout import TableLayout
from experiments.errors import AnalysisError

FIRST = "first_expose_time"
"""Name of the column with the time of first exposure."""

_MAX_TYPES = 10


@dataclass(frozen=True, slots=True)
class EventDiagnostics:
    """What was found in the event tables besides the unit table.

    Attributes:
        exposures: Exposures that count: of this experiment, each event id once, complete, trigger met.
        duplicate_exposures: Exposures whose event id was there already.
        incomplete_exposures: Exposures without unit, variant or time.
        exposures_without_trigger: Exposures that did not meet the trigger.
        units_in_several_variants: Units that met more than one variant; left out.
        overridden_units: Units whose variant was set by hand; left out.
        immature_units: Units whose window was not over when the data end; left out.
        outcomes: Outcomes of the wanted types, each event id once, with unit and time.
        duplicate_outcomes: Outcomes whose event id was there already.
        incomplete_outcomes: Outcomes without unit or time.
        outcomes_without_value: Outcomes of a type whose values are summed, without value; they add nothing.
        outcomes_of_others: Outcomes of units that are not in the table.
        immature_values: Per column with a window of its own, units whose value is not final; it is null.
        absent_types: Wanted outcome types that no outcome has.
        present_types: If there are absent ones, some of the types that there are instead, sorted.
        as_of: When the data end.
    """

    exposures: int
    duplicate_exposures: int
    incomplete_exposures: int
    exposures_without_trigger: int
    units_in_several_variants: int
    overridden_units: int
    immature_units: int
    outcomes: int
    duplicate_outcomes: int
    incomplete_outcomes: int
    outcomes_without_value: int
    outcomes_of_others: int
    immature_values: Mapping[str, int]
    absent_types: tuple[str, ...]
    present_types: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class UnitTable:
    """One row per unit.

    Attributes:
        frame: Columns ``unit``, ``variant``, ``first_expose_time``, the segment columns, and those of the spec as
            floating numbers.
        layout: The frame's layout, for ``collect``. Units are unique, so no unit column is named.
        diagnostics: What was left out.
    """

    frame: pl.DataFrame
    layout: TableLayout
    diagnostics: EventDiagnostics


def unit_table(exposures: pl.LazyFrame, outcomes: pl.LazyFrame, spec: EventSpec) -> UnitTable:
    """Return one row per unit that was exposed: its variant, its first exposure, its outcomes since.

    The event tables stream; what is held grows with the units (and with event ids, where there are any). Outcomes count
    from first exposure, that moment included, and before the end of the window.

    Args:
        exposures: One row per exposure.
        outcomes: One row per outcome.
        spec: What to make of them.

    Raises:
        AnalysisError: Columns are not there or hold the wrong things, or no exposure counts.
    """
    all_exposures, all_outcomes = (
        _until(spec.as_of, events)
        for events in (prepared_exposures(exposures, spec), prepared_outcomes(outcomes, spec))
    )
    met = _complete_exposures(counted_once(all_exposures)).filter("met")
    found = _exposure_counts(all_exposures)
    as_of = _as_of(spec, all_exposures, all_outcomes)
    everyone = _units(met, spec)
    if everyone.is_empty():
        raise AnalysisError("No exposure of the experiment has a unit, a variant and a time.")
    several = everyone["variants"] > 1
    overridden = everyone[UNIT].is_in(list(spec.overridden)) & ~several
    late = _immature(spec.window_days, as_of)
    kept = everyone.filter(~several & ~overridden)
    mature = kept.filter(~late)
    events = counted_once(all_outcomes).filter(pl.col(UNIT).is_not_null() & pl.col(TIME).is_not_null())
    frame = _joined(mature, met, events, spec, as_of)
    counts = _outcome_counts(all_outcomes, events, mature, spec)
    absent = _absent_types(all_outcomes, spec)
    return UnitTable(
        frame=frame,
        layout=TableLayout(VARIANT, time_column=FIRST, segment_columns=spec.segment_columns),
        diagnostics=EventDiagnostics(
            **found,
            exposures=int(everyone["exposures"].sum()),
            units_in_several_variants=int(several.sum()),
            overridden_units=int(overridden.sum()),
            immature_units=kept.height - mature.height,
            **counts,
            immature_values={
                column.name: count for column in spec.columns if (count := frame[column.name].null_count())
            },
            absent_types=absent,
            present_types=_types(outcomes, spec)[:_MAX_TYPES] if absent else (),
            as_of=as_of,
        ),
    )


def _absent_types(outcomes: pl.LazyFrame, spec: EventSpec) -> tuple[str, ...]:
    there = outcomes.select(pl.col(TYPE).unique()).collect(engine="streaming").to_series().to_list()
    wanted = {column.outcome_type for column in spec.columns if column.outcome_type is not None}
    return tuple(sorted(wanted - set(there)))


def _types(outcomes: pl.LazyFrame, spec: EventSpec) -> tuple[str, ...]:
    types = outcomes.select(pl.col(spec.names.outcome_type).cast(pl.String).drop_nulls().unique())
    return tuple(types.collect(engine="streaming").to_series().sort())


def _until(as_of: datetime | None, events: pl.LazyFrame) -> pl.LazyFrame:
    """Return the events before the data end; those without a time stay, to be counted."""
    if as_of is None:
        return events
    end = as_of if as_of.tzinfo is not None else as_of.replace(tzinfo=UTC)
    return events.filter((pl.col(TIME) < end).fill_null(value=True))


def _complete_exposures(exposures: pl.LazyFrame) -> pl.LazyFrame:
    return exposures.filter(pl.all_horizontal(pl.col(UNIT, VARIANT, TIME).is_not_null()))


def _units(exposures: pl.LazyFrame, spec: EventSpec) -> pl.DataFrame:
    first = pl.col(TIME) == pl.col(TIME).min()
    return (
        exposures.group_by(UNIT)
        .agg(
            pl.col(VARIANT).min(),
            # Two different texts differ in their least and greatest; counting the different ones would hold them all.
            (1 + (pl.col(VARIANT).min() != pl.col(VARIANT).max()).cast(pl.Int32)).alias("variants"),
            pl.col(TIME).min().alias(FIRST),
            pl.len().alias("exposures"),
            # Of two first exposures at one time, the smaller segment: any rule but chance.
            *(
                pl.col(f"segment {name}").filter(first).min().alias(f"segment {name}")
                for name in spec.segment_columns
            ),
        )
        .sort(UNIT)
        .collect(engine="streaming")
    )


def _immature(window_days: float | None, as_of: datetime) -> pl.Expr:
    if window_days is None:
        return pl.lit(value=False)
    return pl.col(FIRST) + timedelta(days=window_days) > as_of


def _as_of(spec: EventSpec, exposures: pl.LazyFrame, outcomes: pl.LazyFrame) -> datetime:
    if spec.as_of is not None:
        return spec.as_of if spec.as_of.tzinfo is not None else spec.as_of.replace(tzinfo=UTC)
    latest = [
        one.select(pl.col(TIME).max()).collect(engine="streaming").item() for one in (exposures, outcomes)
    ]
    return max((one for one in latest if one is not None), default=datetime.fromtimestamp(0, UTC))


def _joined(
    units: pl.DataFrame, exposures: pl.LazyFrame, outcomes: pl.LazyFrame, spec: EventSpec, as_of: datetime
) -> pl.DataFrame:
    start = units.lazy().select(UNIT, FIRST)
    made = units.lazy()
    for aggregate_exposures, events in ((True, exposures), (False, outcomes)):
        columns = [
            column
            for column in spec.columns
            if (column.aggregate is Aggregate.EXPOSURES) == aggregate_exposures
        ]
        if columns:
            aggregates = [_aggregate(column, spec).alias(column.name) for column in columns]
            made = made.join(events.join(start, on=UNIT).group_by(UNIT).agg(aggregates), on=UNIT, how="left")
    values = [
        pl.when(~_immature(spec.window_of(column), as_of))
        .then(pl.col(column.name).fill_null(0).cast(pl.Float64))
        .alias(column.name)
        for column in spec.columns
    ]
    segments = [pl.col(f"segment {name}").alias(name) for name in spec.segment_columns]
    return made.select(UNIT, VARIANT, FIRST, *segments, *values).sort(UNIT).collect(engine="streaming")


def _aggregate(column: EventColumn, spec: EventSpec) -> pl.Expr:
    since = pl.col(TIME) - pl.col(FIRST)
    if column.pre_period_days is not None:
        inside = (since < timedelta()) & (since >= -timedelta(days=column.pre_period_days))
    else:
        inside = since >= timedelta()
        if column.aggregate is Aggregate.RETAINED:
            inside = since >= timedelta(days=column.first_day)
        window = spec.window_of(column)
        if window is not None:
            inside &= since < timedelta(days=window)
    if column.outcome_type is not None:
        inside &= pl.col(TYPE) == column.outcome_type
    if column.aggregate is Aggregate.VALUE:
        return pl.when(inside).then(pl.col(VALUE)).sum()
    return inside.any() if column.aggregate is Aggregate.RETAINED else inside.sum()


def _exposure_counts(exposures: pl.LazyFrame) -> dict[str, int]:
    once = counted_once(exposures)
    complete = pl.all_horizontal(pl.col(UNIT, VARIANT, TIME).is_not_null())
    row = once.select(
        (~complete).sum().alias("incomplete"), (complete & ~pl.col("met")).sum().alias("untriggered")
    ).collect(engine="streaming")
    return {
        "duplicate_exposures": _duplicates(exposures),
        "incomplete_exposures": int(row["incomplete"][0]),
        "exposures_without_trigger": int(row["untriggered"][0]),
    }


def _outcome_counts(
    everything: pl.LazyFrame, events: pl.LazyFrame, units: pl.DataFrame, spec: EventSpec
) -> dict[str, int]:
    summed = [column.outcome_type for column in spec.columns if column.aggregate is Aggregate.VALUE]
    valueless = pl.col(TYPE).is_in(summed) & pl.col(VALUE).is_null() if summed else pl.lit(value=False)
    row = events.select(pl.len(), valueless.sum().alias("valueless")).collect(engine="streaming")
    others = events.join(units.lazy().select(UNIT), on=UNIT, how="anti")
    duplicates = _duplicates(everything)
    rows = everything.select(pl.len()).collect(engine="streaming").item()
    return {
        "outcomes": int(row["len"][0]),
        "duplicate_outcomes": duplicates,
        "incomplete_outcomes": int(rows) - duplicates - int(row["len"][0]),
        "outcomes_without_value": int(row["valueless"][0]),
        "outcomes_of_others": int(others.select(pl.len()).collect(engine="streaming").item()),
    }


def _duplicates(events: pl.LazyFrame) -> int:
    if EVENT not in events.collect_schema():
        return 0
    row = events.select(pl.col(EVENT).count().alias("n"), pl.col(EVENT).drop_nulls().n_unique().alias("ids"))
    found = row.collect(engine="streaming")
    return int(found["n"][0]) - int(found["ids"][0])
