"""`troth replay`: do decisions come out as they were logged?"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say, table, write_json

if TYPE_CHECKING:
    from server.log_replay import LogReplay


def replay(
    decision_id: Annotated[
        str, typer.Argument(help="The decision, as the answer named it; none with --all.")
    ] = "",
    config: Annotated[Path, typer.Option(help="The server's configuration: names log and models.")] = Path(
        "troth.toml"
    ),
    programme: Annotated[
        str, typer.Option(help="The programme; not needed where the configuration has one only.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Make every decision of the log again, and count.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="With --all: only decisions made at this time (UTC) or later.")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="With --all: so many decisions, spread evenly over the log; 0 for all.")
    ] = 0,
    json: Annotated[
        str, typer.Option(help="Write what was found as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Make a decision again from log, catalogue and model; exit code 1 if one bit differs or it cannot be made again."""
    from cli.options import chosen_programme
    from server.config import load_config
    from server.log_replay import open_log_replay

    if everything == bool(decision_id):
        raise typer.BadParameter("Name one decision, or give --all.")
    if not everything and (since is not None or sample):
        raise typer.BadParameter("--since and --sample belong to --all.")
    found = load_config(config)
    chosen = chosen_programme(config, found.programmes, programme)
    with open_log_replay(found, chosen) as log:
        if everything:
            same = _replay_all(log, None if since is None else since.replace(tzinfo=UTC), sample, json)
        else:
            same = _replay_one(log, chosen, decision_id, json)
    if not same:
        raise typer.Exit(1)


def _replay_one(log: "LogReplay", programme: str, decision_id: str, json: str) -> bool:
    found = log.handler.replay(programme, decision_id).differences
    if json:
        differences = [
            {"field_path": one.path, "logged": one.logged, "replayed": one.replayed} for one in found
        ]
        write_json({"identical": not found, "differences": differences}, json)
    if json != "-":
        if found:
            say(
                table(
                    ["differs in", "logged", "now"], [[one.path, one.logged, one.replayed] for one in found]
                )
            )
        else:
            say("identical")
    return not found


def _replay_all(log: "LogReplay", since: datetime | None, sample: int, json: str) -> bool:
    from cli.output import progress_bar

    with progress_bar() as report:
        found = log.many(since=since, sample=sample, report=report)
    if json:
        document = {
            "identical_count": found.identical_count,
            "different_count": found.different_count,
            "impossible_count": found.impossible_count,
            "deviations": [{"decision_id": one.decision_id, "why": one.why} for one in found.deviations],
            "seconds": found.seconds,
        }
        write_json(document, json)
    if json != "-":
        speed = f"{found.count / found.seconds:,.0f} a second" if found.seconds else "at once"
        say(
            f"{found.count:,} decisions made again ({speed}): {found.identical_count:,} identical,"
            f" {found.different_count:,} different, {found.impossible_count:,} impossible."
        )
        for one in found.deviations:
            say(f"  {one.decision_id}  {one.why}")
    return found.identical_count == found.count
