"""An experiment as a trial of effects: who got which variant, what the primary metric says of each, and what was known before."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from experiments.analysis.measures import metric_sources, table_layout
from experiments.analysis.unit_table import build_member_table, event_units
from experiments.definition import Attribution, ExperimentDefinition, Metric, MetricKind, Source
from experiments.errors import AnalysisError
from experiments.log.frames import EventFrames, as_members
from experiments.standing_arms import is_standing, with_decisions_as_exposures
from experiments.uplift.trial import Trial, arm_positions

UNIT, VARIANT, VALUE = "unit", "variant", "value"
_VALUED = {MetricKind.MEAN, MetricKind.COUNT, MetricKind.PROPORTION, MetricKind.RETENTION}
_FEWEST = 20


def table_units(
    definition: ExperimentDefinition, table: pl.LazyFrame, features: Sequence[str]
) -> pl.DataFrame:
    """Return ``unit``, ``variant``, ``value`` and the features, one row per unit of a table.

    Args:
        definition: The experiment; its primary metric names a column or a sum of columns.
        table: One row per unit.
        features: Columns that were known before; every other one that the definition does not use if none is named.

    Returns:
        The columns ``unit``, ``variant``, ``value`` and one per feature.

    Raises:
        AnalysisError: The metric has no value per unit, or a column is missing.
    """
    metric = _valued(definition.primary_metric)
    columns = table.collect_schema().names()
    layout = table_layout(definition, columns)
    taken = {
        layout.variant_column,
        layout.unit_column,
        layout.time_column,
        layout.cluster_column,
        layout.trigger_column,
    }
    taken |= {name for one in definition.metrics for name in _columns_of(one)}
    for name in features:
        if name not in columns or name in taken:
            raise AnalysisError(
                f"{name!r} is not a feature of this table: {'the definition uses it' if name in taken else 'it has no such column'}."
            )
    kept = list(features) or [name for name in columns if name not in taken]
    unit = (
        pl.int_range(pl.len(), dtype=pl.Int64) if layout.unit_column is None else pl.col(layout.unit_column)
    )
    chosen = table.select(
        unit.cast(pl.String).alias(UNIT),
        pl.col(layout.variant_column).cast(pl.String).alias(VARIANT),
        _expression(metric.numerator).cast(pl.Float64).alias(VALUE),
        *(pl.col(name) for name in kept if name not in {UNIT, VARIANT, VALUE}),
    )
    rows = chosen.collect()
    return rows.filter(~pl.col(UNIT).is_in(list(definition.overrides)))


def event_trial_units(
    definition: ExperimentDefinition,
    exposures: pl.LazyFrame,
    outcomes: pl.LazyFrame,
    identities: pl.LazyFrame | None = None,
    today: date | None = None,
) -> pl.DataFrame:
    """Return ``unit``, ``variant`` and ``value`` of event tables, one row per exposed unit.

    Args:
        definition: The experiment; its primary metric names events.
        exposures: One row per exposure.
        outcomes: One row per outcome.
        identities: Which anonymous ids belong to which member.
        today: The last day of the data; the latest time found if not given.

    Returns:
        The columns ``unit``, ``variant`` and ``value``.

    Raises:
        AnalysisError: The metric has no value per unit, or the tables cannot be read.
    """
    metric = _valued(definition.primary_metric)
    units = event_units(definition, exposures, outcomes, identities, today)
    name = next(metric_sources(metric))[0]
    assert units.layout.unit_column is not None
    return units.frame.select(
        pl.col(units.layout.unit_column).cast(pl.String).alias(UNIT),
        pl.col(units.layout.variant_column).cast(pl.String).alias(VARIANT),
        pl.col(name).cast(pl.Float64).alias(VALUE),
    )


def log_units(
    definition: ExperimentDefinition, frames: EventFrames, today: date | None = None
) -> pl.DataFrame:
    """Return ``unit``, ``variant`` and ``value`` of the server's log, one row per exposed member.

    Args:
        definition: The experiment; its primary metric names events.
        frames: Exposures, decisions, outcomes and identities of the log.
        today: The last day of the data; the latest time found if not given.

    Returns:
        The columns ``unit``, ``variant`` and ``value``.

    Raises:
        AnalysisError: The metric has no value per unit, or nobody was exposed.
    """
    metric = _valued(definition.primary_metric)
    if is_standing(definition):
        frames = with_decisions_as_exposures(definition, frames)
    exposures, outcomes = (
        as_members(events, frames.identities) for events in (frames.exposures, frames.outcomes)
    )
    if definition.attribution is not Attribution.DECISION:
        own = exposures.filter(pl.col("experiment_id") == definition.experiment_id)
        if own.is_empty():
            raise AnalysisError(f"There is no exposure of experiment {definition.experiment_id!r}.")
        plain = {"segments": (), "unit_column": "", "variant_column": "", "time_column": ""}
        return event_trial_units(
            definition.model_copy(update=plain), own.lazy(), outcomes.lazy(), None, today
        )
    members, refusals = build_member_table(definition, exposures, outcomes).with_metrics([metric])
    if metric.metric_id in refusals:
        raise AnalysisError(f"Who responded cannot be told: {refusals[metric.metric_id]}.")
    name = next(metric_sources(metric))[0]
    return members.select(
        pl.col("member_id").alias(UNIT),
        pl.col("variant_id").alias(VARIANT),
        pl.col(name).cast(pl.Float64).alias(VALUE),
    )


def experiment_trial(definition: ExperimentDefinition, units: pl.DataFrame, features: pl.DataFrame) -> Trial:
    """Return an experiment's units as a trial whose propensities are the planned shares.

    Args:
        definition: The experiment.
        units: ``unit``, ``variant``, ``value``.
        features: What was known of each before, row by row.

    Returns:
        The trial, its arms in the order of the variants with the control first.

    Raises:
        AnalysisError: A variant has too few units, or nothing is known of them.
    """
    metric, weights = definition.primary_metric, {one.variant_id: one.weight for one in definition.variants}
    names = (definition.control, *(one.variant_id for one in definition.treatments if one.weight))
    arm = arm_positions(names, units[VARIANT])
    known = (arm >= 0) & units[VALUE].is_finite().fill_null(value=False).to_numpy()
    arm = arm[known]
    counts = np.bincount(arm, minlength=len(names))
    if counts.min() < _FEWEST:
        raise AnalysisError(
            f"Variant {names[int(counts.argmin())]!r} has {counts.min()} units; to tell who responded every one needs at least {_FEWEST}."
        )
    if not features.width:
        raise AnalysisError(
            "Nothing is known of the units from before, so who responded cannot be told: give --members, or columns in the table."
        )
    shares = np.array([weights[name] for name in names], dtype=np.float64)
    places = np.flatnonzero(known)
    return Trial(
        units[UNIT][places],
        names,
        arm,
        (shares / shares.sum())[arm],
        {metric.metric_id: units[VALUE].to_numpy()[places].astype(np.float64)},
        features[places],
    )


def _valued(metric: Metric) -> Metric:
    if metric.kind not in _VALUED:
        raise AnalysisError(
            f"Who responded is told by a metric with a value per unit; {metric.metric_id!r} is a {metric.kind.value}."
        )
    return metric


def _columns_of(metric: Metric) -> list[str]:
    sources = [source for _, source in metric_sources(metric) if isinstance(source, Source)]
    return [
        name
        for source in sources
        for name in (source.column, *(term.column for term in source.terms))
        if name
    ]


def _expression(source: Source) -> pl.Expr:
    if source.event is not None:
        raise AnalysisError(
            "Who responded is told by columns of this table; the primary metric is made of events."
        )
    if source.column:
        return pl.col(source.column).cast(pl.Float64)
    return pl.sum_horizontal(
        float(term.factor) * pl.col(term.column).cast(pl.Float64) for term in source.terms
    )
