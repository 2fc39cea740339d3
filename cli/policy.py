"""`troth policy`: what decisions earned, and what others would."""

from pathlib import Path
from typing import Annotated

import typer

from cli import policy_compare, policy_evaluate, policy_simulate
from cli.output import say, write_json

app = typer.Typer(help="What decisions earned, and what others would.", no_args_is_help=True)
app.command("simulate")(policy_simulate.simulate)
app.command("evaluate")(policy_evaluate.evaluate)
app.command("compare")(policy_compare.compare)


@app.callback()
def _policy() -> None:
    """Keep ``attribute`` a command of its own name, however many there are beside it."""


@app.command()
def attribute(
    out: Annotated[Path, typer.Option(help="Write a Parquet table with one row per decided candidate here.")],
    config: Annotated[
        Path | None,
        typer.Option(help="The server's configuration: names the log, and the catalogue with the windows."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="The event log, instead of the configuration's.")] = None,
    programme: Annotated[
        str, typer.Option(help="The programme; not needed where the configuration has one only.")
    ] = "",
    credits_out: Annotated[
        Path | None,
        typer.Option("--credits", help="Write a Parquet table with one row per outcome here, too."),
    ] = None,
    rule: Annotated[
        str, typer.Option(help="last_touch, or exposed_last_touch: only what was seen earns credit.")
    ] = "last_touch",
    window: Annotated[
        list[str] | None,
        typer.Option(
            help="PLACEMENT=DAYS in which an outcome can be due to a decision, instead of the catalogue's."
        ),
    ] = None,
    named_only: Annotated[
        bool, typer.Option("--named-only", help="Credit no outcome that names neither decision nor offer.")
    ] = False,
    json: Annotated[
        str, typer.Option(help="Write the counts as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Join outcomes to the decisions that they are due to, and write what each candidate earned."""
    from cli.attribution import attributed_log, read_windows

    if config is None and log is None:
        raise typer.BadParameter("Give --config, or --log.")
    found = attributed_log(
        config, log, programme, rule=rule, windows=read_windows(window or []), credit_unnamed=not named_only
    )
    found.write(out, credits_out)
    if json:
        write_json(found.counts, json)
    if json != "-":
        say(found.sentence())
