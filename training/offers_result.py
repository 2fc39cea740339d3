"""What a training job for offers made, in plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.evaluation import Estimate


@dataclass(frozen=True)
class TrainedModel:
    """One recommender of a job.

    Attributes:
        name: Name of the recommender.
        model_version: Name under which decisions log it.
        parameters: Settings chosen on validation.
        metrics: Validation metrics of the chosen settings.
        difference: Paired difference to decayed personal frequency, empty for itself or when it did not take part.
        fit_seconds: Wall time of the refit, the model that serves.
        run_id: MLflow run.
        registered_version: Version in the registry.
    """

    name: str
    model_version: str
    parameters: Mapping[str, str | int | float | bool]
    metrics: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]
    fit_seconds: float
    run_id: str
    registered_version: str


@dataclass(frozen=True)
class TrainOffersResult:
    """What a training job made.

    Attributes:
        programme: Loyalty programme.
        parent_run_id: MLflow run that compares the models.
        experiment_id: MLflow experiment.
        experiment_name: Its name.
        tracking_uri: Address of the store, for ``mlflow ui --backend-store-uri``.
        registered_model: Name of the model in the registry.
        models: The recommenders, in the order they were asked for.
        champion: Name of the best one on validation.
        split: Which weeks were used for what, in words.
        data_fingerprint: SHA-256 of the data set.
        seed: Seed of all fits.
    """

    programme: str
    parent_run_id: str
    experiment_id: str
    experiment_name: str
    tracking_uri: str
    registered_model: str
    models: tuple[TrainedModel, ...]
    champion: str
    split: str
    data_fingerprint: str
    seed: int

    def model(self, name: str) -> TrainedModel:
        """Return a recommender by name."""
        return next(model for model in self.models if model.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "programme": self.programme,
            "parent_run_id": self.parent_run_id,
            "experiment_id": self.experiment_id,
            "experiment_name": self.experiment_name,
            "tracking_uri": self.tracking_uri,
            "registered_model": self.registered_model,
            "models": [
                {
                    "name": model.name,
                    "model_version": model.model_version,
                    "parameters": dict(model.parameters),
                    "metrics": _estimates_json(model.metrics),
                    "difference_to_decayed_frequency": _estimates_json(model.difference),
                    "fit_seconds": round(model.fit_seconds, 3),
                    "run_id": model.run_id,
                    "registered_version": model.registered_version,
                }
                for model in self.models
            ],
            "champion": self.champion,
            "split": self.split,
            "data_fingerprint": self.data_fingerprint,
            "seed": self.seed,
        }


def _estimates_json(estimates: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {
        name: {"value": estimate.value, "standard_error": estimate.standard_error}
        for name, estimate in estimates.items()
    }
