"""The evidence behind a result: sufficient statistics, and the figures that need the units' values.

The latter, exact quantiles and the bootstrap, are computed once, when the table is at hand, and saved with the result.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import numpy as np
import polars as pl

from experiments.aggregates import Bounds, MetricColumns, Statistics, TableLayout
from experiments.aggregates.layout import CODE, variant_code
from experiments.aggregates.rows import source_value
from experiments.analysis.measures import metric_shape
from experiments.definition import ExperimentDefinition, Metric, MetricKind
from experiments.errors import AnalysisError
from experiments.stats import ArmEstimate, MetricShape, Moments
from experiments.stats.bootstrap import (
    ResampledArm,
    resample,
    weighted_mean,
    weighted_quantile,
    weighted_ratio,
)
from experiments.stats.quantile import quantile_estimate

_CLUSTER = "cluster"
SEED = 20_171_231


@dataclass(frozen=True, slots=True)
class ComputedFigures:
    """Figures by metric and variant, or the reason why there is none.

    Attributes:
        figures: Of quantiles.
        replicates: Of the bootstrap, with the figure itself.
        refusals: Why a metric's variant has neither.
    """

    figures: Mapping[tuple[str, str], ArmEstimate] = field(default_factory=dict)
    replicates: Mapping[tuple[str, str], ResampledArm] = field(default_factory=dict)
    refusals: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def figure(self, metric_id: str, variant_id: str) -> ArmEstimate:
        """Return a variant's figure.

        Raises:
            AnalysisError: There is none.
        """
        key = (metric_id, variant_id)
        found = self.figures.get(key) or (self.replicates[key].estimate if key in self.replicates else None)
        if found is None:
            raise AnalysisError(self.refusals.get(key, "the figure was not computed"))
        return found

    def resampled(self, metric_id: str, variant_id: str) -> ResampledArm:
        """Return a variant as the bootstrap sees it.

        Raises:
            AnalysisError: There is none.
        """
        self.figure(metric_id, variant_id)
        return self.replicates[metric_id, variant_id]

    def to_json(self) -> list[dict[str, Any]]:
        """Return the figures as JSON objects, the bootstrap's with all replicates."""
        return [
            {
                "metric_id": metric_id,
                "variant_id": variant_id,
                "members": arm.members,
                "mean": arm.mean,
                "variance": arm.variance,
                "replicates": replicates,
                "refusal": "",
            }
            for (metric_id, variant_id), arm, replicates in [
                *((key, arm, None) for key, arm in self.figures.items()),
                *((key, one.estimate, one.replicates.tolist()) for key, one in self.replicates.items()),
            ]
        ] + [
            {"metric_id": metric_id, "variant_id": variant_id, "refusal": refusal}
            for (metric_id, variant_id), refusal in self.refusals.items()
        ]

    @classmethod
    def from_json(cls, entries: Sequence[Mapping[str, Any]]) -> Self:
        """Return the figures that ``to_json`` wrote."""
        figures, replicates, refusals = {}, {}, {}
        for entry in entries:
            key = (entry["metric_id"], entry["variant_id"])
            if entry["refusal"]:
                refusals[key] = entry["refusal"]
                continue
            arm = ArmEstimate(entry["members"], entry["mean"], entry["variance"])
            if entry["replicates"] is None:
                figures[key] = arm
            else:
                replicates[key] = ResampledArm(arm, np.asarray(entry["replicates"]))
        return cls(figures, replicates, refusals)


def is_computed(metric: Metric) -> bool:
    """Return whether a metric needs the units' values."""
    return metric.kind is MetricKind.QUANTILE or metric.inference == "bootstrap"


def compute(
    table: pl.LazyFrame,
    layout: TableLayout,
    metrics: Sequence[tuple[Metric, MetricColumns]],
    variants: Mapping[str, str],
    statistics: Statistics,
) -> ComputedFigures:
    """Compute the figures of metrics and variants; one variant's values of one metric are in memory at a time.

    The same units count as in the statistics, with the same bounds.

    Args:
        table: What the statistics were collected from.
        layout: Which column means what.
        metrics: Metrics that need values and were not refused, each with its columns.
        variants: Variant ids by the values of the variant column.
        statistics: Of the table.

    Returns:
        The figures by metric and variant, and why some are missing.
    """
    figures: dict[tuple[str, str], ArmEstimate] = {}
    replicates: dict[tuple[str, str], ResampledArm] = {}
    refusals: dict[tuple[str, str], str] = {}
    variant_ids = tuple(dict.fromkeys(variants.values()))
    code = variant_code(table.collect_schema(), layout, variants, variant_ids)
    for metric, columns in metrics:
        values = _values(table, layout, code, columns, statistics.metrics[metric.metric_id].bounds)
        for place, variant_id in enumerate(variant_ids):
            own = values.filter(pl.col(CODE) == place).drop(CODE).collect(engine="streaming")
            try:
                if metric.inference == "bootstrap":
                    replicates[metric.metric_id, variant_id] = _resampled(metric, own, seed=SEED + place)
                else:
                    assert metric.quantile is not None
                    clusters = own[_CLUSTER].to_physical().rank("dense") if _CLUSTER in own.columns else None
                    figures[metric.metric_id, variant_id] = quantile_estimate(
                        own["c0"].to_numpy(), metric.quantile, clusters
                    )
            except AnalysisError as error:
                refusals[metric.metric_id, variant_id] = error.message
    return ComputedFigures(figures, replicates, refusals)


