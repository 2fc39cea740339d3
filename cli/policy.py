"""`troth policy`: what decisions earned, and what others would.

`troth policy evaluate`: what a policy would have earned, from the log of another one.

`troth policy simulate`: what a catalogue would do, before it is launched.

`troth policy compare`: what was promised of a policy beside what an experiment measured.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import names, progress_bar, read_json, say, table, write_json, write_text

if TYPE_CHECKING:
    import polars as pl

    from training.policy_value.evaluation import EvaluatedLog


def evaluate(
    log: Annotated[
        Path | None,
        typer.Option(
            help="Table of logged choices, Parquet or CSV: one row per choice, of a slate one per position."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The server's configuration: its own log is evaluated if --log is not given, and keeps --revision."
        ),
    ] = None,
    revision: Annotated[
        str,
        typer.Option(
            help="Keep the value with this catalogue revision, for `troth policy compare` (needs --config)."
        ),
    ] = "",
    programme: Annotated[str, typer.Option(help="The programme of the configuration.")] = "",
    placement: Annotated[
        str, typer.Option(help="Of the server's log, the decisions of this placement.")
    ] = "",
    action_column: Annotated[str, typer.Option(help="Column with what was chosen.")] = "candidate_id",
    propensity_column: Annotated[
        str, typer.Option(help="Column with the probability of that.")
    ] = "propensity",
    reward_column: Annotated[
        str, typer.Option(help="Column with what came of it; of the server's log responded or value.")
    ] = "",
    position_column: Annotated[str, typer.Option(help="Column with the position in a slate, from 1.")] = "",
    policy: Annotated[
        str,
        typer.Option(
            help="uniform, logging, always:ACTION or table:FILE (columns action, probability, maybe position)."
        ),
    ] = "",
    policy_column: Annotated[
        str,
        typer.Option(help="Column with the probability with which the policy would have chosen the same."),
    ] = "",
    features: Annotated[str, typer.Option(help="Columns for a model of rewards, separated by commas.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds of that model.")] = 0,
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Tell what a policy would have earned in the place of the one that was logged, or refuse where the log says too little."""
    from training.policy_value.evaluation import LogColumns, evaluate_log, read_log_table

    if log is None and config is None:
        raise typer.BadParameter("Give --log, or --config.")
    if revision and config is None:
        raise typer.BadParameter("Give --config: its log keeps the value.", param_hint="--revision")
    if bool(policy) == bool(policy_column):
        raise typer.BadParameter("Give either --policy or --policy-column.")
    if log is not None and not reward_column:
        raise typer.BadParameter("Name the column with what came of a choice.", param_hint="--reward-column")
    columns = LogColumns(
        action_column,
        propensity_column,
        reward_column or "responded",
        position_column or ("rank" if log is None else ""),
        policy_column,
        tuple(names(features) or ()),
    )
    if log is not None:
        table, source = read_log_table(log, columns), log
    else:
        assert config is not None
        table, source = _own_log(config, programme, placement), config
    evaluated = evaluate_log(table, source, columns, policy, seed=seed)
    if revision:
        assert config is not None
        _keep(evaluated, config, programme, revision)
    if json:
        write_json(evaluated.to_json(), json)
    if json != "-":
        say(evaluated.summary())


def _keep(evaluated: "EvaluatedLog", config: Path, programme: str, revision: str) -> None:
    from datetime import UTC, datetime

    from cli.options import read_programme
    from experiments.errors import AnalysisError
    from experiments.off_policy.promise import promise_of
    from server.storage.catalogue_store import CatalogueFile
    from server.storage.promises import PromiseFile

    source = read_programme(config, programme)
    file = PromiseFile(source.log)
    if CatalogueFile(source.log).catalogue_at(source.programme, revision) is None:
        raise AnalysisError(
            f"The log knows no catalogue revision {revision!r} of programme {source.programme!r}."
        )
    file.keep(
        promise_of(
            evaluated.found,
            programme=source.programme,
            revision=revision,
            fingerprint=evaluated.fingerprint,
            time=datetime.now(UTC),
        )
    )


