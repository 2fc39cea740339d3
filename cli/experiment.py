"""`troth experiment`: definitions, assignment, analysis and planning."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_LOG, CommandGroup, DefinitionArgument, JsonOption, read_names
from cli.output import progress_bar, publish, say, table, write_json, write_text

if TYPE_CHECKING:
    from experiments.aa_test import AATest, MethodRate
    from experiments.planning import PowerReport

app = CommandGroup(help="Definitions, assignment, analysis and planning.", no_args_is_help=True)


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
    json: JsonOption = "",
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
    from experiments.analysis.sources import AnalysisSource
    from server.programme.configured import analysed_experiment

    source = AnalysisSource(
        data=data,
        exposures=exposures,
        outcomes=outcomes,
        identities=identities,
        log=log,
        saved=saved,
        today=None if as_of is None else as_of.date(),
    )
    experiment, source = analysed_experiment(
        definition,
        source,
        config=config,
        programme=programme,
        period=period,
        changes={"unit_column": unit_column, "variant_column": variant_column},
    )
    if source.is_empty:
        source = replace(source, log=DEFAULT_LOG)
    result = source.analyze(experiment)
    responders = None
    if who or members is not None or features or trial is not None:
        from training.uplift.responders import tell_responders

        responders = tell_responders(
            experiment, source, who=who, members=members, features=read_names(features) or (), trial=trial
        )
    if json:
        told = {} if responders is None else {"who_responded": responders.to_json()}
        write_json({**result.to_json(), **told}, json)
    if html is not None:
        from experiments.pages import result_report

        section = "" if responders is None else responders.section()
        write_text(html, result_report(result, datetime.now(UTC), section))
    if json != "-":
        last = "" if responders is None else f"\n{responders.sentence}"
        say(f"{result.decision.reason}\n{result.sentence()}{last}")


@app.command()
def allocate(
    definition: DefinitionArgument,
    data: Annotated[Path | None, typer.Option(help="A table with one row per unit and its day.")] = None,
    log: Annotated[Path, typer.Option(help="The server's event log, without --data.")] = DEFAULT_LOG,
    out: Annotated[
        Path | None, typer.Option(help="Write the definition with the new weights, as its next revision.")
    ] = None,
    json: JsonOption = "",
) -> None:
    """Work out the next weights of a bandit experiment: each variant's chance to be the best."""
    import yaml

    from experiments.analysis.allocation import next_weights, with_weights
    from experiments.analysis.sources import AnalysisSource
    from experiments.definition import load_experiment

    experiment = load_experiment(definition)
    source = AnalysisSource(data=data, log=log if data is None else None)
    weights = next_weights(source.analyze(experiment))
    if out is not None:
        changed = with_weights(experiment, weights)
        write_text(out, yaml.safe_dump(changed, sort_keys=False, allow_unicode=True))
    now = {variant.variant_id: str(variant.weight) for variant in experiment.variants}
    rows = [[name, now[name], str(weight)] for name, weight in weights.items()]
    publish(
        json,
        lambda: {"experiment_id": experiment.experiment_id, "weights": weights},
        lambda: table(["variant", "weight now", "next weight"], rows),
    )


