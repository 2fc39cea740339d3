"""How the report writes figures: shares as percentages, units in the owner's word, rounding by the interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.analysis import ExperimentResult, MetricComparison
from experiments.definition import Metric, MetricKind
from experiments.number_format import count_of, decimals_for, interval_decimals, percent, plain, signed

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
        return _join(plain(figure * self.factor, self.decimals), self.unit)

    def value_of(self, figure: float, name: str) -> str:
        """Return a figure with what it is of: ``18.2 % buyers``; a unit that the name begins with is said once."""
        if self.unit and name.startswith(f"{self.unit} "):
            return f"{plain(figure * self.factor, self.decimals)} {name}"
        return f"{self.value(figure)} {name}"

    def change(self, difference: float) -> str:
        """Return a difference with its sign: ``−0.8 percentage points``."""
        return _join(signed(difference * self.factor, self.decimals), self.change_unit)

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


def between(lower: str | None, upper: str | None) -> str:
    """Return where a change lies, in words; empty without an interval."""
    if lower is None or upper is None:
        return f"at least {lower}" if lower is not None else f"at most {upper}" if upper is not None else ""
    return f"between {lower} and {upper}"


def percent_between(lower: float | None, upper: float | None) -> str:
    """Return where a relative change lies, in words; empty without an interval."""
    return between(
        None if lower is None else percent(lower),
        None if upper is None else percent(upper),
    )


def units(result: ExperimentResult, number: int) -> str:
    """Return a number of units in the owner's word: ``1 member``, ``20,000 players``."""
    return count_of(number, result.definition.unit, many(result.definition.unit))


def roughly(number: int) -> int:
    """Return a forecast rounded up to two digits, which is more than it knows: 14,295 becomes 15,000."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // step) * step


def many(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def amount(value: float, step: float, unit: str) -> str:
    """Return a sum of money with its sign, rounded to a step: ``+312,000 EUR``, ``+1.24 EUR``."""
    decimals = max(0, -round(math.log10(step)))
    return _join(signed(round(value / step) * step, decimals), unit)


def money_step(*values: float | None) -> float:
    """Return the step to which sums of money are rounded: two digits of the largest distance between them."""
    found = [value for value in values if value is not None]
    spread = max(found) - min(found) if len(found) > 1 else max((abs(value) for value in found), default=1.0)
    return 10.0 ** (math.floor(math.log10(spread)) - 1) if spread > 0 and math.isfinite(spread) else 0.01


def _join(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit else text
