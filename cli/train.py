"""`troth train`: training jobs, tracked in MLflow."""

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    DEFAULT_STORE,
    ChallengersOption,
    CommandGroup,
    ControlOption,
    FeaturesOption,
    FoldsOption,
    JsonOption,
    LearnerOption,
    MarginColumnOption,
    MemberColumnOption,
    NewStoreOption,
    OutcomeColumnOption,
    ProgrammeOption,
    PropensityColumnOption,
    SeedOption,
    SharesOption,
    TreatmentColumnOption,
    TrialMemberColumnOption,
    TrialOption,
    ValueColumnOption,
    read_names,
    read_shares,
)
from cli.output import progress_bar, publish, table

if TYPE_CHECKING:
    from training.offers.result import TrainOffersResult

app = CommandGroup(help="Training jobs, tracked in MLflow.", no_args_is_help=True)


@app.command()
def actions(
    data: TrialOption,
    treatment_column: TreatmentColumnOption,
    control: ControlOption,
    outcome_column: OutcomeColumnOption,
    margin_column: MarginColumnOption = "",
    features: FeaturesOption = "",
    propensity_column: PropensityColumnOption = "",
    member_column: TrialMemberColumnOption = "",
    share: SharesOption = None,
    learner: LearnerOption = "dr_ridge",
    challengers: ChallengersOption = True,
    folds: FoldsOption = 5,
    seed: SeedOption = 0,
    scores: Annotated[
        Path | None,
        typer.Option(help="Write out-of-fold effects here, one column per arm; Parquet, or CSV by ending."),
    ] = None,
    store: NewStoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    json: JsonOption = "",
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
        features=tuple(read_names(features) or ()),
    )
    options = ActionsOptions(
        store=store,
        programme=programme,
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
        scores=scores,
        shares=read_shares(share),
    )
    with progress_bar() as report:
        result = train_actions(data, columns, options, report)
    publish(json, result.to_json, result.summary)


@app.command()
def members(
    transactions: Annotated[
        Path,
        typer.Option(
            help="Table with one row per transaction, Parquet or CSV; with --previous, those since."
        ),
    ],
    member_column: MemberColumnOption,
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
    store: NewStoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    json: JsonOption = "",
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
    publish(json, result.to_json, result.summary)


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
    member_column: MemberColumnOption = "member_id",
    offer_column: Annotated[
        str, typer.Option(help="Column with offer ids; with --covers, of the products bought.")
    ] = "offer_id",
    time_column: Annotated[
        str,
        typer.Option(help="Column with times: dates, timestamps, or numbers (days, or seconds since 1970)."),
    ] = "",
    value_column: ValueColumnOption = "",
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
    store: NewStoreOption = DEFAULT_STORE,
    programme: ProgrammeOption = "default",
    promote: Annotated[
        bool, typer.Option(help="Let the best become champion if it passes the promotion gate.")
    ] = True,
    recommendations: Annotated[
        Path | None,
        typer.Option(help="Write every member's best offers by the best model to this Parquet file."),
    ] = None,
    json: JsonOption = "",
) -> None:
    """Train offer models, compare them on the whole catalogue, register them; the best serves if it beats counting."""
    # Read when the libraries that fit are loaded: threads that spin while they wait slow down whatever else runs here.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from training.data.tables import Tables
    from training.offers.job import train_offers
    from training.offers.job_data import chosen_source
    from training.offers.options import DEFAULT_SEED, JobOptions, read_days, read_seconds

    options = JobOptions(
        store=store,
        programme=programme,
        models=read_names(models),
        ks=_lengths(k),
        seed=DEFAULT_SEED if seed is None else seed,
        time_budget=read_seconds(time_budget, "--time-budget", "s") if time_budget else 0.0,
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
    days = read_days(horizon, "--horizon")
    with progress_bar() as report:
        report("reading the tables", 0, 1)
        source = chosen_source(dataset, tables, task, seed=options.seed, horizon=days)
        result = train_offers(source, options, progress=report)
    publish(json, result.to_json, lambda: comparison(result))


def _lengths(text: str) -> tuple[int, ...]:
    try:
        lengths = tuple(int(part) for part in text.split(","))
    except ValueError:
        lengths = ()
    if not lengths or min(lengths) < 1:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 10,20.", param_hint="--k")
    return lengths


def comparison(result: "TrainOffersResult") -> str:
    """Return the table that compares the models, best first, and what the gate said."""
    from training.evaluation.evaluation import COUNTING, metric_title, shown_difference, shown_estimate
    from training.offers.model_cards import headline_metrics

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
