"""`troth experiment`: definitions and their analysis."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, write_json

app = typer.Typer(help="Definitions and their analysis.", no_args_is_help=True)

Definition = Annotated[Path, typer.Argument(help="YAML file with one experiment.")]


@app.command()
def validate(path: Annotated[Path, typer.Argument(help="YAML file, or a folder of them.")]) -> None:
    """Check experiment definitions; every problem is named at once."""
    from experiments.definition import load_experiments

    found = load_experiments(path)
    say(f"{path}: {len(found)} experiment{'' if len(found) == 1 else 's'}, nothing wrong.")


@app.command()
def analyze(
    definition: Definition,
    log: Annotated[Path, typer.Option(help="The server's event log.")] = Path("troth.db"),
    json: Annotated[
        str, typer.Option(help="Write the result as JSON to this file, or to stdout for '-'.")
    ] = "",
    html: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
) -> None:
    """Analyse an experiment from the server's event log."""
    from experiments.analysis import analyze as run
    from experiments.definition import load_experiments
    from experiments.event_frames import read_log
    from experiments.report import ReportContext, build_report

    found = load_experiments(definition)
    if len(found) != 1:
        raise typer.BadParameter(f"{definition} holds {len(found)} experiments; name a file with one.")
    (experiment,) = found
    frames = read_log(log, experiment.programme)
    result = run(experiment, exposures=frames.exposures, outcomes=frames.outcomes)
    if json:
        write_json(result.to_json(), json)
    if html is not None:
        context = ReportContext(
            title=experiment.experiment_id, subtitle=experiment.hypothesis, generated_time=datetime.now(UTC)
        )
        html.write_text(build_report(result, context), encoding="utf-8")
    if json != "-":
        say(result.sentence())
