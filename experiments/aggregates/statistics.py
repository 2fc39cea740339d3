"""What one pass over a table leaves: moments in cells that partition the units, and what was left out.

What was left out of the figures, counted.

Statistics as a JSON document, exact to the bit: every figure can be recomputed from the file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any, Self

from experiments.aggregates.cells import (
    Bounds,
    Cell,
    MetricStatistics,
    cells_of,
    check_same,
    merged_metric,
    pooled,
)
from experiments.errors import AnalysisError
from experiments.stats.moments import Moments

MAX_EXAMPLES = 5
"""Most values of unknown variants that are kept as examples."""


@dataclass(frozen=True, slots=True)
class CollectionDiagnostics:
    """What was found in the table besides the figures; all are counts of rows, added up on merging.

    Attributes:
        rows: Rows of the table.
        without_variant: Rows without a value in the variant column.
        in_unknown_variants: Rows whose variant the experiment does not have.
        not_triggered: Rows of known variants that did not meet the trigger.
        without_cluster: Rows of known variants without a value in the cluster column.
        clusters_in_several_variants: Clusters that are left out because their members differ in variant.
        members_of_those_clusters: Rows of these clusters.
        without_day: Counted units (clusters) that have no time; they are in the totals and in no day.
        missing: Per metric, counted units (clusters) that lack a value in one of its columns.
        nulls: Per column, rows of known variants with null, for metrics that miss values.
        nans: Per column, rows of known variants with NaN, for metrics that miss values.
        unknown_examples: Some of the unknown values of the variant column, sorted.
    """

    rows: int = 0
    without_variant: int = 0
    in_unknown_variants: int = 0
    not_triggered: int = 0
    without_cluster: int = 0
    clusters_in_several_variants: int = 0
    members_of_those_clusters: int = 0
    without_day: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    nans: Mapping[str, int] = field(default_factory=dict)
    unknown_examples: tuple[str, ...] = ()

    def merge(self, other: Self) -> Self:
        """Return the counts of both parts together."""
        merged: dict[str, object] = {}
        for one in fields(self):
            ours, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(ours, Mapping):
                keys = dict.fromkeys((*ours, *theirs))
                merged[one.name] = {key: ours.get(key, 0) + theirs.get(key, 0) for key in keys}
            elif isinstance(ours, tuple):
                merged[one.name] = tuple(sorted({*ours, *theirs}))[:MAX_EXAMPLES]
            else:
                merged[one.name] = ours + theirs
        return type(self)(**merged)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sufficient statistics of an experiment's units, for any number of metrics.

    Attributes:
        variant_ids: All variants, also those without units.
        segment_columns: Columns that the cells' segments stand for.
        clustered: The units are clusters of rows.
        cell_units: Units of each cell, whether or not they have values; their sums are the experiment's sizes.
        metrics: Moments by metric id, in the order that was asked for.
        diagnostics: What was left out, and why.
    """

    variant_ids: tuple[str, ...]
    segment_columns: tuple[str, ...]
    clustered: bool
    cell_units: Mapping[Cell, int]
    metrics: Mapping[str, MetricStatistics]
    diagnostics: CollectionDiagnostics

    @property
    def refused(self) -> dict[str, str]:
        """Metrics without moments, each with the reason."""
        return {one.metric_id: one.refused for one in self.metrics.values() if one.refused is not None}

    def total(self, metric_id: str, variant_id: str) -> Moments:
        """Return the moments of all units of a variant; count 0 if none has values.

        Raises:
            AnalysisError: The metric or variant is unknown, or the metric was refused.
        """
        metric = self._metric(metric_id, variant_id)
        return pooled((moments for _, moments in cells_of(metric.cells, variant_id)), len(metric.columns))

    def by_day(self, metric_id: str, variant_id: str) -> dict[date, Moments]:
        """Return the moments of a variant by day of first exposure, in order; units without a day are left out.

        Raises:
            AnalysisError: The metric or variant is unknown, or the metric was refused.
        """
        metric = self._metric(metric_id, variant_id)
        days: dict[date, list[Moments]] = {}
        for cell, moments in cells_of(metric.cells, variant_id):
            if cell.day is not None:
                days.setdefault(cell.day, []).append(moments)
        return {day: pooled(days[day], len(metric.columns)) for day in sorted(days)}

    def by_segment(self, metric_id: str, variant_id: str, column: str) -> dict[str, Moments]:
        """Return the moments of a variant by the values of one segment column, in order.

        Args:
            metric_id: The metric.
            variant_id: The variant.
            column: The segment column.

        Raises:
            AnalysisError: The metric, variant or column is unknown, or the metric was refused.
        """
        metric = self._metric(metric_id, variant_id)
        place = self._place(column)
        values: dict[str, list[Moments]] = {}
        for cell, moments in cells_of(metric.cells, variant_id):
            values.setdefault(cell.segments[place], []).append(moments)
        return {value: pooled(values[value], len(metric.columns)) for value in sorted(values)}

    def units(self, variant_id: str) -> int:
        """Return how many units met a variant.

        Raises:
            AnalysisError: The variant is unknown.
        """
        self._check_variant(variant_id)
        return sum(count for _, count in cells_of(self.cell_units, variant_id))

    def units_by_day(self, variant_id: str) -> dict[date, int]:
        """Return how many units first met a variant on each day, in order.

        Raises:
            AnalysisError: The variant is unknown.
        """
        self._check_variant(variant_id)
        days: dict[date, int] = {}
        for cell, count in cells_of(self.cell_units, variant_id):
            if cell.day is not None:
                days[cell.day] = days.get(cell.day, 0) + count
        return dict(sorted(days.items()))

    def units_by_segment(self, variant_id: str, column: str) -> dict[str, int]:
        """Return how many units of a variant have each value of a segment column, in order.

        Raises:
            AnalysisError: The variant or column is unknown.
        """
        self._check_variant(variant_id)
        place = self._place(column)
        values: dict[str, int] = {}
        for cell, count in cells_of(self.cell_units, variant_id):
            values[cell.segments[place]] = values.get(cell.segments[place], 0) + count
        return dict(sorted(values.items()))

    def merge(self, other: Self) -> Self:
        """Return the statistics of both parts together; a unit must not be in both.

        A metric that was refused in one part is refused in the whole.

        Raises:
            AnalysisError: The parts differ in variants, segment columns, metrics, columns or caps.
        """
        for what in ("variant_ids", "segment_columns", "clustered"):
            check_same(what.replace("_", " "), getattr(self, what), getattr(other, what))
        check_same("metrics", tuple(self.metrics), tuple(other.metrics))
        return type(self)(
            variant_ids=self.variant_ids,
            segment_columns=self.segment_columns,
            clustered=self.clustered,
            cell_units={
                cell: self.cell_units.get(cell, 0) + other.cell_units.get(cell, 0)
                for cell in dict.fromkeys((*self.cell_units, *other.cell_units))
            },
            metrics={key: merged_metric(one, other.metrics[key]) for key, one in self.metrics.items()},
            diagnostics=self.diagnostics.merge(other.diagnostics),
        )

    def to_json(self) -> str:
        """Return the statistics as a JSON document that ``from_json`` reads back to the same bits."""
        return encode(self)

    @staticmethod
    def from_json(text: str) -> "Statistics":
        """Return the statistics that ``to_json`` wrote.

        Raises:
            AnalysisError: The text is not such a document, or of a version that is not known.
        """
        return decode(text)

    def _metric(self, metric_id: str, variant_id: str) -> MetricStatistics:
        self._check_variant(variant_id)
        if metric_id not in self.metrics:
            raise AnalysisError(f"There is no metric {metric_id} in the statistics.", metric_id=metric_id)
        metric = self.metrics[metric_id]
        if metric.refused is not None:
            raise AnalysisError(metric.refused, metric_id=metric_id)
        return metric

    def _check_variant(self, variant_id: str) -> None:
        if variant_id not in self.variant_ids:
            raise AnalysisError(f"There is no variant {variant_id} in the statistics.", variant_id=variant_id)

    def _place(self, column: str) -> int:
        if column not in self.segment_columns:
            raise AnalysisError(f"Column {column} is not a segment column of the statistics.", column=column)
        return self.segment_columns.index(column)


