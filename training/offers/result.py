"""What a training job for offers made, in plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.display import Displayed
from experiments.stats.estimate import Estimate
from training.bundle import OfferModel
from training.evaluation import ModelEvaluation
from training.evaluation.evaluation import COUNTING, estimate_json, estimates_json
from training.offers.recipe import Known, Recipe
from training.recommenders.base import Parameter
from training.tracking.runs import JobInfo


@dataclass(frozen=True)
class TrialRecord:
    """One setting that was tried on the validation folds.

    Attributes:
        number: Place in the study, from 0.
        parameters: The setting.
        metrics: Estimate by name on validation.
        fit_seconds: Wall time of the fits.
        score_seconds: Wall time of ranking all cases.
    """

    number: int
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, Estimate]
    fit_seconds: float
    score_seconds: float


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """One model of a job, its settings chosen on validation.

    Attributes:
        name: Stable name.
        summary: One line for people.
        parameters: Chosen settings.
        trials: Every setting that was tried, in order.
        validation: How the chosen setting did on the validation folds.
        fit_seconds: Wall time of the fit that serves.
        peak_memory_mib: Most resident memory of the process during that fit, in MiB.
        model: The model that serves.
        test: How it did on the test folds, looked at once; ``None`` when nothing is held out.
        gains: Share of the trees' gain by feature; empty for a single scorer.
        learning: Validation metric by number of trees: (trees, value); empty for a single scorer.
        slices: Estimates by slice (``no_history``, ``first_basket``, ``new_offers``) and metric.
        recipe: How to fit it again on more purchases.
        known: What such a fit looks at beside histories.
    """

    name: str
    summary: str
    parameters: Mapping[str, Parameter]
    trials: Sequence[TrialRecord]
    validation: ModelEvaluation
    fit_seconds: float
    peak_memory_mib: float
    model: OfferModel
    test: ModelEvaluation | None = None
    gains: Mapping[str, float] = field(default_factory=dict)
    learning: Sequence[tuple[int, float]] = ()
    slices: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    recipe: Recipe | None = None
    known: Known | None = None

    @property
    def judged(self) -> ModelEvaluation:
        """What the promotion gate looks at: the test folds, or validation when nothing is held out."""
        return self.validation if self.test is None else self.test


@dataclass(frozen=True, eq=False, repr=False)
class TrainOffersResult(Displayed):
    """What a training job made.

    Attributes:
        job: What all models have in common.
        models: The models, in the order they were asked for, the second stage last.
        best: Name of the best one on validation.
        run_ids: MLflow run by model.
        versions: Version in the registry by model.
        parent_run_id: MLflow run that compares the models.
        experiment_id: MLflow experiment.
        experiment_name: Its name.
        tracking_uri: Address of the store.
        registered_model: Name of the model in the registry.
        differences: Paired differences to counting in the deciding metric, by model, on what models are judged on.
        promotion: Whether the best became champion and why, in words; empty before the gate.
        promoted: Whether it did. Where it did not and nothing served before, counting serves, and ``promotion`` says so.
        left_out: Why models were left out, by name.
    """

    job: JobInfo
    models: tuple[TrainedModel, ...]
    best: str
    run_ids: Mapping[str, str]
    versions: Mapping[str, str]
    parent_run_id: str
    experiment_id: str
    experiment_name: str
    tracking_uri: str
    registered_model: str
    differences: Mapping[str, Estimate]
    promotion: str = ""
    promoted: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        """Return which model is best, by how much, and whether it serves."""
        metric = self.job.metric
        best = self.model(self.best).judged.metrics[metric]
        return f"{self.best} is best of {len(self.models)} models, {metric} {best.value:.4f}\n{self.promotion}".rstrip()

    def model(self, name: str) -> TrainedModel:
        """Return a model by name."""
        return next(model for model in self.models if model.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        job = self.job
        return {
            "programme": job.programme,
            "task": job.task,
            "dataset": job.dataset,
            "data_fingerprint": job.fingerprint,
            "split": job.split,
            "notes": list(job.notes),
            "metric": job.metric,
            "seed": job.seed,
            "code_version": job.code_version,
            "feature_time": job.feature_time,
            "left_out": dict(self.left_out),
            "best": self.best,
            "promoted": self.promoted,
            "promotion": self.promotion,
            "models": {model.name: self._model_json(model) for model in self.models},
            "mlflow": {
                "tracking_uri": self.tracking_uri,
                "experiment_id": self.experiment_id,
                "experiment_name": self.experiment_name,
                "parent_run_id": self.parent_run_id,
                "registered_model": self.registered_model,
            },
        }

    def _model_json(self, model: TrainedModel) -> dict[str, Any]:
        difference = self.differences.get(model.name)
        return {
            "metrics": estimates_json(model.judged.metrics),
            "validation_metrics": estimates_json(model.validation.metrics),
            "measured_on": "validation" if model.test is None else "test",
            f"difference_to_{COUNTING}": None if difference is None else estimate_json(difference),
            "slices": {name: estimates_json(metrics) for name, metrics in model.slices.items()},
            "fit_seconds": round(model.fit_seconds, 3),
            "peak_memory_mib": round(model.peak_memory_mib, 1),
            "parameters": dict(model.parameters),
            "trial_count": len(model.trials),
            "mlflow_run_id": self.run_ids.get(model.name),
            "registered_version": self.versions.get(model.name),
        }
