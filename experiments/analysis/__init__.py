"""Analysis of an experiment's log: who was exposed to what, what followed, and what the variants changed."""

from experiments.analysis.analyze import analyze
from experiments.analysis.members import Diagnostics
from experiments.analysis.result import ExperimentResult, Finding, MetricResult, VariantFigure

__all__ = ["Diagnostics", "ExperimentResult", "Finding", "MetricResult", "VariantFigure", "analyze"]