FORMAT = "troth-statistics"
"""What the document says it is."""

FORMAT_VERSION = 1
"""Version of the document's shape."""


def encode(statistics: Statistics) -> str:
    """Return the JSON document. Numbers are written with as many digits as their bits need."""
    cells = list(statistics.cell_units)
    places = {cell: place for place, cell in enumerate(cells)}
    document = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "variant_ids": statistics.variant_ids,
        "segment_columns": statistics.segment_columns,
        "clustered": statistics.clustered,
        "cells": [
            {
                "variant_id": cell.variant_id,
                "day": None if cell.day is None else cell.day.isoformat(),
                "segments": cell.segments,
                "units": statistics.cell_units[cell],
            }
            for cell in cells
        ],
        "metrics": [_metric_document(metric, places) for metric in statistics.metrics.values()],
        "diagnostics": asdict(statistics.diagnostics),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Statistics:
    """Return the statistics of a document.

    Raises:
        AnalysisError: The text is no such document, or one of an unknown version.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise AnalysisError(f"The statistics are not JSON: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise AnalysisError(f"The JSON document holds no statistics; its format should be {FORMAT}.")
    if document.get("version") != FORMAT_VERSION:
        raise AnalysisError(
            f"The statistics have version {document.get('version')}; this Troth reads version {FORMAT_VERSION}."
        )
    try:
        return _statistics(document)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AnalysisError(f"The statistics are damaged: {type(error).__name__} {error}.") from error


def _metric_document(metric: MetricStatistics, places: Mapping[Cell, int]) -> dict[str, Any]:
    return {
        "metric_id": metric.metric_id,
        "columns": metric.columns,
        "bounds": None if metric.bounds is None else metric.bounds._asdict(),
        "refused": metric.refused,
        "moments": [
            {
                "cell": places[cell],
                "count": moments.count,
                "means": moments.means,
                # The matrix is symmetric: its lower triangle, row by row, is all of it.
                "products": [row[: place + 1] for place, row in enumerate(moments.products)],
            }
            for cell, moments in metric.cells.items()
        ],
    }


def _statistics(document: Mapping[str, Any]) -> Statistics:
    cell_units = {
        Cell(
            one["variant_id"],
            None if one["day"] is None else date.fromisoformat(one["day"]),
            tuple(one["segments"]),
        ): int(one["units"])
        for one in document["cells"]
    }
    cells = list(cell_units)
    found = dict(document["diagnostics"])
    found["unknown_examples"] = tuple(found["unknown_examples"])
    return Statistics(
        variant_ids=tuple(document["variant_ids"]),
        segment_columns=tuple(document["segment_columns"]),
        clustered=document["clustered"],
        cell_units=cell_units,
        metrics={one["metric_id"]: _metric(one, cells) for one in document["metrics"]},
        diagnostics=CollectionDiagnostics(**found),
    )


def _metric(document: Mapping[str, Any], cells: Sequence[Cell]) -> MetricStatistics:
    bounds = document["bounds"]
    return MetricStatistics(
        metric_id=document["metric_id"],
        columns=tuple(document["columns"]),
        cells={cells[one["cell"]]: _moments(one) for one in document["moments"]},
        bounds=None if bounds is None else Bounds(**bounds),
        refused=document["refused"],
    )


def _moments(document: Mapping[str, Any]) -> Moments:
    rows = document["products"]
    size = len(rows)
    if len(document["means"]) != size or any(len(row) != place + 1 for place, row in enumerate(rows)):
        raise ValueError("means and products differ in size")
    return Moments(
        int(document["count"]),
        tuple(document["means"]),
        tuple(tuple(rows[max(i, j)][min(i, j)] for j in range(size)) for i in range(size)),
    )
