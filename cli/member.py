"""`troth member`: what the server is told of members."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, write_json

app = typer.Typer(help="What the server is told of members.", no_args_is_help=True)


@app.callback()
def _member() -> None:
    """Keep ``import`` a command of its own name, however many there are beside it."""


@app.command("import")
def import_members(
    table: Annotated[
        Path,
        typer.Argument(
            help="Parquet or CSV, a row for each member: member_id, tier, points_balance, points_expire_time, time_zone,"
            " consent:CHANNEL:PURPOSE; every other column is an attribute."
        ),
    ],
    server: Annotated[str, typer.Option(help="Host and port of the server.")] = "127.0.0.1:50051",
    programme: Annotated[str, typer.Option(help="The programme.")] = "default",
    actor: Annotated[str, typer.Option(help="Who asks, for the audit trail.")] = "troth member import",
    json: Annotated[
        str, typer.Option(help="Write the counts as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Tell a running server what a table says of members. The same table again changes nothing."""
    from cli.member_import import send_members
    from cli.output import progress_bar
    from server.members.table import member_updates, read_member_table

    members = read_member_table(table)
    with progress_bar() as report:
        counts = send_members(
            member_updates(members),
            server=server,
            programme=programme,
            actor=actor,
            report=lambda done: report("Members", done, members.height),
        )
    if json:
        write_json(counts._asdict(), json)
    if json != "-":
        say(f"{counts.changed_count} members changed, {counts.unchanged_count} were known so already.")
