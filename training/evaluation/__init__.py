"""How offer models are compared: splits by week, the metric the experiment measures, honest standard errors."""

from training.evaluation.estimates import Estimate, mean_estimate, ratio_estimate
from training.evaluation.metrics import METRICS, Evaluation, difference, evaluate
from training.evaluation.splits import WeekSplit
from training.evaluation.window import ValidationWindow, build_window

__all__ = [
    "METRICS",
    "Estimate",
    "Evaluation",
    "ValidationWindow",
    "WeekSplit",
    "build_window",
    "difference",
    "evaluate",
    "mean_estimate",
    "ratio_estimate",
]
