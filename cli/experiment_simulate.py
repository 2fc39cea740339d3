"""`troth experiment simulate`: A/A tests on a user's own data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import say, table, write_json

if TYPE_CHECKING:
    from experiments.aa_test import MethodRate, Simulation


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
    from cli.analysis_source import one_experiment
    from cli.progress import progress_bar
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
        say(_page(found))


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


def _page(found: "Simulation") -> str:
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
