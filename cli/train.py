"""`troth train`: training jobs for offers, actions and members, tracked in MLflow."""

import os
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import names, progress_bar, say, table, write_json

if TYPE_CHECKING:
    from training.offers.result import TrainOffersResult
    from training.offers.sources import JobSource

Data = Annotated[Path, typer.Option(help="Table of a trial, Parquet or CSV: one row per member.")]
Treatment = Annotated[str, typer.Option(help="Column with the arm that each member got.")]
Control = Annotated[str, typer.Option(help="The arm that the others are compared with.")]
OutcomeColumn = Annotated[str, typer.Option(help="Column with what came of it: a number, or 0 and 1.")]
Margin = Annotated[
    str,
    typer.Option(help="Column with the money earned, before the arms' cost; decides in the outcome's place."),
]
Features = Annotated[
    str,
    typer.Option(
        help="Columns known before the arm was drawn, separated by commas; every fitting column if empty."
    ),
]
Propensity = Annotated[
    str,
    typer.Option(
        help="Column with the probability of the arm that each member got; the arms' shares if empty."
    ),
]
Member = Annotated[str, typer.Option(help="Column with member ids; members are numbered by row if empty.")]
Shares = Annotated[
    list[str] | None,
    typer.Option("--share", help="ARM=SHARE that was planned, to check the arms' sizes; repeat it."),
]


def actions(
    data: Data,
    treatment_column: Treatment,
    control: Control,
    outcome_column: OutcomeColumn,
    margin_column: Margin = "",
    features: Features = "",
    propensity_column: Propensity = "",
    member_column: Member = "",
    share: Shares = None,
    learner: Annotated[
        str, typer.Option(help="Default learner: dr_ridge, r_ridge, x_ridge, t_linear or s_linear.")
    ] = "dr_ridge",
    challengers: Annotated[
        bool, typer.Option(help="Let boosted trees replace the default where their policy earns more.")
    ] = True,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-fitting.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    scores: Annotated[
        Path | None,
        typer.Option(help="Write out-of-fold effects here, one column per arm; Parquet, or CSV by ending."),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store; made if there is none.")] = Path(
        "mlflow"
    ),
    programme: Annotated[str, typer.Option(help="Loyalty programme that the model is for.")] = "default",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Learn what each arm of a trial changes for each member, calibrated, and register the model."""
    from training.uplift.job import ActionsOptions, train_actions
    from training.uplift.reading import TrialColumns

    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(names(features) or ()),
    )
    options = ActionsOptions(
        store=store,
        programme=programme,
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
        scores=scores,
        shares=read_amounts(share or [], "--share"),
    )
    with progress_bar() as report:
        result = train_actions(data, columns, options, report)
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(result.summary())


def read_amounts(written: list[str], option: str) -> dict[str, float] | None:
    """Return the numbers of texts such as ``mail=0.5``; none without any.

    Raises:
        BadParameter: A text is none.
    """
    found = {}
    for text in written:
        arm, equals, amount = text.rpartition("=")
        try:
            found[arm] = float(amount)
        except ValueError:
            equals = ""
        if not (equals and arm and found[arm] >= 0):
            raise typer.BadParameter(f"{text!r} is no ARM=NUMBER such as mail=0.5.", param_hint=option)
    return found or None


_TABLE = "Parquet or CSV"


def members(
    transactions: Annotated[
        Path,
        typer.Option(help=f"Table with one row per transaction, {_TABLE}; with --previous, those since."),
    ],
    member_column: Annotated[str, typer.Option(help="Column with member ids.")],
    time_column: Annotated[
        str, typer.Option(help="Column with times: dates, timestamps, or numbers such as 20170131.")
    ],
    value_column: Annotated[str, typer.Option(help="Column with money; below 0 for a return.")],
    out: Annotated[Path, typer.Option(help="Where the member table goes: Parquet, or CSV by its ending.")],
    horizon: Annotated[
        str, typer.Option(help="Of expected orders and of churn, such as 90d or 13w.")
    ] = "90d",
    value_horizon: Annotated[str, typer.Option(help="Of customer lifetime value.")] = "365d",
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Last day that is observed; that of the last transaction if not given."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with conventions: lifecycle, tiers, points, margin.")
    ] = None,
    category_column: Annotated[str, typer.Option(help="Column with what kind of thing was bought.")] = "",
    channel_column: Annotated[str, typer.Option(help="Column with where it was bought.")] = "",
    discount_column: Annotated[str, typer.Option(help="Column with the money taken off, at least 0.")] = "",
    points: Annotated[
        Path | None,
        typer.Option(help="Table of points: member, time, points (below 0 where spent), maybe expires."),
    ] = None,
    surveys: Annotated[
        Path | None, typer.Option(help="Table of survey answers: member, time, score from 0 to 10.")
    ] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="Table of members with columns to carry over; same member column.")
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(help="A table that an earlier job wrote: continue it with the new transactions."),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store; made if there is none.")] = Path(
        "mlflow"
    ),
    programme: Annotated[str, typer.Option(help="Loyalty programme.")] = "default",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Make one table of members: RFM, lifecycle, expected orders, churn, lifetime value, tier, points, preferences."""
    from training.members.history import parse_duration
    from training.members.job import MembersOptions, train_members
    from training.members.orders import TransactionColumns
    from training.members.rules import read_rules

    columns = TransactionColumns(
        member_column, time_column, value_column, category_column, channel_column, discount_column
    )
    options = MembersOptions(
        out=out,
        horizon=parse_duration(horizon, "--horizon"),
        value_horizon=parse_duration(value_horizon, "--value-horizon"),
        as_of=as_of.date() if as_of is not None else None,
        rules=read_rules(config),
        previous=previous,
        points=points,
        surveys=surveys,
        members=attributes,
        store=store,
        programme=programme,
    )
    with progress_bar() as report:
        result = train_members(transactions, columns, options, report)
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(result.summary())


app = typer.Typer(help="Training jobs, tracked in MLflow.", no_args_is_help=True)
app.command("actions")(actions)
app.command("members")(members)

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


def _source(dataset: str, tables: object, task: str, seed: int, horizon: float) -> "JobSource":
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


def comparison(result: "TrainOffersResult") -> str:
    """Return the table that compares the models, best first, and what the gate said."""
    from training.offers.model_cards import headline_metrics, metric_title, shown_difference, shown_estimate
    from training.offers.result import COUNTING

    job = result.job
    ordered = sorted(result.models, key=lambda model: -model.judged.metrics[job.metric].value)
    listed = [name for name in headline_metrics(job) if name in ordered[0].judged.metrics]
    rows = []
    for model in ordered:
        difference = result.differences.get(model.name)
        rows.append(
            (
                model.name + (" (best on validation)" if model.name == result.best else ""),
                *(shown_estimate(model.judged.metrics[name]) for name in listed),
                "" if difference is None or model.name == COUNTING else shown_difference(difference),
                f"{model.fit_seconds:.1f}",
            )
        )
    header = ("model", *map(metric_title, listed), f"{metric_title(job.metric)} against {COUNTING}", "fit s")
    lines = [table(header, rows), f"Judged on {job.judged_on}; ± is the standard error over members."]
    lines += [f"{name} is left out: {reason}" for name, reason in result.left_out.items()]
    if result.promotion:
        lines.append(result.promotion)
    return "\n".join(lines)
