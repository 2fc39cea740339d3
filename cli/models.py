"""`troth models`: the registry."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import (
    DEFAULT_STORE,
    DEFAULT_TASK,
    AnyTaskOption,
    CommandGroup,
    JsonOption,
    MemberColumnOption,
    ProgrammeOption,
    StoreOption,
    TaskOption,
    ValueColumnOption,
)
from cli.output import progress_bar, publish, say, table, write_json

if TYPE_CHECKING:
    from training.offers.refreshing import RefreshResult
    from training.tracking import PulledModel, RegisteredVersion, VersionComparison

_GAP_DAYS = 2.0
"""A longer time without a purchase is worth a word: perhaps a day was forgotten."""

app = CommandGroup(help="The registry of models.", no_args_is_help=True)


@app.command()
def refresh(
    interactions: Annotated[
        Path, typer.Option(help="The new purchases, one row each; rows that the champion knows are left out.")
    ],
    time_column: Annotated[
        str, typer.Option(help="Column with times, in the form that the champion was trained with.")
    ],
    member_column: MemberColumnOption = "member_id",
    offer_column: Annotated[
        str, typer.Option(help="Column with offer ids; where offers cover products, of the products bought.")
    ] = "offer_id",
    value_column: ValueColumnOption = "",
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: TaskOption = DEFAULT_TASK,
    json: JsonOption = "",
) -> None:
    """Add the purchases since the champion's feature time to it, without the rows of the past; the result serves if it works."""
    from training.data.tables import Tables
    from training.offers.refresh_job import refresh_model

    tables = Tables(
        interactions=interactions,
        member_column=member_column,
        offer_column=offer_column,
        time_column=time_column,
        value_column=value_column,
    )
    with progress_bar() as report:
        result = refresh_model(store, programme, task, tables, progress=report)
    publish(json, result.to_json, lambda: "\n".join(_lines(result)))
    if not result.promotion.promoted:
        sys.stderr.write(f"troth: {result.promotion.reason}\n")
        raise typer.Exit(1)


def _lines(result: "RefreshResult") -> list[str]:
    from training.evaluation.evaluation import metric_title, shown_estimate

    added, drift = result.added, result.drift
    new = ", ".join(
        counted(count, what) for count, what in ((added.members, "member"), (added.products, "product"))
    )
    entered = f"{counted(added.rows, 'purchase')} after {result.known_until} and up to {result.feature_time}"
    lines = [f"Added {entered}; new: {new}."]
    if added.left_out:
        lines.append(
            f"Left out {counted(added.left_out, 'row')} up to {result.known_until}, known to version "
            f"{result.refreshed_from}; the first is row {added.first_left_out:,}."
        )
    if added.gap_days > _GAP_DAYS:
        lines.append(
            f"The first new purchase is {added.gap_days:.1f} days after {result.known_until}: what was bought between them "
            "cannot be added later."
        )
    if drift is not None:
        judged = (
            "" if drift.judged is None else f" (when it was judged: {drift.judged:.4f}, over its own window)"
        )
        lines.append(
            f"Version {result.refreshed_from} ranks these {drift.days:.1f} days with {metric_title(drift.metric)} "
            f"{shown_estimate(drift.value)}{judged}."
        )
    if result.promotion.promoted:
        lines.append(result.promotion.reason)
    return lines


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


@app.command("list")
def list_versions(
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: AnyTaskOption = "",
    json: JsonOption = "",
) -> None:
    """List the registered versions, task by task, newest first, with their aliases."""
    from training.tracking import list_models

    versions = list_models(store, programme, task or None)
    publish(
        json,
        lambda: {"programme": programme, "versions": [_document(version) for version in versions]},
        lambda: _listing(versions),
    )


def _listing(versions: Sequence["RegisteredVersion"]) -> str:
    rows = [
        (
            version.task,
            version.version,
            version.model_version,
            ", ".join(version.aliases),
            version.tags.get("validation_status", ""),
            _deciding(version),
            version.create_time.isoformat(timespec="seconds"),
        )
        for version in versions
    ]
    return table(("task", "version", "model", "aliases", "status", "metric", "registered"), rows)


