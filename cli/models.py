"""`troth models`: the registry."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import say, table, write_json

if TYPE_CHECKING:
    from training.tracking import PulledModel, RegisteredVersion

app = typer.Typer(help="The registry of models.", no_args_is_help=True)

Store = Annotated[Path, typer.Option(help="Folder of the MLflow store.")]
Programme = Annotated[str, typer.Option(help="Loyalty programme.")]


@app.command("list")
def list_versions(
    store: Store = Path("mlflow"),
    programme: Programme = "default",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """List the registered versions, newest first, with their aliases."""
    from training.tracking import list_models

    versions = list_models(store, programme)
    if json:
        write_json({"programme": programme, "versions": [_document(version) for version in versions]}, json)
    if json != "-":
        rows = [
            (
                version.version,
                version.model_version,
                ", ".join(version.aliases),
                f"{version.metrics.get('hits_per_trip', float('nan')):.4f}",
                version.create_time.isoformat(timespec="seconds"),
            )
            for version in versions
        ]
        say(table(("version", "model", "aliases", "hits per trip", "registered"), rows))


@app.command()
def pull(
    store: Store = Path("mlflow"),
    programme: Programme = "default",
    alias: Annotated[str, typer.Option(help="Which version: the one with this alias.")] = "champion",
    target: Annotated[
        Path,
        typer.Option(help="Folder to fill: what [programmes.…] models names in the server's configuration."),
    ] = Path("models"),
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on: pull again whenever the alias moves.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.5, help="Seconds between looks with --watch.")] = 10.0,
) -> None:
    """Copy a registered bundle to where the server reads it; a running server swaps to it by itself."""
    from training.tracking import pull_model

    _say_pulled(pull_model(store, programme=programme, alias=alias, target_dir=target))
    while watch:
        time.sleep(interval)
        pulled = pull_model(store, programme=programme, alias=alias, target_dir=target)
        if pulled.changed:
            _say_pulled(pulled)


def _say_pulled(pulled: "PulledModel") -> None:
    say(f"{pulled.link} is version {pulled.version}, {pulled.manifest.model_version}.")


def _document(version: "RegisteredVersion") -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "model_version": version.model_version,
        "aliases": list(version.aliases),
        "run_id": version.run_id,
        "create_time": version.create_time.isoformat(),
        "metrics": dict(version.metrics),
        "parameters": dict(version.parameters),
    }
