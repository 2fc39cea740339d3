"""From event tables to one row per unit, as a definition's metrics ask for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from experiments.aggregates import TableLayout
from experiments.aggregates.events import EventDiagnostics, unit_table
from experiments.analysis.diagnostics import Diagnostics
from experiments.analysis.measures import metric_sources
from experiments.definition import Covariate, ExperimentDefinition, Metric, Source
from experiments.errors import AnalysisError
from experiments.number_format import count_of
from experiments.sufficient.event_spec import Aggregate, EventColumn, EventNames, EventSpec


@dataclass(frozen=True, slots=True)
class EventUnits:
    """The units of event tables.

    Attributes:
        frame: One row per unit, with the columns that ``metric_sources`` names.
        layout: Which column means what.
        diagnostics: What was left out.
    """

    frame: pl.DataFrame
    layout: TableLayout
    diagnostics: Diagnostics


def event_units(
    definition: ExperimentDefinition,
    exposures: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    identities: pl.LazyFrame | None,
    today: date | None,
) -> EventUnits:
    """Return one row per exposed unit.

    Args:
        definition: The experiment; its metrics name events.
        exposures: One row per exposure.
        outcomes: One row per outcome.
        identities: Which anonymous ids belong to which member.
        today: The last day of the data; the latest time found if not given.

    Raises:
        AnalysisError: A metric names a table's column, or the tables cannot be read.
    """
    if definition.cluster_column:
        raise AnalysisError(
            f"The definition names the cluster_column {definition.cluster_column!r}; event tables are read by unit. Name"
            " the cluster as unit_column instead, or give one row per unit with --data."
        )
    usual = EventNames()
    names = EventNames(
        unit=definition.unit_column or None,
        variant=definition.variant_column or usual.variant,
        expose_time=definition.time_column or usual.expose_time,
    )
    made = unit_table(
        exposures,
        outcomes,
        EventSpec(
            columns=tuple(_columns(definition)),
            window_days=definition.window_days,
            as_of=None if today is None else datetime.combine(today + timedelta(days=1), time(), UTC),
            experiment_id=definition.experiment_id,
            overridden=frozenset(definition.overrides),
            identities=identities,
            segment_columns=definition.segments,
            trigger_column=definition.trigger_column or None,
            names=names,
        ),
    )
    return EventUnits(made.frame, made.layout, _diagnostics(definition, made.diagnostics))


def _columns(definition: ExperimentDefinition) -> Iterator[EventColumn]:
    for metric in definition.metrics:
        for name, source in metric_sources(metric):
            yield _column(metric, name, source)


def _column(metric: Metric, name: str, source: Source | Covariate) -> EventColumn:
    window = metric.window_days
    if isinstance(source, Covariate):
        own = metric.numerator
        if own.event == "exposures":
            raise AnalysisError(
                f"Metric {metric.metric_id!r} counts exposures, and before the first one there are none: its covariate"
                " pre_period_days says nothing."
            )
        kind = own.outcome_type if metric.retention is None else metric.retention.outcome_type
        return EventColumn(name, Aggregate(own.aggregate), kind, pre_period_days=source.pre_period_days)
    if metric.retention is not None:
        kept = metric.retention
        return EventColumn(
            name, Aggregate.RETAINED, kept.outcome_type, first_day=kept.first_day, last_day=kept.last_day
        )
    if source.event == "exposures":
        return EventColumn(name, Aggregate.EXPOSURES, window_days=window)
    if source.event == "outcomes":
        return EventColumn(name, Aggregate(source.aggregate), source.outcome_type, window_days=window)
    raise AnalysisError(
        f"Metric {metric.metric_id!r} names a column of a table with one row per unit; event tables have outcomes. Give"
        " the table with --data, or say which outcomes the metric counts."
    )


def _diagnostics(definition: ExperimentDefinition, found: EventDiagnostics) -> Diagnostics:
    unit = definition.unit
    sentences = [
        f"{count_of(count, what)} {why}"
        for count, what, why in (
            (found.units_in_several_variants, unit, "in more than one variant left out."),
            (found.overridden_units, unit, "with a variant chosen by hand left out."),
            (found.immature_units, unit, "left out because the window after first exposure is not over."),
            (found.exposures_without_trigger, "exposure", "left out because no difference could be met."),
            (found.duplicate_exposures, "repeated exposure", "counted once."),
            (found.duplicate_outcomes, "repeated outcome", "counted once."),
            (found.incomplete_exposures, "exposure", f"without {unit}, variant or time left out."),
            (found.incomplete_outcomes, "outcome", f"without {unit} or time left out."),
            (found.outcomes_without_value, "outcome", "without a value add nothing."),
        )
        if count
    ]
    if found.absent_types:
        there = ", ".join(found.present_types) or "none"
        sentences.append(f"No outcome has the type {', '.join(found.absent_types)}; there are: {there}.")
    counts = {
        name: getattr(found, name)
        for name in EventDiagnostics.__dataclass_fields__
        if name not in {"immature_values", "absent_types", "present_types", "as_of"}
    }
    return Diagnostics(counts, tuple(sentences))
