"""`troth replay`: do decisions come out as they were logged?"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_CONFIG, JsonOption, LogConfigOption, OneProgrammeOption
from cli.output import progress_bar, publish, table

if TYPE_CHECKING:
    from server.log_replay import LogReplay, LogReplayed


def replay(
    decision_id: Annotated[
        str, typer.Argument(help="The decision, as the answer named it; none with --all.")
    ] = "",
    config: LogConfigOption = DEFAULT_CONFIG,
    programme: OneProgrammeOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Make every decision of the log again, and count.")
    ] = False,
    since: Annotated[
        datetime | None, typer.Option(help="With --all: only decisions made at this time (UTC) or later.")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=0, help="With --all: so many decisions, spread evenly over the log; 0 for all.")
    ] = 0,
    json: JsonOption = "",
) -> None:
    """Make a decision again from log, catalogue and model; exit code 1 if one bit differs or it cannot be made again."""
    from server.config import load_config
    from server.log_replay import open_log_replay
    from server.programme.configured import chosen_programme

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
    fields = [(one.path, one.logged, one.replayed) for one in found]
    differences = [dict(zip(("field_path", "logged", "replayed"), field, strict=True)) for field in fields]
    publish(
        json,
        lambda: {"identical": not found, "differences": differences},
        lambda: table(["differs in", "logged", "now"], fields) if found else "identical",
    )
    return not found


def _replay_all(log: "LogReplay", since: datetime | None, sample: int, json: str) -> bool:
    with progress_bar() as report:
        found = log.many(since=since, sample=sample, report=report)
    publish(
        json,
        lambda: {
            "identical_count": found.identical_count,
            "different_count": found.different_count,
            "impossible_count": found.impossible_count,
            "deviations": [{"decision_id": one.decision_id, "why": one.why} for one in found.deviations],
            "seconds": found.seconds,
        },
        lambda: _counted(found),
    )
    return found.identical_count == found.count


def _counted(found: "LogReplayed") -> str:
    speed = f"{found.count / found.seconds:,.0f} a second" if found.seconds else "at once"
    first = (
        f"{found.count:,} decisions made again ({speed}): {found.identical_count:,} identical,"
        f" {found.different_count:,} different, {found.impossible_count:,} impossible."
    )
    rest = [f"  {one.decision_id}  {one.why}" for one in found.deviations]
    return "\n".join([first, *rest])
