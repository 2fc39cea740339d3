"""From a table with one row per unit to sufficient statistics, in one pass over the data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from experiments.aggregates.cells import Cell, MetricStatistics, refuse_many_cells, refuse_many_segments
from experiments.aggregates.checks import (
    ValueCounts,
    binary_refusal,
    check_columns,
    count_values,
    infinity_refusal,
    refuse_duplicates,
    size_refusal,
    text_refusal,
    type_refusal,
)
from experiments.aggregates.layout import (
    CODE,
    NO_CLUSTER,
    NO_VARIANT,
    NOT_TRIGGERED,
    SEVERAL_VARIANTS,
    UNKNOWN_VARIANT,
    MetricColumns,
    TableLayout,
    check_metrics,
    variant_code,
)
from experiments.aggregates.rows import DAY, ReadPlan, metric_bounds, segment_name
from experiments.aggregates.statistics import MAX_EXAMPLES, CollectionDiagnostics, Statistics
from experiments.aggregates.sums import Sums, settled_sums
from experiments.aggregates.tables import refuse_unreadable
from experiments.errors import AnalysisError


def collect(
    table: pl.DataFrame | pl.LazyFrame,
    layout: TableLayout,
    metrics: Sequence[MetricColumns],
    variants: Mapping[str, str],
) -> Statistics:
    """Return the sufficient statistics of a table with one row per unit (or per member of a cluster).

    Of a lazy frame neither rows nor columns that are not needed are held: Parquet files larger than memory stream.
    A metric whose values cannot be used (infinite, text, no proportion) is refused by name; the others stand.

    Args:
        table: One row per unit.
        layout: Which columns are the variant, the unit, the time of first exposure, …
        metrics: The metrics with their columns.
        variants: Variant id by value in the table; several values may mean one variant. Rows with other values are
            counted and left out.

    Raises:
        AnalysisError: The table lacks columns or rows, no row has a known variant, units come twice, times cannot
            be read, or a segment column has too many values.
    """
    check_metrics(metrics)
    try:
        return _collect(table, layout, tuple(metrics), variants)
    except pl.exceptions.PolarsError as error:
        sentence = str(error).strip().splitlines()[0]
        raise AnalysisError(f"The table cannot be read: {sentence}") from error


def _collect(
    table: pl.DataFrame | pl.LazyFrame,
    layout: TableLayout,
    metrics: tuple[MetricColumns, ...],
    variants: Mapping[str, str],
) -> Statistics:
    lazy = table.lazy()
    schema = lazy.collect_schema()
    check_columns(schema, layout, metrics)
    variant_ids = tuple(dict.fromkeys(variants.values()))
    code = variant_code(schema, layout, variants, variant_ids)
    if layout.time_column is not None:
        refuse_unreadable(lazy, layout.time_column, schema[layout.time_column])
    refuse_many_segments(lazy, layout.segment_columns)
    refused = {
        metric.metric_id: text_refusal(lazy, metric, *found)
        for metric in metrics
        if (found := type_refusal(schema, metric)) is not None
    }
    usable = tuple(metric for metric in metrics if metric.metric_id not in refused)
    plan = ReadPlan(schema, layout, usable, code, metric_bounds(lazy, code, usable))
    sums = settled_sums(table, plan, len(variant_ids))
    refuse_many_cells(len(sums.units))
    diagnostics = _row_diagnostics(lazy, plan, sums)
    if not sums.units.sum():
        _refuse_nothing(layout, diagnostics, variants)
    if layout.unit_column is not None:
        everything = not any(sums.left_out.values()) and not plan.clustered
        refuse_duplicates(table, layout.unit_column, None if everything else code)
    counts = _value_counts(lazy, plan, sums)
    refused |= _refusals(lazy, plan, sums, counts)
    missing = {
        metric.metric_id: int(sums.units.sum() - sums.counts[place].sum())
        for place, metric in enumerate(usable)
    }
    return _statistics(
        plan,
        sums,
        metrics=[(metric, refused.get(metric.metric_id)) for metric in metrics],
        variant_ids=variant_ids,
        diagnostics=replace(
            diagnostics,
            missing={name: count for name, count in missing.items() if count},
            nulls=counts.nulls,
            nans=counts.nans,
        ),
    )


def _value_counts(table: pl.LazyFrame, plan: ReadPlan, sums: Sums) -> ValueCounts:
    """Count missing and infinite values where the sums hint at some; a cap would hide infinite values."""
    suspects = [
        name
        for place, metric in enumerate(plan.metrics)
        if plan.clustered
        or metric.metric_id in plan.bounds
        or not sums.is_finite(place)
        or sums.counts[place].sum() < sums.units.sum()
        for name in metric.names
    ]
    return count_values(table, plan.code, suspects, plan.schema)


def _refusals(table: pl.LazyFrame, plan: ReadPlan, sums: Sums, counts: ValueCounts) -> dict[str, str]:
    refused = {}
    for place, metric in enumerate(plan.metrics):
        reason = infinity_refusal(metric, counts)
        if reason is None and not sums.is_finite(place):
            reason = size_refusal(metric)
        if reason is None and metric.binary and not (sums.binary[place] and not plan.clustered):
            reason = binary_refusal(table, plan.code, metric)
        if reason is not None:
            refused[metric.metric_id] = reason
    return refused


def _row_diagnostics(table: pl.LazyFrame, plan: ReadPlan, sums: Sums) -> CollectionDiagnostics:
    left_out = dict(sums.left_out)
    rows = int(sums.units.sum()) + sum(left_out.values())
    members = 0
    if plan.clustered:
        # Clusters are made of counted rows only, so that the others are counted here.
        by_code = dict(table.select(plan.code).group_by(CODE).len().collect(engine="streaming").iter_rows())
        rows = sum(by_code.values())
        left_out |= {code: count for code, count in by_code.items() if code < 0}
        members = _members_of_several(table, plan) if left_out.get(SEVERAL_VARIANTS) else 0
    unknown = left_out.get(UNKNOWN_VARIANT, 0)
    return CollectionDiagnostics(
        rows=rows,
        without_variant=left_out.get(NO_VARIANT, 0),
        in_unknown_variants=unknown,
        not_triggered=left_out.get(NOT_TRIGGERED, 0),
        without_cluster=left_out.get(NO_CLUSTER, 0),
        clusters_in_several_variants=left_out.get(SEVERAL_VARIANTS, 0),
        members_of_those_clusters=members,
        unknown_examples=_unknown_examples(table, plan) if unknown else (),
    )


def _members_of_several(table: pl.LazyFrame, plan: ReadPlan) -> int:
    rows = table.select(plan.code, cluster=pl.col(plan.layout.cluster_column or "")).filter(pl.col(CODE) >= 0)
    clusters = rows.group_by("cluster").agg(pl.len(), mixed=pl.col(CODE).min() != pl.col(CODE).max())
    return int(clusters.filter("mixed").select(pl.col("len").sum()).collect(engine="streaming").item())


def _unknown_examples(table: pl.LazyFrame, plan: ReadPlan) -> tuple[str, ...]:
    value = pl.col(plan.layout.variant_column).cast(pl.String).alias("value")
    unknown = table.select(plan.code, value).filter(pl.col(CODE) == UNKNOWN_VARIANT)
    found = unknown.select("value").head(1000).collect(engine="streaming").to_series()
    return tuple(found.unique().sort().head(MAX_EXAMPLES))


def _refuse_nothing(layout: TableLayout, found: CollectionDiagnostics, variants: Mapping[str, str]) -> None:
    if not found.rows:
        raise AnalysisError("The table has no rows.")
    column, known = layout.variant_column, ", ".join(str(value) for value in variants)
    if found.not_triggered:
        sentence = f"No unit met the trigger {layout.trigger_column}"
    elif found.clusters_in_several_variants:
        sentence = f"Every cluster of column {layout.cluster_column} has members in several variants"
    elif found.without_cluster:
        sentence = f"No unit of a known variant has a value in column {layout.cluster_column}"
    elif found.unknown_examples:
        seen = ", ".join(_visible(value) for value in found.unknown_examples)
        sentence = f"No row has a known variant: column {column} holds {seen}, and the variants are {known}"
    else:
        sentence = f"No row has a variant: column {column} is empty, and the variants are {known}"
    raise AnalysisError(f"{sentence}.", rows=str(found.rows))


def _statistics(
    plan: ReadPlan,
    sums: Sums,
    *,
    metrics: Sequence[tuple[MetricColumns, str | None]],
    variant_ids: tuple[str, ...],
    diagnostics: CollectionDiagnostics,
) -> Statistics:
    cells = _cells(plan, sums, variant_ids)
    cell_units = dict(zip(cells, sums.units.tolist(), strict=True))
    places = {metric.metric_id: place for place, metric in enumerate(plan.metrics)}
    found = {}
    for metric, reason in metrics:
        name, labels = metric.metric_id, plan.labels(metric)
        moments = [] if reason else zip(cells, sums.moments(places[name]), strict=True)
        held = {cell: one for cell, one in moments if one.count}
        found[name] = MetricStatistics(name, labels, held, None if reason else plan.bounds.get(name), reason)
    timed = plan.layout.time_column is not None
    return Statistics(
        variant_ids=variant_ids,
        segment_columns=plan.layout.segment_columns,
        clustered=plan.clustered,
        cell_units=cell_units,
        metrics=found,
        diagnostics=replace(
            diagnostics,
            without_day=sum(n for cell, n in cell_units.items() if timed and cell.day is None),
        ),
    )


def _cells(plan: ReadPlan, sums: Sums, variant_ids: Sequence[str]) -> list[Cell]:
    size = len(sums.units)
    days = sums.keys[DAY].to_list() if DAY in sums.keys.columns else [None] * size
    segments = [sums.keys[segment_name(place)].to_list() for place in range(len(plan.layout.segment_columns))]
    values = zip(*segments, strict=True) if segments else [()] * size
    return [
        Cell(variant_ids[code], day, tuple(value))
        for code, day, value in zip(np.asarray(sums.codes).tolist(), days, values, strict=True)
    ]


def _visible(value: str) -> str:
    """Return a value so that spaces around it are seen."""
    return value if value and value == value.strip() else f"“{value}”"