@app.command()
def compare(
    versions: Annotated[
        list[str] | None, typer.Argument(help="Versions to compare; those of a job if none.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: TaskOption = DEFAULT_TASK,
    job: Annotated[str, typer.Option(help="All versions of this job: latest, or its MLflow run.")] = "latest",
    metric: Annotated[str, typer.Option(help="Such as recall@10; the one that decides if empty.")] = "",
    json: JsonOption = "",
) -> None:
    """Compare versions case by case, the best first, with counting and with the champion."""
    from training.tracking import compare_versions

    compared = compare_versions(store, programme, task, versions or (), job=job, metric=metric or None)
    publish(json, compared.to_json, lambda: _compared(compared))


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version to promote; the challenger if empty.")] = "",
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: TaskOption = DEFAULT_TASK,
    latency_limit_ms: Annotated[
        float, typer.Option(min=0.0, help="Most that scoring one member on all offers may take, in ms.")
    ] = 20.0,
    json: JsonOption = "",
) -> None:
    """Make a version champion if it works, is fast, beats counting and does not lose to the champion."""
    from training.promotion import promote as judge_and_promote

    result = judge_and_promote(store, programme, task, version or None, latency_limit_ms=latency_limit_ms)
    if json:
        write_json(dataclasses.asdict(result), json)
    if not result.promoted:
        sys.stderr.write(f"troth: {result.reason}\n")
        raise typer.Exit(1)
    if json != "-":
        say(result.reason)


@app.command()
def rollback(
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: TaskOption = DEFAULT_TASK,
    json: JsonOption = "",
) -> None:
    """Make the previous champion champion again; a second rollback undoes the first."""
    from training.promotion import rollback as roll_back

    result = roll_back(store, programme, task)
    publish(json, lambda: dataclasses.asdict(result), lambda: result.reason)


@app.command()
def pull(
    store: StoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    task: AnyTaskOption = "",
    alias: Annotated[str, typer.Option(help="Which version: the one with this alias.")] = "champion",
    target: Annotated[
        Path,
        typer.Option(help="Folder to fill: what [programmes.…] models names in the server's configuration."),
    ] = Path("models"),
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: pull again whenever an alias moves.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between looks with --watch.")] = 10.0,
    json: JsonOption = "",
) -> None:
    """Copy registered bundles to where the server reads them; a running server swaps to them by itself."""
    from training.errors import RegistryError
    from training.tracking import pull_models

    pulled = pull_models(store, programme, task, alias, target_dir=target)
    publish(
        json,
        lambda: {"programme": programme, "models": [model.to_json() for model in pulled]},
        lambda: "\n".join(map(_pulled, pulled)),
    )
    while watch:
        time.sleep(interval)
        try:
            pulled = pull_models(store, programme, task, alias, target_dir=target)
        except RegistryError as error:
            # What was pulled before goes on serving; the store may be back at the next look.
            sys.stderr.write(f"troth: {error.message}\n")
            continue
        for model in pulled:
            if model.changed and json != "-":
                say(_pulled(model))


def _pulled(model: "PulledModel") -> str:
    return f"{model.link} is version {model.version}, {model.manifest.model_version}."


def _compared(compared: "VersionComparison") -> str:
    from training.evaluation.evaluation import COUNTING, metric_title, shown_difference, shown_estimate

    rows = [
        (
            row.version.model,
            row.version.version,
            ", ".join(row.version.aliases),
            shown_estimate(row.value),
            "" if row.against_counting is None else shown_difference(row.against_counting),
            "" if row.against_champion is None else shown_difference(row.against_champion),
        )
        for row in compared.rows
    ]
    title = metric_title(compared.metric)
    lines = [
        table(("model", "version", "aliases", title, f"against {COUNTING}", "against the champion"), rows),
        f"Judged on {compared.judged_on}; ± is the standard error over members, differences are paired.",
    ]
    champion = compared.champion
    if champion is not None:
        lines.append(f"The champion is {champion.model}, version {champion.version}.")
    lines += [
        f"Not compared: {other.model}, version {other.version}, was judged on {other.judged_on}."
        for other in compared.others
    ]
    return "\n".join(lines)


def _deciding(version: "RegisteredVersion") -> str:
    from training.bundle.manifest import ACTIONS
    from training.evaluation.evaluation import metric_title
    from training.tracking.runs import metric_key

    value = version.metrics.get(metric_key(version.metric))
    if version.task == ACTIONS:
        # One model has an effect for each arm.
        return version.metric
    return "" if value is None else f"{metric_title(version.metric)} {value:.4f}"


def _document(version: "RegisteredVersion") -> dict[str, Any]:
    return {
        "name": version.name,
        "task": version.task,
        "version": version.version,
        "model": version.model,
        "model_version": version.model_version,
        "aliases": list(version.aliases),
        "run_id": version.run_id,
        "parent_run_id": version.parent_run_id,
        "create_time": version.create_time.isoformat(),
        "judged_on": version.judged_on,
        "metrics": dict(version.metrics),
        "parameters": dict(version.parameters),
        "tags": dict(version.tags),
    }
