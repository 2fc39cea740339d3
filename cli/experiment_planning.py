"""`troth experiment power` and `simulate`: what an experiment needs and can find, and A/A tests on a user's own data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say, table, write_json

if TYPE_CHECKING:
    from experiments.aa_test import AATest, MethodRate
    from experiments.planning import PowerReport
    from experiments.stats.power import TargetEffect


def power(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
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
    json: Annotated[
        str, typer.Option(help="Write the figures as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Say how many units and days each method needs, and what the planned units can find."""
    from cli.experiment_sources import one_experiment
    from experiments.aggregates import open_table
    from experiments.planning import plan_experiment

    if (data is None) == (baseline_mean is None or baseline_sd is None):
        raise typer.BadParameter("Give --data TABLE, or both --baseline-mean and --baseline-sd.")
    if effect and relative is not None:
        raise typer.BadParameter("Give --effect or --relative, not both.")
    experiment = one_experiment(definition)
    known = [one.metric_id for one in experiment.metrics]
    if metric and metric not in known:
        raise typer.BadParameter(f"There is no metric {metric!r}; there are {', '.join(known)}.")
    given = None if baseline_mean is None or baseline_sd is None else (baseline_mean, baseline_sd)
    report = plan_experiment(
        experiment,
        table=None if data is None else open_table(data),
        moments=given if data is None else None,
        metric_id=metric,
        effect=_effect(effect, relative),
        units_per_day=units_per_day,
    )
    if json:
        write_json(report.to_json(), json)
    if json != "-":
        say(_power_page(report))


def _effect(text: str, relative: float | None) -> "TargetEffect | None":
    from experiments.stats.power import TargetEffect, parse_effect

    if relative is not None:
        return TargetEffect(relative, relative=True)
    if not text:
        return None
    try:
        return parse_effect(text)
    except ValueError:
        raise typer.BadParameter(f"--effect is {text!r}; write 5% or 0.5") from None


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


def simulate(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
    data: Annotated[Path, typer.Option(help="A table with one row per unit; its own variants are ignored.")],
    runs: Annotated[int, typer.Option(help="Random splits of the table.", min=100)] = 1_000,
    looks: Annotated[
        int, typer.Option(help="Looks at each split, while its units arrive.", min=1, max=200)
    ] = 20,
    effect: Annotated[
        str, typer.Option(help="Relative effect put in, for example 5%: A/B instead of A/A.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the random numbers.", min=0)] = 1,
    json: Annotated[
        str, typer.Option(help="Write the rates as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Split a table at random again and again and count what each method finds, where there is nothing to find."""
    from cli.experiment_sources import one_experiment
    from cli.output import progress_bar
    from experiments.aa_test import simulate as split_and_judge
    from experiments.aggregates import open_table

    experiment = one_experiment(definition)
    share = _share(effect)
    with progress_bar() as report:
        found = split_and_judge(
            experiment, open_table(data), runs=runs, looks=looks, seed=seed, effect=share, report=report
        )
    if json:
        write_json(found.to_json(), json)
    if json != "-":
        say(_simulation_page(found))


def _share(text: str) -> float:
    if not text:
        return 0.0
    number, percent, rest = text.partition("%")
    try:
        size = float(number)
    except ValueError:
        rest = "no number"
    if rest.strip() or not size > (-100 if percent else -1):
        raise typer.BadParameter(f"--effect is {text!r}; write 5% or 0.05")
    return size / 100 if percent else size


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
