"""`troth experiment`: definitions, their analysis and their planning."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.experiment_allocate import allocate
from cli.experiment_assign import assign
from cli.experiment_planning import power
from cli.experiment_simulate import simulate
from cli.output import names, say

app = typer.Typer(help="Definitions, assignment, analysis and planning.", no_args_is_help=True)


@app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="YAML file, or a folder of them.")],
    previous: Annotated[
        Path | None,
        typer.Option(
            help="The definitions in force: check that what changed may change in the state they are in."
        ),
    ] = None,
) -> None:
    """Check experiment definitions; every problem is named at once."""
    from experiments.definition import check_changes, load_experiments
    from experiments.plan import compile_plan

    found = load_experiments(path)
    for programme in sorted({experiment.programme for experiment in found}):
        compile_plan(found, programme)
    if previous is not None:
        check_changes(load_experiments(previous), found, str(path))
    say(f"{path}: {len(found)} experiment{'' if len(found) == 1 else 's'}, nothing wrong.")


@app.command()
def analyze(
    definition: Annotated[
        Path,
        typer.Argument(help="YAML file with one experiment; or standing-arms, which the catalogue defines."),
    ],
    data: Annotated[
        Path | None, typer.Option(help="A table with one row per unit: Parquet, CSV, … Instead of the log.")
    ] = None,
    exposures: Annotated[
        Path | None, typer.Option(help="A long table with one row per exposure; together with --outcomes.")
    ] = None,
    outcomes: Annotated[Path | None, typer.Option(help="A long table with one row per outcome.")] = None,
    identities: Annotated[
        Path | None,
        typer.Option(
            help="A table anonymous_id, member_id, for --exposures and --outcomes: who is the same person."
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="The server's event log; troth.db if no other data are named.")
    ] = None,
    saved: Annotated[
        Path | None,
        typer.Option(help="A result saved with --json: compute it again from the statistics saved with it."),
    ] = None,
    unit_column: Annotated[
        str, typer.Option(help="The table's column with the unit; as in the definition.")
    ] = "",
    variant_column: Annotated[
        str, typer.Option(help="The table's column with the variant; as in the definition.")
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            help="The server's configuration: has the catalogue of standing-arms, and names the log."
        ),
    ] = None,
    programme: Annotated[
        str, typer.Option(help="The programme of standing-arms, where the configuration has several.")
    ] = "",
    period: Annotated[
        str,
        typer.Option(help="The period of standing-arms: 2026-11, 2026-Q4 or 2026; the present one if empty."),
    ] = "",
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="The day for which the end is judged; the data's last day if not given.",
        ),
    ] = None,
    json: Annotated[
        str, typer.Option(help="Write the result as JSON to this file, or to stdout for '-'.")
    ] = "",
    html: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    who: Annotated[
        bool,
        typer.Option(
            "--who", help="Tell who responded: effects by member on the primary metric, with their guards."
        ),
    ] = False,
    members: Annotated[
        Path | None,
        typer.Option(
            help="With --who: a table of members (member_id), such as `troth train members` writes, known before."
        ),
    ] = None,
    features: Annotated[
        str,
        typer.Option(
            help="With --who: columns that were known before, separated by commas; all that can be if empty."
        ),
    ] = "",
    trial: Annotated[
        Path | None,
        typer.Option(
            help="With --who: write the units as a trial for `troth plan` and `troth train actions`."
        ),
    ] = None,
) -> None:
    """Analyse an experiment: a table of your own with --data, event tables, or the server's log."""
    from cli.analysis_source import Request, one_experiment, run_analysis, write_result
    from cli.experiment_sources import WhoOptions, tell_responders
    from cli.standing_source import asks_for_standing_arms, standing_experiment

    if (exposures is None) != (outcomes is None):
        raise typer.BadParameter("--exposures and --outcomes belong together.")
    if sum(source is not None for source in (data, exposures, saved, log)) > 1:
        raise typer.BadParameter(
            "Give one of --data (one row per unit), --exposures with --outcomes (events), --saved (a result) and --log."
        )
    if identities is not None and exposures is None:
        raise typer.BadParameter("--identities belongs to --exposures and --outcomes.")
    changes = {"unit_column": unit_column, "variant_column": variant_column}
    if asks_for_standing_arms(definition):
        if config is None or data is not None or exposures is not None:
            raise typer.BadParameter(
                "Standing arms are defined by the catalogue and read from the server's log: give --config."
            )
        experiment, of_config = standing_experiment(definition.name, config, programme, period, as_of)
        log = log or of_config
    else:
        if config is not None or programme or period:
            raise typer.BadParameter("--config, --programme and --period belong to standing-arms.")
        experiment = one_experiment(definition, {name: value for name, value in changes.items() if value})
    request = Request(
        log or Path("troth.db"),
        data,
        exposures,
        outcomes,
        identities,
        saved,
        None if as_of is None else as_of.date(),
    )
    result = run_analysis(experiment, request)
    responders = tell_responders(
        experiment, request, WhoOptions(who, members, tuple(names(features) or ()), trial)
    )
    write_result(result, json, html, responders)
    if json != "-":
        told = "" if responders is None else f"\n{responders.sentence}"
        say(f"{result.decision.reason}\n{result.sentence()}{told}")


app.command()(allocate)
app.command()(assign)
app.command()(power)
app.command()(simulate)
