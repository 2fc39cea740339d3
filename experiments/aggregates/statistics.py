"""What one pass over a table leaves: moments in cells that partition the units, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from experiments.aggregates.cells import Cell, MetricStatistics, cells_of, check_same, merged_metric, pooled
from experiments.errors import AnalysisError
from experiments.stats.moments import Moments
from experiments.sufficient.diagnostics import Diagnostics


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
    diagnostics: Diagnostics

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
        from experiments.sufficient.encoding import encode

        return encode(self)

    @staticmethod
    def from_json(text: str) -> "Statistics":
        """Return the statistics that ``to_json`` wrote.

        Raises:
            AnalysisError: The text is not such a document, or of a version that is not known.
        """
        from experiments.sufficient.encoding import decode

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
            raise AnalysisError(f"Column {column} is no segment column of the statistics.", column=column)
        return self.segment_columns.index(column)
