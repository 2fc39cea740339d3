"""How the report writes figures: shares as percentages, units in the owner's word, rounding by the interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.analysis import ExperimentResult, MetricComparison
from experiments.definition import Metric, MetricKind
from experiments.number_format import (
    between,
    count_of,
    decimals_for,
    interval_decimals,
    plain,
    plural,
    signed,
    with_unit,
)

_SHARES = {MetricKind.PROPORTION, MetricKind.RETENTION}


@dataclass(frozen=True, slots=True)
class FigureFormat:
    """Writes the figures of one metric.

    Attributes:
        factor: What a figure is multiplied by before it is written.
        decimals: Of all figures of the metric, so that they can be compared.
        unit: Behind a figure.
        change_unit: Behind a difference.
    """

    factor: float
    decimals: int
    unit: str
    change_unit: str

    def value(self, figure: float) -> str:
        """Return a figure: ``18.2 %``."""
        return with_unit(plain(figure * self.factor, self.decimals), self.unit)

    def value_of(self, figure: float, name: str) -> str:
        """Return a figure with what it is of: ``18.2 % buyers``; a unit that the name begins with is said once."""
        if self.unit and name.startswith(f"{self.unit} "):
            return f"{plain(figure * self.factor, self.decimals)} {name}"
        return f"{self.value(figure)} {name}"

    def change(self, difference: float) -> str:
        """Return a difference with its sign: ``−0.8 percentage points``."""
        return with_unit(signed(difference * self.factor, self.decimals), self.change_unit)

    def between(self, lower: float | None, upper: float | None) -> str:
        """Return where a difference lies: ``between −1.3 and −0.3``; empty without an interval."""
        ends = [None if end is None else signed(end * self.factor, self.decimals) for end in (lower, upper)]
        return between(ends[0], ends[1])


def figures_of(result: ExperimentResult, metric: Metric) -> FigureFormat:
    """Return how the figures of a metric are written: one digit finer than its intervals are wide."""
    means = [abs(figure.mean) for figure in result.figures_of(metric) if figure.mean is not None]
    return figures_for(metric, result.results_of(metric), max(means, default=1.0))


def figures_for(
    metric: Metric, comparisons: Sequence[MetricComparison], typical: float = 1.0
) -> FigureFormat:
    """Return how the figures of some comparisons of one metric are written.

    Args:
        metric: The metric.
        comparisons: What stands side by side.
        typical: A figure of the metric, for comparisons without any interval.

    Returns:
        The format: one digit finer than the narrowest interval asks for.
    """
    share = metric.kind in _SHARES
    factor = 100.0 if share else 1.0
    found = []
    for one in comparisons:
        interval = one.decisive
        if one.pair is None or interval is None:
            continue
        lower, upper = interval.ci_lower, interval.ci_upper
        if lower is not None and upper is not None:
            found.append(interval_decimals(lower * factor, upper * factor))
        elif one.pair.standard_error > 0:
            found.append(decimals_for(2 * one.pair.standard_error * factor))
    return FigureFormat(
        factor,
        max(found) + 1 if found else decimals_for(typical * factor / 100),
        metric.unit_label or ("%" if share else ""),
        "percentage points" if share and not metric.unit_label else metric.unit_label,
    )


def units(result: ExperimentResult, number: int) -> str:
    """Return a number of units in the owner's word: ``1 member``, ``20,000 players``."""
    return count_of(number, result.definition.unit, plural(result.definition.unit))
