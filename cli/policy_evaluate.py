"""`troth policy evaluate`: what a policy would have earned, from the log of another one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import names, say, write_json

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
    from experiments.off_policy.document import policy_document, policy_lines
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
        write_json({**policy_document(evaluated.found), "fingerprint": evaluated.fingerprint}, json)
    if json != "-":
        say(policy_lines(evaluated.found))


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