def _own_log(config: Path, programme: str, placement: str) -> "pl.DataFrame":
    import polars as pl

    from cli.attribution import attributed_log
    from experiments.errors import AnalysisError

    found = attributed_log(
        config, None, programme, rule="last_touch", windows={}, credit_unnamed=True
    ).touches
    placements = found["placement_id"].unique().sort().to_list()
    if not placement and len(placements) > 1:
        raise typer.BadParameter(
            f"The log has decisions of {', '.join(placements)}; name one.", param_hint="--placement"
        )
    if placement and placement not in placements:
        raise AnalysisError(
            f"The log has no decisions of placement {placement!r}; it has {', '.join(placements)}."
        )
    return found if not placement else found.filter(pl.col("placement_id") == placement)


if TYPE_CHECKING:
    from server.whatif import Simulation


class Response(StrEnum):
    """Where responses come from: drawn from their probability, or the outcomes of the log."""

    ASSUME = "assume"
    NONE = "none"


_DAY = ["%Y-%m-%d"]


def simulate(
    config: Annotated[
        Path, typer.Option(help="The server's configuration: names log, catalogue and models.")
    ],
    catalogue: Annotated[
        Path | None, typer.Option(help="The catalogue to try; the one in force if not given.")
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option(
            help="Parquet or CSV of members: attributes, tier, points; instead of the log's profiles."
        ),
    ] = None,
    requests: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV of requests: member_id, placement_id, time; instead of the log's."),
    ] = None,
    placement: Annotated[
        str, typer.Option(help="Let every member ask here once a day, instead of the log's requests.")
    ] = "",
    channel: Annotated[str, typer.Option(help="How the answers travel at --placement.")] = "",
    from_: Annotated[
        datetime | None,
        typer.Option("--from", formats=_DAY, help="First day; 30 days before the log's end if not given."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_DAY, help="Last day, included; the log's last if not given."),
    ] = None,
    response: Annotated[
        Response, typer.Option(help="assume draws responses from their probability; none takes the log's.")
    ] = Response.NONE,
    programme: Annotated[
        str, typer.Option(help="The programme; not needed where the configuration has one only.")
    ] = "",
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed is another draw; 0 leaves the log's chance as it was.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write Parquet here: decisions to FILE.parquet, all tables to a folder."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to read here.")] = None,
    json: Annotated[
        str, typer.Option(help="Write everything as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Let a catalogue answer past requests in a world of its own, and compare it with today's; nothing is logged."""
    from cli.options import read_programme
    from server.config import load_config
    from server.whatif import SimulationOptions, opened, to_json
    from server.whatif import simulate as simulated

    if requests is not None and placement:
        raise typer.BadParameter("Give --requests, or --placement; not both.")
    if channel and not placement:
        raise typer.BadParameter("--channel belongs to --placement.")
    asked = SimulationOptions(
        catalogue=catalogue,
        members=members,
        requests=requests,
        placement_id=placement,
        channel_id=channel,
        from_day=None if from_ is None else from_.date(),
        until_day=None if until is None else until.date(),
        assume=response is Response.ASSUME,
        seed=seed,
        keep_rows=out is not None,
    )
    chosen = read_programme(config, programme).programme
    with opened(load_config(config), chosen, datetime.now(UTC)) as source, progress_bar() as report:
        found = simulated(source, asked, report)
    if out is not None:
        from server.whatif.document import write_tables

        write_tables(found, out)
    if html is not None:
        from server.whatif.page import build_page

        write_text(html, build_page(found))
    if json:
        write_json(to_json(found), json)
    if json != "-":
        _say(found)


def _say(found: "Simulation") -> None:
    from server.whatif.page import headline, losers, sections, worth

    say(headline(found))
    say(losers(found))
    if valued := worth(found):
        say(valued)
    for section in sections(found):
        say(f"\n{section.title}")
        say(table(section.header, section.rows))
        if section.left_out:
            say(f"… and {section.left_out:,} more; --json and --out have them all.")


if TYPE_CHECKING:
    from experiments.off_policy.promise import MeasuredValue


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


def _measured(document: Mapping[str, Any], path: Path, metric: str, variant: str) -> "MeasuredValue":
    from experiments.errors import AnalysisError

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
    return MeasuredValue(
        float(row["estimate"]), float(row["standard_error"]), f"{row['metric_id']} of {row['variant_id']}"
    )


app = typer.Typer(help="What decisions earned, and what others would.", no_args_is_help=True)
app.command("simulate")(simulate)
app.command("evaluate")(evaluate)
app.command("compare")(compare)


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
