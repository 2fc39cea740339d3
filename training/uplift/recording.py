"""Storing an action model with its run, and registering it as a version that the server can pull."""

import tempfile
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from training.bundle import ActionModel, write_bundle
from training.bundle.manifest import ACTIONS
from training.tracking.registry import (
    BUNDLE_FOLDER,
    CHALLENGER_ALIAS,
    CHAMPION_ALIAS,
    DISTRUST_TAG,
    PREVIOUS_ALIAS,
    TRUSTED,
)
from training.tracking.runs import JobRun, code_version, model_version
from training.tracking.store import import_mlflow, registered_model_name
from training.uplift.features import as_numbers, is_text

if TYPE_CHECKING:
    from training.uplift.result import TrainActionsResult

_CODE = Path(__file__).with_name("actions_pyfunc.py")


def register_actions(
    run: JobRun, model: ActionModel, programme: str, result: "TrainActionsResult", fingerprint: str
) -> "TrainActionsResult":
    """Store the model as a bundle, register it, and let it be champion if its trial can be trusted.

    Effects are calibrated on members that their model did not see, so that a model is never worse than the averages of its trial;
    what makes a champion is a newer trial that passes its checks. The one before stays as ``previous``.

    Args:
        run: The run of the job.
        model: The compiled model.
        programme: Loyalty programme.
        result: What the job found.
        fingerprint: SHA-256 of the trial.

    Returns:
        The result with its version.
    """
    client, name = run.mlflow.MlflowClient(), registered_model_name(programme, ACTIONS)
    learner = result.money.chosen.name
    with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
        bundle = Path(temporary) / BUNDLE_FOLDER
        write_bundle(
            bundle,
            model,
            programme=programme,
            model_name=learner,
            model_version=model_version(learner, run.run_id),
            data_fingerprint=fingerprint,
            feature_time=datetime.now(UTC),
            run_id=run.run_id,
            code_version=code_version(),
            parameters={"outcome": model.outcome, "control": model.control},
        )
        logged = _log(bundle, run, learner, model, result)
    errors = import_mlflow("mlflow.exceptions")
    try:
        aliases = dict(client.get_registered_model(name).aliases)
    except errors.MlflowException:
        client.create_registered_model(name, tags={"troth.programme": programme, "troth.task": ACTIONS})
        aliases = {}
    tags = {
        "troth.model": learner,
        "troth.task": ACTIONS,
        "troth.metric": f"effect on {model.outcome}",
        # Tags hold text, and an empty one may be missing.
        DISTRUST_TAG: " ".join(result.trust.failures) or TRUSTED,
    }
    version = client.create_model_version(
        name,
        source=logged.model_uri,
        run_id=run.run_id,
        tags=tags,
        description=result.note(),
        model_id=logged.model_id,
    ).version
    promoted = result.trust.trusted
    if promoted and CHAMPION_ALIAS in aliases:
        client.set_registered_model_alias(name, PREVIOUS_ALIAS, aliases[CHAMPION_ALIAS])
    client.set_registered_model_alias(name, CHAMPION_ALIAS if promoted else CHALLENGER_ALIAS, str(version))
    return result.registered(name, str(version), promoted=promoted)


def _log(bundle: Path, run: JobRun, name: str, model: ActionModel, result: "TrainActionsResult") -> Any:
    signature, example = _signature(result.read.trial.features, model.arms)
    return import_mlflow("mlflow.models").Model.log(
        artifact_path=None,
        name=name,
        flavor=run.mlflow.pyfunc,
        run_id=run.run_id,
        python_model=str(_CODE),
        artifacts={BUNDLE_FOLDER: bundle.as_uri()},
        signature=signature,
        input_example=example,
        # Given explicitly, or MLflow would import the model in another process to find out.
        pip_requirements=[
            f"{package}=={installed_version(package)}" for package in ("mlflow", "numpy", "pandas")
        ],
    )


def _signature(features: pl.DataFrame, arms: tuple[str, ...]) -> tuple[Any, Any]:
    """Return what goes in and comes out, and two members as an example; nothing where there are no features."""
    if not features.width:
        return None, None
    types, pandas = import_mlflow("mlflow.types"), import_mlflow("pandas")
    texts = {column.name for column in features if is_text(column)}
    inputs = [
        types.ColSpec("string" if name in texts else "double", name, required=False)
        for name in features.columns
    ]
    outputs = [types.ColSpec("double", arm) for arm in arms]
    shown = {
        column.name: (
            column.cast(pl.String).fill_null("") if column.name in texts else pl.Series(as_numbers(column))
        )
        .head(2)
        .to_list()
        for column in features
    }
    signature = import_mlflow("mlflow.models").ModelSignature(
        inputs=types.schema.Schema(inputs), outputs=types.schema.Schema(outputs)
    )
    return signature, pandas.DataFrame(shown)
