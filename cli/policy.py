"""`troth policy`: what decisions earned, and what others would."""

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import CommandGroup, JsonOption, OneProgrammeOption, read_names, read_pairs
from cli.output import progress_bar, publish, table, write_text

if TYPE_CHECKING:
    from server.whatif import Simulation

app = CommandGroup(help="What decisions earned, and what others would.", no_args_is_help=True)


class Response(StrEnum):
    """Where responses come from: drawn from their probability, or the outcomes of the log."""

    ASSUME = "assume"
    NONE = "none"


_DAY = ["%Y-%m-%d"]


@app.command()
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
    programme: OneProgrammeOption = "",
    seed: Annotated[
        int, typer.Option(min=0, help="Another seed is another draw; 0 leaves the log's chance as it was.")
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write Parquet here: decisions to FILE.parquet, all tables to a folder."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to read here.")] = None,
    json: JsonOption = "",
) -> None:
    """Let a catalogue answer past requests in a world of its own, and compare it with today's; nothing is logged."""
    from server.config import load_config
    from server.programme.configured import read_programme
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
    publish(json, lambda: to_json(found), lambda: _lines(found))


def _lines(found: "Simulation") -> str:
    from server.whatif.page import headline, losers, sections, worth

    lines = [headline(found), losers(found)]
    if valued := worth(found):
        lines.append(valued)
    for section in sections(found):
        lines += [f"\n{section.title}", table(section.header, section.rows)]
        if section.left_out:
            lines.append(f"… and {section.left_out:,} more; --json and --out have them all.")
    return "\n".join(lines)


@app.command()
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
    programme: OneProgrammeOption = "",
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
    json: JsonOption = "",
) -> None:
    """Tell what a policy would have earned in the place of the one that was logged, or refuse where the log says too little."""
    from training.policy_value.evaluation import LogColumns, evaluate_log, read_log_table

    if log is None and config is None:
        raise typer.BadParameter("Give --log, or --config.")
    if revision and config is None:
        raise typer.BadParameter("Give --config: its log keeps the value.", param_hint="--revision")
    columns = LogColumns.of_options(
        action=action_column,
        propensity=propensity_column,
        reward=reward_column,
        position=position_column,
        policy=policy_column,
        features=read_names(features) or (),
        own_log=log is None,
    )
    if log is not None:
        rows = read_log_table(log, columns)
    else:
        from server.attributed_log import logged_choices

        assert config is not None
        rows = logged_choices(config, programme, placement)
    evaluated = evaluate_log(rows, log or config or Path(), columns, policy, seed=seed)
    if revision:
        from server.promises import keep_promise

        assert config is not None
        keep_promise(
            evaluated.found,
            config,
            programme=programme,
            revision=revision,
            fingerprint=evaluated.fingerprint,
        )
    publish(
        json,
        evaluated.to_json,
        evaluated.summary,
    )


@app.command()
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
    programme: OneProgrammeOption = "",
    json: JsonOption = "",
) -> None:
    """Put the predicted value of a policy beside what its experiment measured, and tell whether they agree."""
    from experiments.analysis.sources import read_result
    from experiments.off_policy.promise import measured_in
    from server.promises import check_promise

    measured = measured_in(read_result(result), str(result), metric, variant)
    checked = check_promise(measured, config, programme=programme, revision=revision)
    promise = {**asdict(checked.promise), "evaluate_time": checked.promise.evaluate_time.isoformat()}
    publish(
        json,
        lambda: {"promise": promise, **asdict(checked.kept)},
        lambda: checked.kept.sentence,
    )


@app.command()
def attribute(
    out: Annotated[Path, typer.Option(help="Write a Parquet table with one row per decided candidate here.")],
    config: Annotated[
        Path | None,
        typer.Option(help="The server's configuration: names the log, and the catalogue with the windows."),
    ] = None,
    log: Annotated[Path | None, typer.Option(help="The event log, instead of the configuration's.")] = None,
    programme: OneProgrammeOption = "",
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
    json: JsonOption = "",
) -> None:
    """Join outcomes to the decisions that they are due to, and write what each candidate earned."""
    from server.attributed_log import attributed_log

    windows = dict(read_pairs(window, "--window", "PLACEMENT=DAYS", "home=7", float))
    found = attributed_log(config, log, programme, rule=rule, windows=windows, credit_unnamed=not named_only)
    found.write(out, credits_out)
    publish(json, lambda: found.counts, found.sentence)
