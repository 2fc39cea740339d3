"""Sufficient statistics: one pass from a table of units to what every method reads."""

from experiments.sufficient.cells import MIXED, NO_VALUE, Bounds, Cell, MetricStatistics
from experiments.sufficient.collecting import collect
from experiments.sufficient.diagnostics import Diagnostics
from experiments.sufficient.event_spec import Aggregate, EventColumn, EventNames, EventSpec
from experiments.sufficient.events import EventDiagnostics, UnitTable, unit_table
from experiments.sufficient.layout import MetricColumns, Source, TableLayout, Winsor
from experiments.sufficient.statistics import Statistics
from experiments.sufficient.tables import open_table

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
