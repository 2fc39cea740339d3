"""How offer models are compared: folds in time, the whole catalogue, paired differences with honest errors."""

from training.evaluation.evaluation import (
    Estimate,
    Evaluation,
    evaluate,
    join_halves,
    mean_estimate,
    over_members,
    paired_difference,
    ratio_estimate,
    sample_note,
)
from training.evaluation.folds import Fold, Split

__all__ = [
    "Estimate",
    "Evaluation",
    "Fold",
    "Split",
    "evaluate",
    "join_halves",
    "mean_estimate",
    "over_members",
    "paired_difference",
    "ratio_estimate",
    "sample_note",
]
