"""Sufficient statistics: one pass from a table of units to what every method reads."""

from experiments.aggregates.cells import MIXED, NO_VALUE, Bounds, Cell, MetricStatistics
from experiments.aggregates.collect import collect
from experiments.aggregates.event_columns import Aggregate, EventColumn, EventNames, EventSpec
from experiments.aggregates.events import EventDiagnostics, UnitTable, unit_table
from experiments.aggregates.layout import ColumnSource, MetricColumns, TableLayout, Winsor
from experiments.aggregates.statistics import CollectionDiagnostics, Statistics
from experiments.aggregates.tables import open_table

__all__ = [
    "MIXED",
    "NO_VALUE",
    "Aggregate",
    "Bounds",
    "Cell",
    "CollectionDiagnostics",
    "ColumnSource",
    "EventColumn",
    "EventDiagnostics",
    "EventNames",
    "EventSpec",
    "MetricColumns",
    "MetricStatistics",
    "Statistics",
    "TableLayout",
    "UnitTable",
    "Winsor",
    "collect",
    "open_table",
    "unit_table",
]
