"""`troth train`: training jobs, tracked in MLflow."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import train_actions, train_members
from cli.output import names, say, write_json
from cli.progress import progress_bar

if TYPE_CHECKING:
    from training.offers.sources import Source

app = typer.Typer(help="Training jobs, tracked in MLflow.", no_args_is_help=True)
app.command("actions")(train_actions.actions)
app.command("members")(train_members.members)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@app.callback()
def _group() -> None:
    """Training jobs, tracked in MLflow."""


@app.command()
def offers(
    dataset: Annotated[
        str, typer.Option(help="Data set that comes with a package; there is complete-journey.")
    ] = "",
    interactions: Annotated[
        Path | None, typer.Option(help="Your own table: one row per purchase or other interaction.")
    ] = None,
    members: Annotated[Path | None, typer.Option(help="Attributes of members, one row each.")] = None,
    offers: Annotated[Path | None, typer.Option(help="Attributes of offers, one row each.")] = None,
    covers: Annotated[
        Path | None, typer.Option(help="Which offer covers which product: two columns, offer and product.")
    ] = None,
    member_column: Annotated[str, typer.Option(help="Column with member ids.")] = "member_id",
    offer_column: Annotated[
        str, typer.Option(help="Column with offer ids; with --covers, of the products bought.")
    ] = "offer_id",
    time_column: Annotated[
        str,
        typer.Option(help="Column with times: dates, timestamps, or numbers (days, or seconds since 1970)."),
    ] = "",
    value_column: Annotated[str, typer.Option(help="Column with values, at least 0.")] = "",
    test: Annotated[
        Path | None, typer.Option(help="Interactions of a given test split; without it the split is by time.")
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            help="replenish (repeats welcome), win_back (not bought in 8 weeks), discover (never bought) or redeem "
            "(which coupon). By default replenish when later interactions repeat earlier ones, else discover."
        ),
    ] = "",
    models: Annotated[str, typer.Option(help="Names of models, separated by commas; all if empty.")] = "",
    k: Annotated[
        str, typer.Option("--k", help="Lengths of lists, separated by commas; the first decides.")
    ] = "10,20",
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    horizon: Annotated[
        str, typer.Option(help="Length of a window where the split is by time, such as 28d.")
    ] = "28d",
    time_budget: Annotated[
        str, typer.Option(help="How long to try settings, such as 10m; a fixed number of trials if empty.")
    ] = "",
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store; made if there is none.")] = Path(
        "mlflow"
    ),
    programme: Annotated[str, typer.Option(help="Loyalty programme that the models are for.")] = "default",
    promote: Annotated[
        bool, typer.Option(help="Let the best become champion if it passes the promotion gate.")
    ] = True,
    recommendations: Annotated[
        Path | None,
        typer.Option(help="Write every member's best offers by the best model to this Parquet file."),
    ] = None,
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Train offer models, compare them on the whole catalogue, register them; the best serves if it beats counting."""
    # Read when the libraries that fit are loaded: threads that spin while they wait slow down whatever else runs here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cli.comparison import comparison
    from training.data.tables import Tables
    from training.offers.job import train_offers
    from training.offers.options import DEFAULT_SEED, JobOptions

    if bool(dataset) == (interactions is not None):
        raise typer.BadParameter("Name either --dataset or --interactions.")
    options = JobOptions(
        store=store,
        programme=programme,
        models=names(models),
        ks=_lengths(k),
        seed=DEFAULT_SEED if seed is None else seed,
        time_budget=_seconds(time_budget, "--time-budget", "s") if time_budget else 0.0,
        promote=promote,
        recommendations=recommendations,
    )
    tables = (
        None
        if interactions is None
        else Tables(
            interactions=interactions,
            member_column=member_column,
            offer_column=offer_column,
            members=members,
            offers=offers,
            covers=covers,
            time_column=time_column,
            value_column=value_column,
            test=test,
        )
    )
    days = _seconds(horizon, "--horizon", "d") / _SECONDS["d"]
    with progress_bar() as report:
        report("reading the tables", 0, 1)
        source = _source(dataset, tables, task, options.seed, days)
        result = train_offers(source, options, progress=report)
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(comparison(result))


def _source(dataset: str, tables: object, task: str, seed: int, horizon: float) -> "Source":
    from training.bundle import Task
    from training.data.tables import Tables
    from training.offers.sources import from_dataset, from_tables

    if task and task not in tuple(Task):
        raise typer.BadParameter(
            f"There is no task {task!r}; choose from {', '.join(Task)}.", param_hint="--task"
        )
    if isinstance(tables, Tables):
        return from_tables(tables, Task(task) if task else None, seed=seed, horizon=horizon)
    return from_dataset(dataset, Task(task) if task else Task.REPLENISH)


def _lengths(text: str) -> tuple[int, ...]:
    try:
        lengths = tuple(int(part) for part in text.split(","))
    except ValueError:
        lengths = ()
    if not lengths or min(lengths) < 1:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 10,20.", param_hint="--k")
    return lengths


def _seconds(text: str, option: str, unit: str) -> float:
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _SECONDS[found[2] or unit] if found else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is no time such as 90s, 10m, 1h or 28d.", param_hint=option)
    return seconds
