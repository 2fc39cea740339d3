"""What is asked of a power analysis: which metric, from which past, for which effect."""

from pathlib import Path

import polars as pl

from experiments.aggregates import open_table
from experiments.definition import ExperimentDefinition, Metric
from experiments.errors import OptionError
from experiments.planning.history import read_history
from experiments.planning.power import PowerReport, plan_methods
from experiments.stats.power import Baseline, TargetEffect, baseline_of


def power(
    definition: ExperimentDefinition,
    *,
    data: str | Path | pl.LazyFrame | None = None,
    baseline_mean: float | None = None,
    baseline_sd: float | None = None,
    metric: str = "",
    effect: str | float = "",
    relative: float | None = None,
    units_per_day: float | None = None,
) -> PowerReport:
    """Say how many units and days each method needs, and what the planned units can find.

    Args:
        definition: The experiment.
        data: A table of the past with one row per unit, for mean and variance.
        baseline_mean: The metric's mean, in the place of a table.
        baseline_sd: Its standard deviation by unit.
        metric: Which metric; the primary one if empty.
        effect: The effect to be found: ``5%`` of the control's figure, or 0.5 in the metric's own unit.
        relative: The effect to be found, relative: 0.05 is 5 %.
        units_per_day: New units a day; from the table's days if not given.

    Returns:
        A plan for each method.

    Raises:
        OptionError: The options contradict each other, or the metric does not exist.
        AnalysisError: The table cannot be read, or there is no effect to plan for.
    """
    if (data is None) == (baseline_mean is None or baseline_sd is None):
        raise OptionError("Give --data TABLE, or both --baseline-mean and --baseline-sd.")
    if effect != "" and relative is not None:
        raise OptionError("Give --effect or --relative, not both.")
    target = None if relative is None else TargetEffect(relative, relative=True)
    if effect != "":
        size, share = read_effect(effect, "5% or 0.5")
        target = TargetEffect(size, relative=share)
    chosen = _metric(definition, metric)
    if data is None:
        assert baseline_mean is not None
        assert baseline_sd is not None
        return plan_methods(
            definition, chosen, Baseline(baseline_mean, baseline_sd**2, units_per_day), target
        )
    table = data if isinstance(data, pl.LazyFrame) else open_table(data)
    history = read_history(definition, table, [chosen])
    daily = history.units_per_day if units_per_day is None else units_per_day
    baseline = baseline_of(history.moments(chosen), history.shape(chosen), daily)
    return plan_methods(definition, chosen, baseline, target)


def read_effect(effect: str | float, examples: str) -> tuple[float, bool]:
    """Return the size of an effect, and whether it was written as a percentage, which ``5%`` is: (0.05, True).

    Args:
        effect: A number, or a text such as ``5%`` or ``0.5``.
        examples: What the message proposes.

    Raises:
        OptionError: The text is neither.
    """
    if not isinstance(effect, str):
        return effect, False
    number, percent, rest = effect.partition("%")
    try:
        size = float(number)
    except ValueError:
        rest = "no number"
    if rest.strip():
        raise OptionError(f"--effect is {effect!r}; write {examples}")
    return (size / 100, True) if percent else (size, False)


def read_relative_effect(effect: str | float) -> float:
    """Return a relative effect, which ``5%`` and ``0.05`` write alike; 0 for an empty text.

    Raises:
        OptionError: It is neither, or takes away everything.
    """
    if effect == "":
        return 0.0
    size, _ = read_effect(effect, "5% or 0.05")
    if not size > -1:
        raise OptionError(f"--effect is {effect!r}; write 5% or 0.05")
    return size


def _metric(definition: ExperimentDefinition, metric_id: str) -> Metric:
    try:
        return definition.metric(metric_id) if metric_id else definition.primary_metric
    except KeyError:
        known = ", ".join(one.metric_id for one in definition.metrics)
        raise OptionError(f"There is no metric {metric_id!r}; there are {known}.") from None
