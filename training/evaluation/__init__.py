"""How offer models are compared: folds in time, the whole catalogue, paired differences with honest errors."""

from training.evaluation.evaluation import (
    MetricEstimate,
    ModelEvaluation,
    evaluate,
    join_halves,
    mean_estimate,
    over_members,
    paired_difference,
    ratio_estimate,
    sample_note,
)
from training.evaluation.folds import DataSplit, Fold

__all__ = [
    "DataSplit",
    "Fold",
    "MetricEstimate",
    "ModelEvaluation",
    "evaluate",
    "join_halves",
    "mean_estimate",
    "over_members",
    "paired_difference",
    "ratio_estimate",
    "sample_note",
]
