"""Experiment definitions: the model, its rules, and how they are read from YAML."""

from experiments.definition.loading import load_experiments, parse_experiment
from experiments.definition.model import (
    Denominator,
    ExperimentDefinition,
    Metric,
    MetricKind,
    MetricRole,
    Numerator,
    State,
    Variant,
)

__all__ = [
    "Denominator",
    "ExperimentDefinition",
    "Metric",
    "MetricKind",
    "MetricRole",
    "Numerator",
    "State",
    "Variant",
    "load_experiments",
    "parse_experiment",
]
