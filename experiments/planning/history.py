"""A table of the past: units that no experiment has split yet, or whose split does not matter."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.aggregates import MetricColumns, Statistics, TableLayout, collect
from experiments.aggregates.layout import CODE, variant_code
from experiments.aggregates.rows import ReadPlan, complete_name, unit_rows, value_name
from experiments.analysis.measures import metric_columns, metric_shape, table_layout
from experiments.definition import ExperimentDefinition, Metric
from experiments.errors import AnalysisError
from experiments.stats import MetricShape, Moments

_EVERYBODY = "everybody"
# In place of a table's own variants; no table of a user has such a column.
_VARIANT_COLUMN = "|everybody|"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PastUnits:
    """A table's units as one group.

    Attributes:
        definition: What is measured.
        statistics: Sufficient statistics of all units.
    """

    definition: ExperimentDefinition
    statistics: Statistics
    _table: pl.LazyFrame
    _layout: TableLayout

    @property
    def units(self) -> int:
        """Units in the table."""
        return self.statistics.units(_EVERYBODY)

    @property
    def units_per_day(self) -> float | None:
        """New units per day; ``None`` if the table has no days, or a single one."""
        days = sorted(self.statistics.units_by_day(_EVERYBODY))
        if len(days) < 2:
            return None
        return self.units / ((days[-1] - days[0]).days + 1)

    def shape(self, metric: Metric) -> MetricShape:
        """Return how the metric is made of its columns."""
        return metric_shape(metric, clustered=self._layout.cluster_column is not None)

    def moments(self, metric: Metric) -> Moments:
        """Return the moments of all units.

        Raises:
            AnalysisError: The metric's values cannot be used.
        """
        return self.statistics.total(metric.metric_id, _EVERYBODY)

    def values(self, metric: Metric) -> Array:
        """Return the units' values, one row per unit that has all, with columns in the order of the moments.

        Raises:
            AnalysisError: The metric's values cannot be used.
        """
        self.moments(metric)
        columns = metric_columns(metric, derived=False)
        found = self.statistics.metrics[metric.metric_id].bounds
        plan = ReadPlan(
            schema=self._table.collect_schema(),
            layout=self._layout,
            metrics=(columns,),
            code=_code(self._table, self._layout),
            bounds={} if found is None else {metric.metric_id: found},
        )
        rows = unit_rows(self._table, plan, [True])
        counted = (pl.col(CODE) >= 0) & pl.col(complete_name(0))
        names = [value_name(0, column) for column in range(plan.width(0))]
        frame = rows.filter(counted).select(names).collect(engine="streaming")
        return frame.to_numpy().astype(np.float64, copy=False)


def read_history(definition: ExperimentDefinition, table: pl.LazyFrame, metrics: list[Metric]) -> PastUnits:
    """Read a table with one row per unit, whatever variants it may name.

    Args:
        definition: Which columns mean what.
        table: The units.
        metrics: What is read of them.

    Returns:
        The units.

    Raises:
        AnalysisError: The table cannot be read as the definition says.
    """
    for metric in metrics:
        if metric.reads_events or any(one.pre_period_days is not None for one in metric.covariates):
            raise AnalysisError(
                f"Metric {metric.metric_id!r} is made of events; a table with one row per unit needs a column. Name it"
                " in the definition."
            )
    named = table.with_columns(pl.lit(_EVERYBODY).alias(_VARIANT_COLUMN))
    columns = named.collect_schema().names()
    own = definition.model_copy(update={"variant_column": _VARIANT_COLUMN, "segments": ()})
    layout = replace(table_layout(own, columns), segment_columns=())
    # A table of the past may lack what only a running experiment has.
    layout = replace(
        layout,
        time_column=layout.time_column if layout.time_column in columns else None,
        trigger_column=layout.trigger_column if layout.trigger_column in columns else None,
    )
    wanted: list[MetricColumns] = [metric_columns(metric, derived=False) for metric in metrics]
    return PastUnits(definition, collect(named, layout, wanted, {_EVERYBODY: _EVERYBODY}), named, layout)


def _code(table: pl.LazyFrame, layout: TableLayout) -> pl.Expr:
    return variant_code(table.collect_schema(), layout, {_EVERYBODY: _EVERYBODY}, (_EVERYBODY,))
