"""Registered versions in one list, and side by side: the same metric on the same cases, with paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.stats.estimate import Estimate
from training.bundle import Task
from training.bundle.manifest import ACTIONS
from training.errors import RegistryError
from training.evaluation.evaluation import COUNTING, estimate_json
from training.tracking.evidence import Cases
from training.tracking.registry import CHAMPION_ALIAS, ModelRegistry, RegisteredVersion

LATEST = "latest"


@dataclass(frozen=True)
class ComparedVersion:
    """One version in a comparison.

    Attributes:
        version: The version.
        value: What it reached.
        against_counting: Paired difference to counting in its job; ``None`` for counting and where nobody counted.
        against_champion: Paired difference to the champion; ``None`` for the champion and where that was judged on
            other cases.
    """

    version: RegisteredVersion
    value: Estimate
    against_counting: Estimate | None
    against_champion: Estimate | None


@dataclass(frozen=True)
class VersionComparison:
    """Versions of one task that were judged on the same cases.

    Attributes:
        programme: Loyalty programme.
        task: What the models are for.
        metric: The metric that is compared.
        judged_on: Names the cases.
        rows: The best first.
        others: Versions that were asked for but judged on other cases, or whose cases were not kept.
        champion: Version that is champion, or ``None``.
    """

    programme: str
    task: str
    metric: str
    judged_on: str
    rows: tuple[ComparedVersion, ...]
    others: tuple[RegisteredVersion, ...]
    champion: RegisteredVersion | None

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return {
            "programme": self.programme,
            "task": self.task,
            "metric": self.metric,
            "judged_on": self.judged_on,
            "champion": None if self.champion is None else self.champion.version,
            "versions": [
                {
                    "version": row.version.version,
                    "model": row.version.model,
                    "model_version": row.version.model_version,
                    "aliases": list(row.version.aliases),
                    **estimate_json(row.value),
                    f"difference_to_{COUNTING}": _difference_json(row.against_counting),
                    "difference_to_champion": _difference_json(row.against_champion),
                }
                for row in self.rows
            ],
            "judged_on_other_cases": [
                {"version": other.version, "model": other.model, "judged_on": other.judged_on}
                for other in self.others
            ],
        }


def compare_versions(
    store: Path,
    programme: str,
    task: str,
    versions: Sequence[str] = (),
    *,
    job: str = LATEST,
    metric: str | None = None,
) -> VersionComparison:
    """Compare versions case by case.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        task: What the models are for.
        versions: Versions to compare; all of a job when none are named. The first one says on which cases.
        job: ``latest``, or the beginning of the id of the run that compared the models of a job.
        metric: What to compare, such as ``recall@10``; the metric that decides by default.

    Returns:
        Metrics with paired differences.

    Raises:
        RegistryError: There is no such version, job or metric, or the models are for actions.
    """
    if task == ACTIONS:
        raise RegistryError(
            "Action models are not compared case by case; how good each is stands in the result.json of its run.",
            task=task,
        )
    registry = ModelRegistry(store, programme, task)
    chosen = [registry.version(version) for version in dict.fromkeys(versions)] or _of_job(registry, job)
    reference = chosen[0]
    metric = metric or reference.metric
    read = {version.version: registry.cases(version) for version in chosen}
    base = read[reference.version]
    if base is None:
        raise RegistryError(
            f"How version {reference.version} of {registry.name} did case by case was not kept.",
            model=registry.name,
        )
    if metric not in base.metrics:
        known = ", ".join(base.metrics)
        raise RegistryError(f"There is no metric {metric!r}; choose from {known}.", metric=metric)
    aliases = registry.aliases()
    champion = registry.version(aliases[CHAMPION_ALIAS]) if CHAMPION_ALIAS in aliases else None
    theirs = None if champion is None else registry.champion_cases(reference, champion)
    rows, others = [], []
    for version in chosen:
        cases = read[version.version]
        same = version.judged_on == reference.judged_on and cases is not None and base.same_as(cases)
        if cases is None or not same or metric not in cases.metrics:
            others.append(version)
            continue
        counting = None if version.model == COUNTING else registry.counting_cases(version)
        rows.append(
            ComparedVersion(
                version=version,
                value=cases.estimate(metric),
                against_counting=_difference(cases, counting, metric),
                against_champion=None
                if champion is None or champion.version == version.version
                else _difference(cases, theirs, metric),
            )
        )
    return VersionComparison(
        programme=programme,
        task=task,
        metric=metric,
        judged_on=reference.judged_on,
        rows=tuple(sorted(rows, key=lambda row: -row.value.value)),
        others=tuple(others),
        champion=champion,
    )


def _of_job(registry: ModelRegistry, job: str) -> list[RegisteredVersion]:
    """Return the versions of a job, the newest first."""
    versions = registry.versions()
    latest = next((version.parent_run_id for version in versions if version.parent_run_id), "")
    wanted = latest if job == LATEST else job
    found = [version for version in versions if wanted and version.parent_run_id.startswith(wanted)]
    if not found:
        raise RegistryError(f"No version of {registry.name} was made by a job {job!r}.", model=registry.name)
    if len({version.parent_run_id for version in found}) > 1:
        raise RegistryError(
            f"Several jobs have an id that begins with {job!r}: give more of it.", model=registry.name
        )
    return found


def _difference(cases: Cases, other: Cases | None, metric: str) -> Estimate | None:
    if other is None or metric not in other.metrics or not cases.same_as(other):
        return None
    return cases.difference(other, metric)


def _difference_json(difference: Estimate | None) -> dict[str, float | None] | None:
    if difference is None:
        return None
    known = difference.standard_error == difference.standard_error  # NaN when not known
    low, high = difference.interval if known else (None, None)
    return {**estimate_json(difference), "low": low, "high": high}


def list_models(store: Path, programme: str = "default", task: str | None = None) -> list[RegisteredVersion]:
    """List the versions of a programme's models.

    Args:
        store: Folder of the store.
        programme: Loyalty programme.
        task: Only the models of this task; of all tasks by default.

    Returns:
        Versions for offers task by task, then those for actions, the newest first.

    Raises:
        RegistryError: There is no store in that folder, or it has no such model.
    """
    if task is not None:
        return ModelRegistry(store, programme, task).versions()
    return [version for registry in existing_registries(store, programme) for version in registry.versions()]


def existing_registries(store: Path, programme: str) -> list[ModelRegistry]:
    """Return the registries of the tasks that a programme has models for, and of its actions.

    Raises:
        RegistryError: There is no store in that folder, or it has no model of this programme.
    """
    registries = [ModelRegistry(store, programme, task) for task in (*Task, ACTIONS)]
    found = [registry for registry in registries if registry.exists()]
    if not found:
        raise RegistryError(
            f"There is no model of programme {programme} in {store}.", programme=programme, store=str(store)
        )
    return found
