"""What an experiment of a given definition can find, by each method that it may be judged with.

A table of the past: units that no experiment has split yet, or whose split does not matter.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.aggregates import MetricColumns, Statistics, TableLayout, collect
from experiments.aggregates.layout import CODE, variant_code
from experiments.aggregates.rows import ReadPlan, complete_name, unit_rows, value_name
from experiments.analysis.measures import metric_columns, metric_shape, table_layout
from experiments.definition import Correction, Direction, ExperimentDefinition, Metric, MetricRole
from experiments.display import Displayed
from experiments.errors import AnalysisError, OptionError
from experiments.stats import Alternative, MetricShape, Moments, NonInferiorityMargin, Spending
from experiments.stats.power import (
    NO_EFFECT,
    Baseline,
    PowerMethod,
    PowerPlan,
    TargetEffect,
    achieved_power,
    baseline_of,
    expected_days,
    minimal_detectable_effect,
    parse_effect,
    required_units,
)

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


@dataclass(frozen=True, slots=True)
class MethodPower:
    """One method's plan. A figure that does not exist is none, and ``reasons`` says why, by its name.

    Attributes:
        method: ``fixed``, ``group-sequential`` or ``always-valid``.
        required_units: Units of the whole experiment that find the effect with the wanted power.
        days: Until they have come.
        average_days: Until the experiment ends on average if the effect is true and it stops as soon as it may.
        power: Chance to find the effect with the planned units.
        minimal_effect: Smallest effect, treatment minus control, that the planned units find with the wanted power.
        minimal_relative_effect: The same, relative to the control. For a guardrail the smallest margin, as a share.
        reasons: Why figures are missing.
    """

    method: str
    required_units: int | None
    days: float | None
    average_days: float | None
    power: float | None
    minimal_effect: float | None
    minimal_relative_effect: float | None
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class PowerReport(Displayed):
    """The plans of all methods.

    Attributes:
        metric_id: What is measured.
        baseline_mean: Without treatment.
        baseline_sd: Per unit, after covariates; for ratios that of the linearised figure.
        effect: Planned for: treatment minus control; none for a guardrail, whose margin is planned for.
        relative_effect: The same, relative to the control.
        margin: What the guardrail may lose; none for other metrics.
        alpha: Accepted error of all comparisons together.
        wanted_power: Chance to find the effect.
        comparisons: How many share alpha.
        planned_units: Of the whole experiment; ``None`` if not planned.
        units_per_day: Of the whole experiment; ``None`` if unknown.
        methods: One plan for each.
    """

    metric_id: str
    baseline_mean: float
    baseline_sd: float
    effect: float | None
    relative_effect: float | None
    margin: str | None
    alpha: float
    wanted_power: float
    comparisons: int
    planned_units: int | None
    units_per_day: float | None
    methods: tuple[MethodPower, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON document."""
        return asdict(self)

    def summary(self) -> str:
        """Return the units that each method needs."""
        units = ", ".join(
            f"{one.method} {'-' if one.required_units is None else f'{one.required_units:,}'}"
            for one in self.methods
        )
        effect = "" if self.effect is None else f" for an effect of {self.effect:.4g}"
        return f"{self.metric_id}{effect}, units: {units}"


def plan_methods(
    definition: ExperimentDefinition, metric: Metric, baseline: Baseline, effect: TargetEffect | None
) -> PowerReport:
    """Return what each method needs and can find.

    Units are those of the whole experiment; the treatment with the fewest units is planned for, at the first step of
    the correction, so that every other comparison is at least as good.

    Args:
        definition: The experiment.
        metric: A success metric, or a guardrail with a margin.
        baseline: The metric before, with units per day if known.
        effect: The true effect hoped for; without it, only what the planned units can find is told. A guardrail is
            planned for no true effect unless one is given.

    Raises:
        AnalysisError: There is neither an effect, nor a margin, nor a planned number of units; or the effect is
            relative to a figure that is not positive.
    """
    if effect is None and metric.margin is None and definition.planned_units is None:
        raise AnalysisError(
            f"Which effect on {metric.name} shall be found? Give it, for example 5 % of the control's figure, or"
            " planned_units in the definition."
        )
    if effect is None and metric.margin is not None:
        effect = NO_EFFECT
    absolute, relative = _both_scales(baseline, effect)
    plans = [_plan(definition, metric, method) for method in PowerMethod]
    return PowerReport(
        metric_id=metric.metric_id,
        baseline_mean=baseline.mean,
        baseline_sd=baseline.variance**0.5,
        effect=absolute,
        relative_effect=relative,
        margin=None if metric.margin is None else _margin_words(metric),
        alpha=definition.alpha,
        wanted_power=definition.power,
        comparisons=plans[0].comparisons,
        planned_units=definition.planned_units,
        units_per_day=baseline.units_per_day,
        methods=tuple(_method_power(baseline, effect, plan, definition.planned_units) for plan in plans),
    )


