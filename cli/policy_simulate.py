"""`troth policy simulate`: what a catalogue would do, before it is launched."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say, table, write_json, write_text
from cli.progress import progress_bar

if TYPE_CHECKING:
    from server.whatif import Simulation


class Response(StrEnum):
    """Where responses come from: drawn from their probability, or the outcomes of the log."""

    ASSUME = "assume"
    NONE = "none"


_DAY = ["%Y-%m-%d"]


def simulate(
    config: Annotated[
        Path, typer.Option(help="The server's configuration: names log, catalogue and models.")
    ],
    catalogue: Annotated[
        Path | None, typer.Option(help="The catalogue to try; the one in force if not given.")
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option(
            help="Parquet or CSV of members: attributes, tier, points; instead of the log's profiles."
        ),
    ] = None,
    requests: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV of requests: member_id, placement_id, time; instead of the log's."),
    ] = None,
    placement: Annotated[
        str, typer.Option(help="Let every member ask here once a day, instead of the log's requests.")
    ] = "",
    channel: Annotated[str, typer.Option(help="How the answers travel at --placement.")] = "",
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, help="First day; 30 days before the log's end if not given."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="Last day, included; the log's last if not given."),
    ] = None,
    response: Annotated[
        Response, typer.Option(help="assume draws responses from their probability; none takes the log's.")
    ] = Response.NONE,
    programme: Annotated[
        str, typer.Option(help="The programme; not needed where the configuration has one only.")
    ] = "",
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed is another draw; 0 leaves the log's chance as it was.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write Parquet here: decisions to FILE.parquet, all tables to a folder."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to read here.")] = None,
    json: Annotated[
        str, typer.Option(help="Write everything as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Let a catalogue answer past requests in a world of its own, and compare it with today's; nothing is logged."""
    from cli.options import read_programme
    from server.config import load_config
    from server.whatif import Asked, opened, to_json
    from server.whatif import simulate as simulated

    if requests is not None and placement:
        raise typer.BadParameter("Give --requests, or --placement; not both.")
    if channel and not placement:
        raise typer.BadParameter("--channel belongs to --placement.")
    asked = Asked(
        catalogue=catalogue,
        members=members,
        requests=requests,
        placement_id=placement,
        channel_id=channel,
        from_day=None if from_ is None else from_.date(),
        until_day=None if until is None else until.date(),
        assume=response is Response.ASSUME,
        seed=seed,
        keep_rows=out is not None,
    )
    chosen = read_programme(config, programme).programme
    with opened(load_config(config), chosen, datetime.now(UTC)) as source, progress_bar() as report:
        found = simulated(source, asked, report)
    if out is not None:
        from server.whatif.document import write_tables

        write_tables(found, out)
    if html is not None:
        from server.simulation.page import build_page

        write_text(html, build_page(found))
    if json:
        write_json(to_json(found), json)
    if json != "-":
        _say(found)


def _say(found: "Simulation") -> None:
    from server.simulation.sections import sections
    from server.whatif.page import headline, losers, worth

    say(headline(found))
    say(losers(found))
    if valued := worth(found):
        say(valued)
    for section in sections(found):
        say(f"\n{section.title}")
        say(table(section.header, section.rows))
        if section.left_out:
            say(f"… and {section.left_out:,} more; --json and --out have them all.")
