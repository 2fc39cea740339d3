"""The registry: versions are registered with their bundle and their run, looked up, marked, and loaded by MLflow."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from training.bundle import OfferModel, write_bundle
from training.bundle.manifest import Parameter
from training.errors import RegistryError
from training.tracking.evidence import (
    CASES_FILE,
    CHAMPION_CASES_FILE,
    PARITY_FILE,
    Cases,
    Parity,
    read_cases,
    read_parity,
)
from training.tracking.runs import (
    COUNTING_RUN_TAG,
    MEASURED_CHAMPION_TAG,
    PARENT_TAG,
    RunContext,
    model_version,
)
from training.tracking.store import existing_client, import_mlflow, registered_model_name

BUNDLE_FOLDER = "bundle"
BUNDLE_PATH = f"artifacts/{BUNDLE_FOLDER}"
"""Where the bundle lies within a logged model; it is stored there and nowhere else."""

_CODE = Path(__file__).with_name("offers_pyfunc.py")
_OUTPUT = (("string", "member_id"), ("string", "offer_id"), ("long", "rank"), ("double", "score"))


def log_pyfunc(
    bundle: Path,
    *,
    run_id: str,
    name: str,
    members: tuple[str, ...],
    basket: tuple[str, ...],
    parameters: dict[str, Parameter],
) -> Any:
    """Log a bundle as a model of a run; what it returns has ``model_id`` and ``model_uri``.

    Args:
        bundle: Folder of the bundle, named ``bundle``.
        run_id: Run that made it; it need not be the active one.
        name: Name of the model.
        members: Members for the input example.
        basket: Products in the basket of the first of them.
        parameters: Settings of the model.

    Returns:
        MLflow's record of the model.
    """
    mlflow = import_mlflow()
    models, types = import_mlflow("mlflow.models"), import_mlflow("mlflow.types")
    schema, pandas = import_mlflow("mlflow.types.schema"), import_mlflow("pandas")
    products = schema.Array(types.DataType.string)
    signature = models.ModelSignature(
        inputs=types.Schema(
            [types.ColSpec("string", "member_id"), types.ColSpec(products, "basket", required=False)]
        ),
        outputs=types.Schema([types.ColSpec(kind, column) for kind, column in _OUTPUT]),
    )
    baskets = [list(basket), *([] for _ in members[1:])]
    # The function mlflow.pyfunc.log_model does the same for the active run only.
    return models.Model.log(
        artifact_path=None,
        name=name,
        flavor=mlflow.pyfunc,
        run_id=run_id,
        params=parameters,
        python_model=str(_CODE),
        artifacts={BUNDLE_FOLDER: bundle.as_uri()},
        signature=signature,
        input_example=pandas.DataFrame({"member_id": list(members), "basket": baskets}),
        # Given explicitly, or MLflow would import the model in another process to find out.
        pip_requirements=[
            f"{package}=={installed_version(package)}" for package in ("mlflow", "numpy", "pandas")
        ],
    )


CHALLENGER_ALIAS = "challenger"
CHAMPION_ALIAS = "champion"
PREVIOUS_ALIAS = "previous"
STATUS_TAG = "validation_status"
REFRESHED_FROM_TAG = "troth.refreshed_from"
EVIDENCE_TAG = "troth.evidence_from"
FEATURE_TIME_TAG = "troth.feature_time"
DISTRUST_TAG = "troth.trial"
"""What is wrong with the trial that an action model learned from, or ``TRUSTED``."""
TRUSTED = "trusted"

_ABSENT = {
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_PARAMETER_VALUE",
}  # the second for a version that is not a number


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a programme's models for a task, or for actions.

    Attributes:
        name: Name of the registered model.
        task: What it is for.
        version: Version, ascending from 1 within the task.
        model: Name of the recommender.
        model_version: Name under which decisions log it.
        run_id: MLflow run that made it.
        parent_run_id: Run of the job that compared it with others.
        aliases: Aliases that point to it now.
        create_time: When it was registered (UTC).
        metrics: Metrics of its run, under MLflow's names, such as ``ndcg_at_10``.
        parameters: Settings of its run, as text.
        tags: Tags of the version.
    """

    name: str
    task: str
    version: str
    model: str
    model_version: str
    run_id: str
    parent_run_id: str
    aliases: tuple[str, ...]
    create_time: datetime
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def metric(self) -> str:
        """The metric that decides, such as ``ndcg@10``."""
        return self.tags.get("troth.metric", "")

    @property
    def judged_on(self) -> str:
        """Names the cases that it was judged on."""
        return self.tags.get("troth.judged_on", "")

    @property
    def refreshed_from(self) -> str:
        """The version that it adds later purchases to; empty where a job trained it."""
        return self.tags.get(REFRESHED_FROM_TAG, "")

    @property
    def feature_time(self) -> str:
        """The moment that a refreshed version's histories reach to, RFC 3339 in UTC; empty where a job trained it."""
        return self.tags.get(FEATURE_TIME_TAG, "")

    @property
    def evidence_from(self) -> str:
        """The version whose evaluation stands for this one: itself, or the trained one that a refreshed one goes back to."""
        return self.tags.get(EVIDENCE_TAG, self.version)