def _values(
    table: pl.LazyFrame, layout: TableLayout, code: pl.Expr, columns: MetricColumns, bounds: Bounds | None
) -> pl.LazyFrame:
    """Return the counted rows that have all values: code, cluster if there are any, and a column per source."""
    clusters = [] if layout.cluster_column is None else [pl.col(layout.cluster_column).alias(_CLUSTER)]
    sources = [source_value(source).fill_nan(None).alias(f"c{i}") for i, source in enumerate(columns.columns)]
    if bounds is not None:
        sources[0] = sources[0].clip(bounds.lower, bounds.upper)
    rows = table.select(code, *clusters, *sources).filter(pl.col(CODE) >= 0)
    if clusters:
        mixed = rows.group_by(_CLUSTER).agg(pl.col(CODE).min() != pl.col(CODE).max())
        rows = rows.join(mixed.filter(CODE), on=_CLUSTER, how="anti")
    return rows.filter(pl.all_horizontal(pl.col(f"c{i}").is_not_null() for i in range(len(sources))))


def _resampled(metric: Metric, rows: pl.DataFrame, *, seed: int) -> ResampledArm:
    clustered = _CLUSTER in rows.columns
    if metric.kind is MetricKind.QUANTILE:
        if clustered:
            raise AnalysisError(
                "the bootstrap knows no quantiles over clusters of rows; the formula does: leave inference out"
            )
        assert metric.quantile is not None
        return resample([rows["c0"].to_numpy()], weighted_quantile(metric.quantile), seed=seed)
    if clustered:
        rows = rows.group_by(_CLUSTER).agg(pl.exclude(_CLUSTER).sum(), pl.len().alias("rows")).sort(_CLUSTER)
    if metric.kind is MetricKind.RATIO:
        # Rows of a streamed table come in any order; the same ones shall give the same replicates.
        rows = rows.sort("c0", "c1")
        return resample([rows["c0"].to_numpy(), rows["c1"].to_numpy()], weighted_ratio, seed=seed)
    if clustered:
        return resample([rows["c0"].to_numpy(), rows["rows"].to_numpy()], weighted_ratio, seed=seed)
    return resample([rows["c0"].to_numpy()], weighted_mean, seed=seed)


@dataclass(frozen=True, slots=True)
class AnalysisEvidence:
    """An experiment's statistics beside its definition.

    Attributes:
        definition: The experiment.
        statistics: Of its metrics.
        computed: Quantiles and bootstrapped figures, which need more than moments.
        refusals: Metrics that could not be collected at all, each with the reason.
    """

    definition: ExperimentDefinition
    statistics: Statistics
    computed: ComputedFigures = field(default_factory=ComputedFigures)
    refusals: Mapping[str, str] = field(default_factory=dict)

    @property
    def units(self) -> dict[str, int]:
        """Units by variant, in the order of the definition."""
        return {
            variant.variant_id: self.statistics.units(variant.variant_id)
            for variant in self.definition.variants
        }

    @property
    def units_by_day(self) -> dict[date, dict[str, int]]:
        """New units by day of first exposure and variant, in order; empty if the days are unknown."""
        days: dict[date, dict[str, int]] = {}
        for variant_id in self.units:
            for day, count in self.statistics.units_by_day(variant_id).items():
                days.setdefault(day, {})[variant_id] = count
        return dict(sorted(days.items()))

    def shape(self, metric: Metric) -> MetricShape:
        """Return where the metric's quantities stand in its moments."""
        return metric_shape(metric, clustered=self.statistics.clustered)

    def total(self, metric: Metric, variant_id: str) -> Moments:
        """Return the moments of all units of a variant.

        Raises:
            AnalysisError: The metric could not be collected.
        """
        if metric.metric_id in self.refusals:
            raise AnalysisError(self.refusals[metric.metric_id])
        return self.statistics.total(metric.metric_id, variant_id)

    def by_moments(self) -> Iterator[Metric]:
        """Yield the metrics that were collected and whose moments say everything about them."""
        unusable = {**self.statistics.refused, **self.refusals}
        return (
            metric
            for metric in self.definition.metrics
            if metric.metric_id not in unusable and not is_computed(metric)
        )
