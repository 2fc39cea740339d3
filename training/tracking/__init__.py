"""The model registry and the record of training runs, kept in MLflow.

The only package that imports mlflow, and only inside functions: importing it takes seconds, which a command that
prints its help should not pay. Plain values go in and come out.
"""

from training.tracking.comparing import ComparedVersion, VersionComparison, compare_versions, list_models
from training.tracking.pulling import PulledModel, pull_all, pull_model, pull_models
from training.tracking.registry import ModelRegistry, RegisteredVersion
from training.tracking.runs import RecordedModel
from training.tracking.store import experiment_name, registered_model_name, tracking_uri

__all__ = [
    "ComparedVersion",
    "ModelRegistry",
    "PulledModel",
    "RecordedModel",
    "RegisteredVersion",
    "VersionComparison",
    "compare_versions",
    "experiment_name",
    "list_models",
    "pull_all",
    "pull_model",
    "pull_models",
    "registered_model_name",
    "tracking_uri",
]
