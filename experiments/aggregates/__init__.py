"""Sufficient statistics: one pass from a table of units to what every method reads."""

from experiments.aggregates.cells import MIXED, NO_VALUE, Bounds, Cell, MetricStatistics
from experiments.aggregates.collect import collect
from experiments.aggregates.event_columns import Aggregate, EventColumn, EventNames, EventSpec
from experiments.aggregates.events import EventDiagnostics, UnitTable, unit_table
from experiments.aggregates.layout import MetricColumns, Source, TableLayout, Winsor
from experiments.aggregates.statistics import Diagnostics, Statistics
from experiments.aggregates.tables import open_table

__all__ = [
    "MIXED",
    "NO_VALUE",
    "Aggregate",
    "Bounds",
    "Cell",
    "Diagnostics",
    "EventColumn",
    "EventDiagnostics",
    "EventNames",
    "EventSpec",
    "MetricColumns",
    "MetricStatistics",
    "Source",
    "Statistics",
    "TableLayout",
    "UnitTable",
    "Winsor",
    "collect",
    "open_table",
    "unit_table",
]
