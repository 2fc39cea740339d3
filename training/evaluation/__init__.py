"""How offer models are compared: folds in time, the whole catalogue, paired differences with honest errors."""

from training.evaluation.evaluation import (
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
    "ModelEvaluation",
    "evaluate",
    "join_halves",
    "mean_estimate",
    "over_members",
    "paired_difference",
    "ratio_estimate",
    "sample_note",
]
