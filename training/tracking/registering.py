"""Storing a fitted model with its run, and registering it as a new version."""

import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from training.bundle import OfferModel, write_bundle
from training.bundle.manifest import Parameter
from training.tracking.registry import BUNDLE_FOLDER, STATUS_TAG, log_pyfunc
from training.tracking.runs import RunContext, model_version
from training.tracking.store import import_mlflow

NOBODY = "a member nobody knows"
PENDING = "pending"


def store_model(
    context: RunContext,
    run_id: str,
    name: str,
    model: OfferModel,
    *,
    parameters: Mapping[str, Parameter],
    metrics: Mapping[str, float],
) -> Any:
    """Store a model as a bundle, as MLflow's own tools load it; what it returns has ``model_id`` and ``model_uri``.

    Args:
        context: What the runs of the job share.
        run_id: Run that made the model.
        name: Name of the recommender.
        model: The model.
        parameters: Its settings.
        metrics: How it did; numbers that are not known (NaN) are left out.

    Returns:
        MLflow's record of the model.
    """
    job = context.job
    known = tuple(model.member_ids[place] for place in range(min(2, len(model.member_ids))))
    with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
        bundle = Path(temporary) / BUNDLE_FOLDER
        write_bundle(
            bundle,
            model,
            programme=job.programme,
            model_name=name,
            model_version=model_version(name, run_id),
            data_fingerprint=job.fingerprint,
            feature_time=datetime.fromisoformat(job.feature_time),
            run_id=run_id,
            code_version=job.code_version,
            parameters=parameters,
            metrics={
                metric: number
                for metric, number in metrics.items()
                if number == number  # noqa: PLR0124  # an error that is not known is NaN
            },
        )
        return log_pyfunc(
            bundle,
            run_id=run_id,
            name=name,
            members=(*known, NOBODY),
            basket=(model.product_ids[0],) if len(model.product_ids) else (),
            parameters=dict(parameters),
        )


def register_version(context: RunContext, run_id: str, model: Any, note: str, tags: Mapping[str, str]) -> str:
    """Register a stored model as a new version and return its number; mlflow's own function prints to the terminal.

    Args:
        context: What the runs of the job share.
        run_id: Run that made the model.
        model: What ``store_model`` returned.
        note: What to say of it, in Markdown.
        tags: Tags of the version.

    Returns:
        The version's number.
    """
    client, name, job = context.client, context.registered_name, context.job
    errors = import_mlflow("mlflow.exceptions")
    try:
        client.get_registered_model(name)
    except errors.MlflowException:
        client.create_registered_model(name, tags={"troth.programme": job.programme, "troth.task": job.task})
    version = client.create_model_version(
        name,
        source=model.model_uri,
        run_id=run_id,
        tags={**tags, STATUS_TAG: PENDING},
        description=note,
        model_id=model.model_id,
    )
    return str(version.version)
