"""The model registry and the record of training runs, kept in MLflow.

The only package that imports mlflow, and only inside functions: importing it takes seconds, which a command that
prints its help should not pay. Plain values go in and come out.
"""

from training.tracking.recorder import OffersRecorder
from training.tracking.records import ModelRecord, ParentRecord, RecordedModel
from training.tracking.registry import PulledModel, RegisteredVersion, list_models, pull_model
from training.tracking.store import experiment_name, registered_model_name, tracking_uri

__all__ = [
    "ModelRecord",
    "OffersRecorder",
    "ParentRecord",
    "PulledModel",
    "RecordedModel",
    "RegisteredVersion",
    "experiment_name",
    "list_models",
    "pull_model",
    "registered_model_name",
    "tracking_uri",
]