class ModelRegistry:
    """The registered models of one programme and task.

    Attributes:
        name: Name of the registered model.
    """

    def __init__(self, store: Path, programme: str, task: str) -> None:
        """Open the registry.

        Args:
            store: Folder of the store.
            programme: Loyalty programme.
            task: What the models are for.

        Raises:
            RegistryError: There is no store in that folder, or no such task.
        """
        self.name = registered_model_name(programme, task)
        self._task = str(task)
        self._store = store
        self._client = existing_client(store)

    def aliases(self) -> dict[str, str]:
        """Return the version of each alias.

        Raises:
            RegistryError: There is no model of this programme and task, or the store cannot be read.
        """
        with self._reading():
            found = self._client.get_registered_model(self.name).aliases
        return {alias: str(version) for alias, version in found.items()}

    def exists(self) -> bool:
        """Whether there is any model of this programme and task."""
        with self._reading():
            return bool(self._client.search_registered_models(f"name = '{self.name}'", max_results=1))

    def versions(self) -> list[RegisteredVersion]:
        """Return all versions, the newest first.

        Raises:
            RegistryError: There is none, or the store cannot be read.
        """
        aliases = self.aliases()
        with self._reading():
            found = self._client.search_model_versions(f"name = '{self.name}'", max_results=10_000)
            listed = [self._describe(version, aliases) for version in found]
        return sorted(listed, key=lambda version: int(version.version), reverse=True)

    def version(self, version: str) -> RegisteredVersion:
        """Return a version by number.

        Raises:
            RegistryError: There is no such version.
        """
        aliases = self.aliases()
        with self._reading(f"The model {self.name} in {self._store} has no version {version!r}."):
            return self._describe(self._client.get_model_version(self.name, version), aliases)

    def version_of(self, alias: str) -> RegisteredVersion:
        """Return the version behind an alias.

        Raises:
            RegistryError: There is no such alias.
        """
        aliases = self.aliases()
        if alias not in aliases:
            known = ", ".join(sorted(aliases)) or "none"
            raise RegistryError(
                f"The model {self.name} in {self._store} has no alias {alias!r}; its aliases: {known}.",
                model=self.name,
                alias=alias,
            )
        return self.version(aliases[alias])

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias to a version."""
        with self._reading():
            self._client.set_registered_model_alias(self.name, alias, version)

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with self._reading():
            for name, value in tags.items():
                self._client.set_model_version_tag(self.name, version, name, value)

    def untag(self, version: RegisteredVersion, prefix: str) -> None:
        """Remove the tags of a version whose names start so."""
        with self._reading():
            for name in version.tags:
                if name.startswith(prefix):
                    self._client.delete_model_version_tag(self.name, version.version, name)

    def bundle(self, version: RegisteredVersion, folder: Path) -> Path:
        """Copy the bundle of a version into a folder and return its path; it is not checked.

        Raises:
            RegistryError: It is not in the store.
        """
        with self._reading(f"The bundle of version {version.version} of {self.name} is not in the store."):
            source = str(self._client.get_model_version(self.name, version.version).source)
            location = self._client.get_logged_model(source.removeprefix("models:/")).artifact_location
            artifacts = import_mlflow("mlflow.artifacts")
            return Path(artifacts.download_artifacts(f"{location}/{BUNDLE_PATH}", dst_path=str(folder)))

    def cases(self, version: RegisteredVersion) -> Cases | None:
        """Return how a version did case by case, or ``None`` where that was not kept."""
        return self._cases_of(version.run_id, CASES_FILE)

    def counting_cases(self, version: RegisteredVersion) -> Cases | None:
        """Return how counting did in the job that made a version, or ``None`` where the job did not count."""
        run_id = self._job_tags(version).get(COUNTING_RUN_TAG)
        return None if run_id is None else self._cases_of(run_id, CASES_FILE)

    def champion_cases(self, version: RegisteredVersion, champion: RegisteredVersion) -> Cases | None:
        """Return how the champion did on the cases that a version was judged on, or ``None`` where nobody measured."""
        if self._job_tags(version).get(MEASURED_CHAMPION_TAG) == champion.version:
            return self._cases_of(version.parent_run_id, CHAMPION_CASES_FILE)
        return self.cases(champion) if champion.judged_on == version.judged_on else None

    def parity(self, version: RegisteredVersion) -> Parity | None:
        """Return the scores that the training job computed, or ``None`` where they were not kept."""
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            path = self._artifact(version.run_id, PARITY_FILE, temporary)
            return None if path is None else read_parity(path)

    @contextmanager
    def files(self, version: RegisteredVersion, *names: str) -> Iterator[tuple[Path, ...] | None]:
        """Hand out files that a version's run keeps; ``None`` where one of them is not there. They are gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            found = [self._artifact(version.run_id, name, temporary) for name in names]
            paths = tuple(path for path in found if path is not None)
            yield paths if len(paths) == len(names) else None

    def note_on_job(self, version: RegisteredVersion, tags: Mapping[str, str]) -> None:
        """Set tags of the run that compared a version with others; of its own run where none did."""
        with self._reading():
            for name, value in tags.items():
                self._client.set_tag(version.parent_run_id or version.run_id, name, value)

    def _cases_of(self, run_id: str, name: str) -> Cases | None:
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            path = self._artifact(run_id, name, temporary)
            return None if path is None else read_cases(path)

    def _artifact(self, run_id: str, name: str, folder: str) -> Path | None:
        errors = import_mlflow("mlflow.exceptions")
        try:
            return Path(self._client.download_artifacts(run_id, name, folder))
        except (errors.MlflowException, OSError):
            return None

    def _job_tags(self, version: RegisteredVersion) -> Mapping[str, str]:
        """Return the tags of a version's job; a version that no job made has those of its job in its own run."""
        with self._reading():
            return dict(self._client.get_run(version.parent_run_id or version.run_id).data.tags)

    def _describe(self, version: Any, aliases: Mapping[str, str]) -> RegisteredVersion:
        run = self._client.get_run(version.run_id)
        tags, number = dict(version.tags), str(version.version)
        model = tags.get("troth.model", "")
        return RegisteredVersion(
            name=version.name,
            task=self._task,
            version=number,
            model=model,
            model_version=model_version(model, version.run_id),
            run_id=version.run_id,
            parent_run_id=run.data.tags.get(PARENT_TAG, ""),
            aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
            create_time=datetime.fromtimestamp(version.creation_timestamp / 1000, tz=UTC),
            metrics=dict(run.data.metrics),
            parameters=dict(run.data.params),
            tags=tags,
        )

    @contextmanager
    def _reading(self, missing: str = "") -> Iterator[None]:
        """Turn what MLflow raises into one sentence."""
        errors = import_mlflow("mlflow.exceptions")
        try:
            yield
        except (errors.MlflowException, OSError) as error:
            absent = isinstance(error, OSError) or error.error_code in _ABSENT
            if missing and absent:
                sentence = missing
            elif absent:
                sentence = f"There is no model {self.name} in {self._store}."
            else:
                sentence = f"The model store {self._store} cannot be read: {str(error).splitlines()[0]}"
            raise RegistryError(sentence, model=self.name, store=str(self._store)) from error


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
