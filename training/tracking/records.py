"""Where things were recorded, in plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RecordedModel:
    """Where a model was recorded.

    Attributes:
        run_id: MLflow run.
        version: Version in the registry, ascending from 1 within a task.
        model_version: Unique name of the fitted model, under which decisions log it.
    """

    run_id: str
    version: str
    model_version: str


def model_version(model: str, run_id: str) -> str:
    """Return the name under which decisions log a model."""
    return f"{model}@{run_id[:12]}"


def metric_key(metric: str) -> str:
    """Return the name of a metric in MLflow, which refuses ``@``: ``ndcg@10`` is ``ndcg_at_10`` there."""
    return metric.replace("@", "_at_")
