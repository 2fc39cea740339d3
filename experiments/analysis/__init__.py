"""Analysis of an experiment: what the variants changed, how sure that is, and what to do."""

from experiments.analysis.analyze import (
    analyze,
    analyze_decisions,
    analyze_events,
    analyze_log,
    analyze_table,
    reanalyze,
)
from experiments.analysis.comparison import Comparison
from experiments.analysis.decision import Decision, TreatmentDecision, Verdict
from experiments.analysis.diagnostics import Diagnostics
from experiments.analysis.money import MoneyEffect
from experiments.analysis.result import (
    DailyEffect,
    ExperimentResult,
    FactorEffect,
    NoveltyResult,
    SegmentResult,
    VariantFigure,
)

__all__ = [
    "Comparison",
    "DailyEffect",
    "Decision",
    "Diagnostics",
    "ExperimentResult",
    "FactorEffect",
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
