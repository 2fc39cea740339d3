"""What all figures of a result are computed from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from experiments.aggregates import Statistics
from experiments.analysis.computed import ComputedFigures, is_computed
from experiments.analysis.measures import metric_shape
from experiments.definition import ExperimentDefinition, Metric
from experiments.errors import AnalysisError
from experiments.stats import MetricShape, Moments


@dataclass(frozen=True, slots=True)
class Evidence:
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
