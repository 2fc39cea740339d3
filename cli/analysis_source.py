"""Where an analysis takes its data from, and where it puts its result."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.output import read_json, write_json, write_text

if TYPE_CHECKING:
    from experiments.analysis import ExperimentResult
    from experiments.definition import ExperimentDefinition
    from training.uplift.responders import Responders


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line says about the data: a table, event tables, or the server's log."""

    log: Path
    data: Path | None = None
    exposures: Path | None = None
    outcomes: Path | None = None
    identities: Path | None = None
    saved: Path | None = None
    as_of: date | None = None


def one_experiment(path: Path, changes: dict[str, str] | None = None) -> "ExperimentDefinition":
    """Return the one experiment of a file, with changes to its fields."""
    from experiments.definition import load_experiments

    found = load_experiments(path)
    if len(found) != 1:
        raise typer.BadParameter(f"{path} holds {len(found)} experiments; name a file with one.")
    return found[0].model_copy(update=changes or {})


def run_analysis(definition: "ExperimentDefinition", request: Request) -> "ExperimentResult":
    """Return the analysis of the data that the request names."""
    from experiments.aggregates import open_table
    from experiments.analysis import analyze_events, analyze_log, analyze_table, reanalyze
    from experiments.log.frames import read_log

    if request.saved is not None:
        return reanalyze(definition, read_json(request.saved), today=request.as_of)
    if request.data is not None:
        return analyze_table(definition, open_table(request.data), today=request.as_of)
    if request.exposures is not None and request.outcomes is not None:
        return analyze_events(
            definition,
            exposures=open_table(request.exposures),
            outcomes=open_table(request.outcomes),
            identities=None if request.identities is None else open_table(request.identities),
            today=request.as_of,
        )
    return analyze_log(definition, read_log(request.log, definition.programme), today=request.as_of)


def write_result(
    result: "ExperimentResult", json: str, html: Path | None, responders: "Responders | None" = None
) -> None:
    """Write the result as JSON and as a report, where asked for, with who responded where that was told."""
    if json:
        who = {} if responders is None else {"who_responded": responders.to_json()}
        write_json({**result.to_json(), **who}, json)
    if html is None:
        return
    from experiments.pages import ReportContext, build_report

    definition = result.definition
    context = ReportContext(
        title=definition.experiment_id,
        subtitle=definition.hypothesis,
        generated_time=datetime.now(UTC),
        who_responded="" if responders is None else responders.section(),
    )
    write_text(html, build_report(result, context))