def plan_experiment(
    definition: ExperimentDefinition,
    *,
    table: pl.LazyFrame | None = None,
    moments: tuple[float, float] | None = None,
    metric_id: str = "",
    effect: TargetEffect | None = None,
    units_per_day: float | None = None,
) -> PowerReport:
    """Return what each method needs and can find, from a table of the past or from a mean and a standard deviation.

    Args:
        definition: The experiment.
        table: Units of the past, one row each.
        moments: In place of the table: mean and standard deviation of the metric by unit.
        metric_id: Which metric; the primary one if empty.
        effect: The true effect hoped for, as in ``plan_methods``.
        units_per_day: New units a day; from the table's days if not given.

    Returns:
        One plan for each method.

    Raises:
        OptionError: There is not exactly one of table and moments, or no such metric.
        AnalysisError: There is no effect to plan for, or the table cannot be read.
    """
    if (table is None) == (moments is None):
        raise OptionError("Give a table of the past, or the metric's mean and standard deviation.")
    known = {metric.metric_id: metric for metric in definition.metrics}
    if metric_id and metric_id not in known:
        raise OptionError(f"There is no metric {metric_id!r}; there are {', '.join(known)}.")
    metric = known[metric_id] if metric_id else definition.primary_metric
    if moments is not None:
        baseline = Baseline(moments[0], moments[1] ** 2, units_per_day)
    else:
        assert table is not None
        history = read_history(definition, table, [metric])
        daily = history.units_per_day if units_per_day is None else units_per_day
        baseline = baseline_of(history.moments(metric), history.shape(metric), daily)
    return plan_methods(definition, metric, baseline, effect)


def target_effect(effect: str | float | None, relative: float | None = None) -> TargetEffect | None:
    """Return the effect that options name; ``None`` without one.

    Args:
        effect: A text such as ``5%`` or ``0.5``, or a number in the metric's unit; empty for none.
        relative: In its place: an effect relative to the control's figure, 0.05 for 5 %.

    Raises:
        OptionError: Both are given, or the text names no effect.
    """
    named = effect is not None and effect != ""
    if named and relative is not None:
        raise OptionError("Give either an effect or a relative one.", "--effect")
    if relative is not None:
        return TargetEffect(relative, relative=True)
    if not named:
        return None
    if not isinstance(effect, str):
        return TargetEffect(float(effect or 0.0))
    try:
        return parse_effect(effect)
    except ValueError as error:
        raise OptionError(f"{error}.", "--effect") from None


def relative_size(effect: str | float | None) -> float:
    """Return a relative effect, which ``5%``, ``0.05`` and 0.05 name alike; 0 without one.

    Raises:
        OptionError: The text names no effect, or all of the control's figure would go.
    """
    target = target_effect(effect)
    size = 0.0 if target is None else target.size
    if not size > -1:
        raise OptionError(f"A relative effect must be above -100 %; it is {effect!r}.", "--effect")
    return size


def _plan(definition: ExperimentDefinition, metric: Metric, method: PowerMethod) -> PowerPlan:
    weights = {variant.variant_id: variant.weight for variant in definition.variants}
    whole = sum(weights.values())
    treatment = min(weights[one.variant_id] for one in definition.treatments if one.weight)
    successes = sum(one.role is MetricRole.SUCCESS for one in definition.metrics)
    corrected = metric.role is MetricRole.SUCCESS and definition.correction is not Correction.NONE
    settings = definition.analysis
    margin = metric.margin
    return PowerPlan(
        alpha=definition.alpha,
        power=definition.power,
        control_share=weights[definition.control] / whole,
        treatment_share=treatment / whole,
        alternative=Alternative(metric.alternative),
        comparisons=successes * len(definition.treatments) if corrected else 1,
        method=method,
        looks=tuple((k + 1) / settings.looks for k in range(settings.looks)),
        spending=Spending(settings.spending),
        phi=settings.phi,
        margin=None
        if margin is None
        else NonInferiorityMargin(absolute=margin.absolute, relative=margin.relative),
        higher_is_better=metric.direction is Direction.INCREASE,
    )


def _method_power(
    baseline: Baseline, effect: TargetEffect | None, plan: PowerPlan, planned_units: int | None
) -> MethodPower:
    reasons: dict[str, str] = {}
    required = days = average = power = minimal = minimal_relative = None
    if effect is None:
        reasons |= dict.fromkeys(
            ("required_units", "days", "average_days", "power"), "no effect is planned for"
        )
    else:
        try:
            required = required_units(baseline, effect, plan)
            expected = expected_days(baseline, effect, plan, units=required)
            days, average = expected.days, expected.average_days
        except AnalysisError as error:
            missing = ("days", "average_days") if required else ("required_units", "days", "average_days")
            reasons |= dict.fromkeys(missing, error.message)
    if planned_units is None:
        unplanned = "the definition plans no number of units"
        reasons |= dict.fromkeys(("power", "minimal_effect", "minimal_relative_effect"), unplanned)
    else:
        try:
            power = None if effect is None else achieved_power(baseline, effect, planned_units, plan)
            smallest = minimal_detectable_effect(baseline, planned_units, plan)
            minimal, minimal_relative = _both_scales(baseline, smallest)
        except AnalysisError as error:
            reasons |= dict.fromkeys(("minimal_effect", "minimal_relative_effect"), error.message)
            if power is None:
                reasons["power"] = error.message
    return MethodPower(plan.method.value, required, days, average, power, minimal, minimal_relative, reasons)


def _both_scales(baseline: Baseline, effect: TargetEffect | None) -> tuple[float | None, float | None]:
    """Return an effect as a difference and relative to the baseline, where it has a positive mean."""
    if effect is None:
        return None, None
    if effect.relative:
        if baseline.mean <= 0:
            raise AnalysisError(
                f"the metric's mean is {baseline.mean:g}; a relative effect needs one above zero"
            )
        return effect.size * baseline.mean, effect.size
    return effect.size, effect.size / baseline.mean if baseline.mean > 0 else None


def _margin_words(metric: Metric) -> str:
    assert metric.margin is not None
    if metric.margin.relative is not None:
        return f"{100 * metric.margin.relative:g} %"
    return f"{metric.margin.absolute:g}"
