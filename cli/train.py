"""`troth train`: training jobs, tracked in MLflow."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import names, say, write_json
from cli.progress import progress_bar

app = typer.Typer(help="Training jobs, tracked in MLflow.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Training jobs, tracked in MLflow."""


@app.command()
def offers(
    dataset: Annotated[
        str, typer.Option(help="Data set to train on; there is complete-journey.")
    ] = "complete-journey",
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store; made if there is none.")] = Path(
        "mlflow"
    ),
    programme: Annotated[str, typer.Option(help="Loyalty programme that the models are for.")] = "default",
    models: Annotated[str, typer.Option(help="Names of models, separated by commas; all if empty.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Train the offer models, compare them on validation weeks, register them; the best becomes champion."""
    from cli.comparison import comparison
    from training.data.named import load_dataset
    from training.offers_job import DEFAULT_SEED, train_offers

    with progress_bar() as report:
        result = train_offers(
            load_dataset(dataset),
            store=store,
            programme=programme,
            models=names(models),
            seed=DEFAULT_SEED if seed is None else seed,
            progress=report,
        )
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(comparison(result))
