"""The training job for offers: compare recommenders, let the best one serve.

Every recommender is fitted on the training weeks, its settings are chosen on the validation window, and the chosen
ones are fitted again on both; that is the bundle. Weeks after the validation window are not looked at. The best on
validation gets the alias ``champion``; if counting what members bought before wins, it serves.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from training.bundle import write_bundle
from training.code_version import code_version
from training.data.dataset import OfferDataset
from training.errors import TrainingError
from training.evaluation import Estimate, Evaluation, ValidationWindow, WeekSplit, difference
from training.fit_pool import JobData
from training.model_cards import comparison_note, model_card
from training.offers_fits import FittedRecommender, prepare, run_fits
from training.offers_result import TrainedModel, TrainOffersResult
from training.plots import activity_chart, comparison_chart
from training.recommenders import RECOMMENDERS, DecayedFrequency, Popularity
from training.tracking import (
    ModelRecord,
    OffersRecorder,
    ParentRecord,
    experiment_name,
    registered_model_name,
    tracking_uri,
)

Progress = Callable[[str, int, int], None]

DEFAULT_SEED = 20171204
BASELINE = DecayedFrequency.name
REFERENCE = Popularity.name


def train_offers(
    dataset: OfferDataset,
    *,
    store: Path,
    programme: str = "default",
    models: Sequence[str] | None = None,
    split: WeekSplit | None = None,
    seed: int = DEFAULT_SEED,
    progress: Progress | None = None,
) -> TrainOffersResult:
    """Compare recommenders of offers, record them in MLflow and let the best one be champion.

    A second job on the same store adds new runs and versions beside the old ones.

    Args:
        dataset: Purchases and offers.
        store: Folder of the MLflow store (``mlflow.db`` and artifacts); made where it does not exist.
        programme: Loyalty programme.
        models: Names out of ``RECOMMENDERS``; all six by default.
        split: Which weeks to use for what; weeks <= 45, 46-49 and <= 49 by default.
        seed: Seed of everything random; the same seed gives the same models.
        progress: Called with a line of text, the steps done and all steps.

    Raises:
        TrainingError: A model is not known, the data cannot be used, or the store cannot be written.
    """
    names, model_name = _check_names(models), registered_model_name(programme)
    split = split or WeekSplit()
    recommenders = [RECOMMENDERS[name] for name in names]
    steps = _Steps(progress, total=sum(len(kind.grid()) + 1 for kind in recommenders) + len(names) + 2)
    data = prepare(dataset, split)
    steps.done(f"Prepared {len(data.window.trip_member):,} validation trips")
    commit = code_version()
    source = {"name": dataset.name, "digest": dataset.fingerprint, "source": f"training.data.{dataset.name}"}
    tags = {
        "troth.task": "offers",
        "troth.programme": programme,
        "troth.split": split.describe(),
        "troth.data_fingerprint": dataset.fingerprint,
        "troth.catalogue_rule": dataset.catalogue_rule,
        "troth.code_version": commit,
    }
    with OffersRecorder(store, programme, run_name="compare", dataset=source) as recorder:
        fitted = run_fits(recommenders, data, seed=seed, done=steps.done)
        evaluations = {name: model.evaluation for name, model in fitted.items()}
        champion = max(names, key=lambda name: evaluations[name].metrics["hits_per_trip"].value)
        trained = []
        for name in names:
            record = _model_record(fitted[name], evaluations, data, tags, champion)
            recorded = recorder.record_model(record)
            steps.done(f"Recorded {name}")
            trained.append(
                TrainedModel(
                    name=name,
                    model_version=_model_version(name, recorded.run_id),
                    parameters=fitted[name].recommender.parameters,
                    metrics=evaluations[name].metrics,
                    difference=_difference(name, evaluations, data.window),
                    fit_seconds=fitted[name].refit_seconds,
                    run_id=recorded.run_id,
                    registered_version=recorded.version,
                )
            )
        best = next(model for model in trained if model.name == champion)
        result = TrainOffersResult(
            programme=programme,
            parent_run_id=recorder.parent_run_id,
            experiment_id=recorder.experiment_id,
            experiment_name=experiment_name(programme),
            tracking_uri=tracking_uri(store),
            registered_model=model_name,
            models=tuple(trained),
            champion=champion,
            split=split.describe(),
            data_fingerprint=dataset.fingerprint,
            seed=seed,
        )
        metrics = {name: evaluation.metrics for name, evaluation in evaluations.items()}
        recorder.record_parent(
            ParentRecord(
                champion=champion,
                version=best.registered_version,
                metrics=_flat(best.metrics),
                tags=tags | {"troth.champion": champion},
                note=comparison_note(result, dataset),
                documents={"comparison.json": result.to_json()},
                plots={"comparison.png": comparison_chart(metrics, champion)},
            )
        )
    steps.done(f"Champion: {champion}")
    return result


def _check_names(models: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(models)) if models is not None else tuple(RECOMMENDERS)
    unknown = [name for name in names if name not in RECOMMENDERS]
    if unknown or not names:
        asked = ", ".join(unknown) or "none"
        raise TrainingError(f"Unknown models: {asked}. Choose from {', '.join(RECOMMENDERS)}.", models=asked)
    return names


def _model_record(
    fitted: FittedRecommender,
    evaluations: Mapping[str, Evaluation],
    data: JobData,
    tags: Mapping[str, str],
    champion: str,
) -> ModelRecord:
    recommender, evaluation = fitted.recommender, fitted.evaluation
    name = recommender.name
    metrics = _flat(evaluation.metrics)

    def write(run_id: str, path: Path) -> None:
        write_bundle(
            path,
            fitted.model,
            programme=tags["troth.programme"],
            model_name=name,
            model_version=_model_version(name, run_id),
            run_id=run_id,
            data_fingerprint=tags["troth.data_fingerprint"],
            code_version=tags["troth.code_version"],
            feature_time=data.refit.feature_time,
            parameters=recommender.parameters,
            metrics=metrics,
            create_time=datetime.now(tz=UTC),
        )

    delta = _difference(name, evaluations, data.window)
    charted = {name: evaluation} | {key: value for key, value in evaluations.items() if key == REFERENCE}
    return ModelRecord(
        name=name,
        parameters=recommender.parameters,
        metrics=metrics
        | {f"difference_{key}": value for key, value in _flat(delta).items()}
        | {
            "cold_trip_share": evaluation.cold_trip_share,
            "fit_seconds": fitted.refit_seconds,
            "validation_fit_seconds": fitted.validation_fit_seconds,
        },
        tags=dict(tags) | {"troth.model": name, "troth.champion": str(name == champion).lower()},
        note=model_card(recommender, evaluation, delta, tags, champion=champion),
        write_bundle=write,
        example_members=(*fitted.model.member_ids[:2], "a member nobody knows"),
        documents={"settings.json": fitted.settings_json()},
        plots={"hits_by_activity.png": activity_chart(charted, data.window, data.activity)},
    )


def _model_version(name: str, run_id: str) -> str:
    return f"{name}@{run_id[:12]}"


def _difference(
    name: str, evaluations: Mapping[str, Evaluation], window: ValidationWindow
) -> dict[str, Estimate]:
    if name == BASELINE or BASELINE not in evaluations:
        return {}
    return difference(evaluations[name], evaluations[BASELINE], window)


def _flat(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    values = {name: estimate.value for name, estimate in estimates.items()}
    return values | {f"{name}_se": estimate.standard_error for name, estimate in estimates.items()}


class _Steps:
    """Counts the steps of a job for whoever shows them."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._count, self._total = progress, 0, total

    def done(self, text: str) -> None:
        self._count += 1
        if self._progress is not None:
            self._progress(text, self._count, self._total)
