"""`troth member`: what the server is told of members."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import CommandGroup, JsonOption, ProgrammeOption, ServerOption
from cli.output import progress_bar, publish

app = CommandGroup(help="What the server is told of members.", no_args_is_help=True)


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
    server: ServerOption = "127.0.0.1:50051",
    programme: ProgrammeOption = "default",
    actor: Annotated[str, typer.Option(help="Who asks, for the audit trail.")] = "troth member import",
    json: JsonOption = "",
) -> None:
    """Tell a running server what a table says of members. The same table again changes nothing."""
    from server.clients.members import send_members
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
    publish(
        json,
        counts._asdict,
        lambda: f"{counts.changed_count} members changed, {counts.unchanged_count} were known so already.",
    )
