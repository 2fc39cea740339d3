"""`troth campaign`: decisions for many members at once."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import CommandGroup, JsonOption, ProgrammeOption, ServerOption
from cli.output import progress_bar, publish

app = CommandGroup(help="Decisions for many members at once.", no_args_is_help=True)


@app.callback()
def _campaign() -> None:
    """Keep ``run`` a command of its own name, however many there are beside it."""


@app.command()
def run(
    campaign_id: Annotated[
        str, typer.Argument(help="The campaign; under one id nobody is decided for twice.")
    ],
    members: Annotated[
        Path,
        typer.Option(help="For whom: .parquet or .csv with a column member_id, or .txt with one id a line."),
    ],
    placement: Annotated[str, typer.Option(help="The placement, for offers or for actions.")],
    server: ServerOption,
    out: Annotated[Path, typer.Option(help="Write the result to this .parquet file.")],
    channel: Annotated[
        str, typer.Option(help="How the offers travel; the placement's first channel if not given.")
    ] = "",
    offers: Annotated[
        int, typer.Option(min=0, help="Offers for each member; 0 for the placement's default.")
    ] = 0,
    programme: ProgrammeOption = "default",
    json: JsonOption = "",
) -> None:
    """Decide for every member of a list through a running server; after a break the same command goes on."""
    from server.clients.campaign import Campaign, read_members, run_campaign

    if out.suffix != ".parquet":
        raise typer.BadParameter(f"{out} must end with .parquet.", param_hint="--out")
    listed = read_members(members)
    if out.exists() and out.samefile(members):
        raise typer.BadParameter(f"{out} is the list of members itself; write to another file.")
    campaign = Campaign(programme, campaign_id, placement, channel, offers)
    with progress_bar() as report:
        counted = run_campaign(campaign, listed, server, out, report)
    publish(json, counted.document, lambda: counted.sentence(out))
