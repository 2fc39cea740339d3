"""`troth experiment`: definitions, their analysis and their planning.

`troth experiment assign`: the variants of a whole table of units.

`troth experiment allocate`: tomorrow's weights of a bandit.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.experiment_planning import power, simulate
from cli.output import names, say, table, write_json, write_text


def assign(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
    units: Annotated[Path, typer.Option(help="Table with one row per unit: .parquet or .csv.")],
    out: Annotated[Path, typer.Option(help="Write the assignments to this .parquet or .csv file.")],
    unit_column: Annotated[
        str,
        typer.Option(help="Column with the units' ids; as in the definition if not given, else member_id."),
    ] = "",
    earlier_column: Annotated[
        str, typer.Option(help="Column with the variant that a unit had before, for a sticky experiment.")
    ] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Assign although the experiment does not run, as if it did.")
    ] = False,
) -> None:
    """Assign all units of a table, from file to file; the same variants as the server answers."""
    from experiments.assignment.plan import compile_plan
    from experiments.assignment.table import NotRunningError, assign_table, open_units, write_assignments
    from experiments.definition import State, load_experiments

    found = load_experiments(definition)
    if len(found) != 1:
        raise typer.BadParameter(f"{definition} holds {len(found)} experiments; name a file with one.")
    (experiment,) = found
    if preview:
        experiment = experiment.model_copy(update={"state": State.RUNNING})
    if experiment.state is not State.RUNNING:
        raise NotRunningError(
            f"The experiment {experiment.experiment_id} is not running but {experiment.state}, so it assigns nobody; --preview shows"
            " whom it would assign.",
            experiment_id=experiment.experiment_id,
        )
    if out.exists() and units.exists() and out.samefile(units):
        raise typer.BadParameter(f"{out} is the table of units itself; write to another file.")
    column = unit_column or experiment.unit_column or "member_id"
    plan = compile_plan([experiment], experiment.programme)
    table = open_units(units, column, experiment.attributes)
    assigned = assign_table(plan, experiment.experiment_id, table, column, earlier_column)
    counted = write_assignments(assigned, out)
    say(counted.sentence(variant.variant_id for variant in experiment.variants))


def allocate(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
    data: Annotated[Path | None, typer.Option(help="A table with one row per unit and its day.")] = None,
    log: Annotated[Path, typer.Option(help="The server's event log, without --data.")] = Path("troth.db"),
    out: Annotated[
        Path | None, typer.Option(help="Write the definition with the new weights, as its next revision.")
    ] = None,
    json: Annotated[
        str, typer.Option(help="Write the weights as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Work out the next weights of a bandit experiment: each variant's chance to be the best."""
    import yaml

    from cli.experiment_sources import DataSources, one_experiment, run_analysis
    from experiments.analysis.allocation import next_weights

    experiment = one_experiment(definition)
    result = run_analysis(experiment, DataSources(data=data, log=log))
    weights = next_weights(result)
    if json:
        write_json({"experiment_id": experiment.experiment_id, "weights": weights}, json)
    if out is not None:
        changed = experiment.model_dump(mode="json", exclude_defaults=True)
        changed |= {"revision": experiment.revision + 1}
        # A day in YAML is a day, not text.
        changed |= {name: getattr(experiment, name) for name in ("start_date", "end_date") if name in changed}
        for variant in changed["variants"]:
            variant["weight"] = weights[variant["variant_id"]]
        write_text(out, yaml.safe_dump(changed, sort_keys=False, allow_unicode=True))
    if json != "-":
        now = {variant.variant_id: str(variant.weight) for variant in experiment.variants}
        rows = [[name, now[name], str(weight)] for name, weight in weights.items()]
        say(table(["variant", "weight now", "next weight"], rows))


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
    from experiments.assignment.plan import compile_plan
    from experiments.definition import check_changes, load_experiments

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
    from cli.experiment_sources import (
        DataSources,
        WhoOptions,
        asks_for_standing_arms,
        one_experiment,
        run_analysis,
        standing_experiment,
        tell_responders,
        write_result,
    )

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
    request = DataSources(
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
