"""Experiment definitions: the model, its rules, its life, and how they are read from YAML."""

from experiments.definition.lifecycle import change_problems, check_changes, transition_problem
from experiments.definition.loading import (
    load_experiment,
    load_experiments,
    parse_experiment,
    together_problems,
)
from experiments.definition.metric import (
    Covariate,
    Direction,
    Margin,
    Metric,
    MetricKind,
    MetricRole,
    Retention,
    Source,
    Term,
    Winsorize,
)
from experiments.definition.model import ExperimentDefinition, Factor, Level, State, Variant
from experiments.definition.settings import (
    Allocation,
    Analysis,
    AnalysisMethod,
    Attribution,
    Correction,
    Holdout,
    LayerSlots,
    Money,
    Prior,
)

__all__ = [
    "Allocation",
    "Analysis",
    "AnalysisMethod",
    "Attribution",
    "Correction",
    "Covariate",
    "Direction",
    "ExperimentDefinition",
    "Factor",
    "Holdout",
    "LayerSlots",
    "Level",
    "Margin",
    "Metric",
    "MetricKind",
    "MetricRole",
    "Money",
    "Prior",
    "Retention",
    "Source",
    "State",
    "Term",
    "Variant",
    "Winsorize",
    "change_problems",
    "check_changes",
    "load_experiment",
    "load_experiments",
    "parse_experiment",
    "together_problems",
    "transition_problem",
]