@app.command()
def assign(
    definition: DefinitionArgument,
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
    from experiments.assignment.table import assign_units, write_assignments
    from experiments.definition import load_experiment

    if out.exists() and units.exists() and out.samefile(units):
        raise typer.BadParameter(f"{out} is the table of units itself; write to another file.")
    experiment = load_experiment(definition)
    assigned = assign_units(
        experiment, units, unit_column=unit_column, earlier_column=earlier_column, preview=preview
    )
    counted = write_assignments(assigned, out)
    say(counted.sentence(variant.variant_id for variant in experiment.variants))


@app.command()
def power(
    definition: DefinitionArgument,
    data: Annotated[
        Path | None, typer.Option(help="A table of the past with one row per unit, for mean and variance.")
    ] = None,
    baseline_mean: Annotated[float | None, typer.Option(help="Instead of --data: the metric's mean.")] = None,
    baseline_sd: Annotated[
        float | None, typer.Option(help="Instead of --data: the metric's standard deviation by unit.")
    ] = None,
    metric: Annotated[str, typer.Option(help="Which metric; the primary one if not given.")] = "",
    effect: Annotated[
        str, typer.Option(help="The effect to be found: 5% of the control's figure, or 0.5 in its unit.")
    ] = "",
    relative: Annotated[
        float | None, typer.Option(help="The effect to be found, relative: 0.05 is 5 %.")
    ] = None,
    units_per_day: Annotated[
        float | None, typer.Option(help="New units a day; from the table's days if not given.")
    ] = None,
    json: JsonOption = "",
) -> None:
    """Say how many units and days each method needs, and what the planned units can find."""
    from experiments.aggregates import open_table
    from experiments.definition import load_experiment
    from experiments.planning import plan_experiment, target_effect

    if (data is None) == (baseline_mean is None or baseline_sd is None):
        raise typer.BadParameter("Give --data TABLE, or both --baseline-mean and --baseline-sd.")
    target = target_effect(effect, relative)
    given = None if baseline_mean is None or baseline_sd is None else (baseline_mean, baseline_sd)
    report = plan_experiment(
        load_experiment(definition),
        table=None if data is None else open_table(data),
        moments=given if data is None else None,
        metric_id=metric,
        effect=target,
        units_per_day=units_per_day,
    )
    publish(json, report.to_json, lambda: _power_page(report))


def _power_page(report: "PowerReport") -> str:
    wanted = f"{100 * report.wanted_power:g} %"
    if report.margin is not None:
        target = f"a loss of the margin, {report.margin}, is excluded with a chance of {wanted}"
    elif report.effect is None:
        target = f"what is found with a chance of {wanted}"
    else:
        share = "" if report.relative_effect is None else f" ({100 * report.relative_effect:+.3g} %)"
        target = f"an effect of {report.effect:.4g}{share} is found with a chance of {wanted}"
    comparisons = f" over {report.comparisons} comparisons" if report.comparisons > 1 else ""
    head = f"{report.metric_id}: mean {report.baseline_mean:.6g}, standard deviation {report.baseline_sd:.6g} by unit"
    lines = [f"{head}; {target} at alpha {report.alpha:g}{comparisons}."]
    planned = "" if report.planned_units is None else f" at {report.planned_units:,}"
    rows = [
        [
            one.method,
            _whole(one.required_units),
            _days(one.days),
            _days(one.average_days),
            "-" if one.power is None else f"{100 * one.power:.1f} %",
            "-" if one.minimal_effect is None else f"{one.minimal_effect:.4g}",
            "-" if one.minimal_relative_effect is None else f"{100 * one.minimal_relative_effect:.2f} %",
        ]
        for one in report.methods
    ]
    smallest = "smallest margin" if report.margin is not None else "smallest effect"
    header = [
        "method",
        "units",
        "days",
        "days on average",
        f"power{planned}",
        f"{smallest}{planned}",
        "relative",
    ]
    lines.append(table(header, rows))
    reasons = dict.fromkeys(reason for one in report.methods for reason in one.reasons.values())
    lines += [f"-: {reason}." for reason in reasons]
    return "\n".join(lines)


def _whole(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _days(days: float | None) -> str:
    return "-" if days is None else f"{days:,.1f}"


@app.command()
def simulate(
    definition: DefinitionArgument,
    data: Annotated[Path, typer.Option(help="A table with one row per unit; its own variants are ignored.")],
    runs: Annotated[int, typer.Option(help="Random splits of the table.", min=100)] = 1_000,
    looks: Annotated[
        int, typer.Option(help="Looks at each split, while its units arrive.", min=1, max=200)
    ] = 20,
    effect: Annotated[
        str, typer.Option(help="Relative effect put in, for example 5%: A/B instead of A/A.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the random numbers.", min=0)] = 1,
    json: JsonOption = "",
) -> None:
    """Split a table at random again and again and count what each method finds, where there is nothing to find."""
    from experiments.aa_test import simulate as split_and_judge
    from experiments.aggregates import open_table
    from experiments.definition import load_experiment
    from experiments.planning import relative_size

    experiment = load_experiment(definition)
    share = relative_size(effect)
    with progress_bar() as report:
        found = split_and_judge(
            experiment, open_table(data), runs=runs, looks=looks, seed=seed, effect=share, report=report
        )
    publish(json, found.to_json, lambda: _simulation_page(found))


def _simulation_page(found: "AATest") -> str:
    rows = [
        [found.label(one), rate.method, f"{rate.looks}", f"{100 * rate.rate:.1f} %", _band(rate)]
        for one in found.metrics
        for rate in one.rates
    ]
    lines = []
    if rows:
        what = "found" if found.effect else "false findings"
        lines.append(table(["metric", "method", "looks", what, "asked"], rows))
    lines += [found.sentence(one) for one in found.metrics]
    return "\n".join(lines)


def _band(rate: "MethodRate") -> str:
    if rate.sound is None:
        return "a mistake" if rate.method == "fixed-peeking" else ""
    return (
        f"{100 * rate.low:.1f} to {100 * rate.high:.1f} %" if rate.low else f"at most {100 * rate.high:.1f} %"
    )
