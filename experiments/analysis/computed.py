"""Figures that need the units' values, not only their moments: exact quantiles and the bootstrap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import polars as pl

from experiments.definition import Metric, MetricKind
from experiments.errors import AnalysisError
from experiments.stats import ArmEstimate
from experiments.stats.bootstrap import (
    ResampledArm,
    resample,
    weighted_mean,
    weighted_quantile,
    weighted_ratio,
)
from experiments.stats.quantile import quantile_estimate

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
    units: pl.LazyFrame,
    metrics: Sequence[tuple[Metric, Sequence[pl.Expr]]],
    variants: Mapping[str, str],
    variant: pl.Expr,
) -> ComputedFigures:
    """Compute the figures of all metrics and variants; one metric's columns are in memory at a time.

    Args:
        units: One row per unit.
        metrics: Metrics that need values, each with its numerator and, for a ratio, its denominator.
        variants: Variant ids by the values of the variant column.
        variant: The variant column, as text.
    """
    figures: dict[tuple[str, str], ArmEstimate] = {}
    replicates: dict[tuple[str, str], ResampledArm] = {}
    refusals: dict[tuple[str, str], str] = {}
    for metric, columns in metrics:
        names = [f"c{index}" for index in range(len(columns))]
        values = units.select(
            variant.alias("variant"),
            *(column.cast(pl.Float64).alias(name) for column, name in zip(columns, names, strict=True)),
        )
        for value, variant_id in variants.items():
            own = values.filter(pl.col("variant") == value).select(names).collect()
            complete = own.fill_nan(None).drop_nulls()
            arrays = [complete[name].to_numpy() for name in names]
            try:
                if metric.inference == "bootstrap":
                    seed = SEED + list(variants).index(value)
                    replicates[metric.metric_id, variant_id] = resample(arrays, _statistic(metric), seed=seed)
                else:
                    assert metric.quantile is not None
                    figures[metric.metric_id, variant_id] = quantile_estimate(arrays[0], metric.quantile)
            except AnalysisError as error:
                refusals[metric.metric_id, variant_id] = error.message
    return ComputedFigures(figures, replicates, refusals)


def _statistic(metric: Metric) -> Any:
    if metric.kind is MetricKind.QUANTILE:
        assert metric.quantile is not None
        return weighted_quantile(metric.quantile)
    return weighted_ratio if metric.kind is MetricKind.RATIO else weighted_mean
