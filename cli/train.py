"""`troth train`: training jobs, tracked in MLflow."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, table, write_json
from cli.progress import progress_bars
from training.data.named import load_dataset
from training.evaluation import Estimate
from training.offers_job import DEFAULT_SEED, train_offers
from training.offers_result import TrainOffersResult

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
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = DEFAULT_SEED,
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Train the offer models, compare them on validation weeks, register them; the best becomes champion."""
    with progress_bars() as report:
        result = train_offers(
            load_dataset(dataset),
            store=store,
            programme=programme,
            models=model_names(models),
            seed=seed,
            progress=report,
        )
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(comparison(result))


def model_names(listed: str) -> list[str] | None:
    """Return the names of a comma-separated list; none if it is empty."""
    return [name.strip() for name in listed.split(",") if name.strip()] or None


def comparison(result: TrainOffersResult) -> str:
    """Return the table that compares the models, best first, and which one serves."""
    ordered = sorted(result.models, key=lambda model: -model.metrics["hits_per_trip"].value)
    rows = [
        (
            model.name + (" (champion)" if model.name == result.champion else ""),
            _shown(model.metrics["hits_per_trip"]),
            _shown(model.metrics["usd_per_trip"]),
            _shown(model.metrics["ndcg_at_10"]),
            f"{model.fit_seconds:.1f}",
        )
        for model in ordered
    ]
    return table(("model", "hits per trip", "USD per trip", "NDCG@10", "fit s"), rows)


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} ± {estimate.standard_error:.4f}"
