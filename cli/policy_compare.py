"""`troth policy compare`: what was promised of a policy beside what an experiment measured."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import read_json, say, write_json

if TYPE_CHECKING:
    from experiments.off_policy.promise import Measured


def compare(
    revision: Annotated[str, typer.Argument(help="Catalogue revision that the promise was kept with.")],
    result: Annotated[Path, typer.Option(help="What `troth experiment analyze --json` wrote.")],
    config: Annotated[
        Path, typer.Option(help="The server's configuration: names the log that keeps promises.")
    ],
    metric: Annotated[
        str, typer.Option(help="Metric of the result that the promise is about; its first if empty.")
    ] = "",
    variant: Annotated[
        str, typer.Option(help="Variant with the policy; the first that is compared if empty.")
    ] = "",
    programme: Annotated[str, typer.Option(help="The programme of the configuration.")] = "",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Put the predicted value of a policy beside what its experiment measured, and tell whether they agree."""
    from cli.options import read_programme
    from experiments.errors import AnalysisError
    from experiments.off_policy.promise import compare as compare_promise
    from server.storage.promises import PromiseFile

    source = read_programme(config, programme)
    promises = PromiseFile(source.log).of(source.programme, revision)
    if not promises:
        raise AnalysisError(
            f"Nothing was kept with revision {revision!r} of programme {source.programme!r};"
            " `troth policy evaluate --revision` does that."
        )
    measured = _measured(read_json(result), result, metric, variant)
    kept = compare_promise(promises[-1], measured)
    if json:
        write_json(
            {
                "promise": {**asdict(promises[-1]), "evaluate_time": promises[-1].evaluate_time.isoformat()},
                **asdict(kept),
            },
            json,
        )
    if json != "-":
        say(kept.sentence)


def _measured(document: Mapping[str, Any], path: Path, metric: str, variant: str) -> "Measured":
    from experiments.errors import AnalysisError
    from experiments.off_policy.promise import Measured

    rows = [row for row in document.get("results", []) if isinstance(row, dict)]
    chosen = [
        row
        for row in rows
        if (not metric or row.get("metric_id") == metric)
        and (not variant or row.get("variant_id") == variant)
    ]
    if not chosen:
        listed = ", ".join(f"{row.get('metric_id')} of {row.get('variant_id')}" for row in rows) or "none"
        raise AnalysisError(f"{path} has no such result; it has {listed}.", path=str(path))
    row = chosen[0]
    if row.get("estimate") is None or row.get("standard_error") is None:
        raise AnalysisError(
            f"{path} has no estimate of {row.get('metric_id')} with its error.", path=str(path)
        )
    return Measured(
        float(row["estimate"]), float(row["standard_error"]), f"{row['metric_id']} of {row['variant_id']}"
    )
