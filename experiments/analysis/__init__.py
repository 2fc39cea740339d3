"""Analysis of an experiment: what the variants changed, how sure that is, and what to do."""

from experiments.analysis.analyze import (
    analyze,
    analyze_decisions,
    analyze_events,
    analyze_log,
    analyze_table,
    reanalyze,
)
from experiments.analysis.comparison import MetricComparison
from experiments.analysis.decision import ExperimentDecision, TreatmentDecision, Verdict
from experiments.analysis.diagnostics import Diagnostics
from experiments.analysis.figures import VariantFigure
from experiments.analysis.money import MoneyEffect
from experiments.analysis.result import (
    DailyEffect,
    ExperimentResult,
    FactorEffect,
    NoveltyResult,
    SegmentResult,
)

__all__ = [
    "DailyEffect",
    "Diagnostics",
    "ExperimentDecision",
    "ExperimentResult",
    "FactorEffect",
    "MetricComparison",
    "MoneyEffect",
    "NoveltyResult",
    "SegmentResult",
    "TreatmentDecision",
    "VariantFigure",
    "Verdict",
    "analyze",
    "analyze_decisions",
    "analyze_events",
    "analyze_log",
    "analyze_table",
    "reanalyze",
]
