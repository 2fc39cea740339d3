"""`troth train members`: what each member's purchases say of her next ones."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, write_json
from cli.progress import progress_bar

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
