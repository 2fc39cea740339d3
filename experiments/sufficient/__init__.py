"""Sufficient statistics: one pass from a table of units to what every method reads."""

from experiments.sufficient.cells import MIXED, NO_VALUE, Bounds, Cell, MetricStatistics
from experiments.sufficient.collecting import collect
from experiments.sufficient.diagnostics import Diagnostics
from experiments.sufficient.layout import MetricColumns, Source, TableLayout, Winsor
from experiments.sufficient.statistics import Statistics

__all__ = [
    "MIXED",
    "NO_VALUE",
    "Bounds",
    "Cell",
    "Diagnostics",
    "MetricColumns",
    "MetricStatistics",
    "Source",
    "Statistics",
    "TableLayout",
    "Winsor",
    "collect",
]
