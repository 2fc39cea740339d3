"""`troth models refresh`: the purchases since the champion's feature time enter it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.models_options import DEFAULT_TASK, Json, OneTask, Programme, Store
from cli.output import say, write_json
from cli.progress import progress_bar

if TYPE_CHECKING:
    from training.refreshing import RefreshResult

_GAP_DAYS = 2.0
"""A longer time without a purchase is worth a word: perhaps a day was forgotten."""


def refresh(
    interactions: Annotated[
        Path, typer.Option(help="The new purchases, one row each; rows that the champion knows are left out.")
    ],
    time_column: Annotated[
        str, typer.Option(help="Column with times, in the form that the champion was trained with.")
    ],
    member_column: Annotated[str, typer.Option(help="Column with member ids.")] = "member_id",
    offer_column: Annotated[
        str, typer.Option(help="Column with offer ids; where offers cover products, of the products bought.")
    ] = "offer_id",
    value_column: Annotated[str, typer.Option(help="Column with values, at least 0.")] = "",
    store: Store = Path("mlflow"),
    programme: Programme = "default",
    task: OneTask = DEFAULT_TASK,
    json: Json = "",
) -> None:
    """Add the purchases since the champion's feature time to it, without the rows of the past; the result serves if it works."""
    from training.data.tables import Tables
    from training.refreshing import refresh_model

    tables = Tables(
        interactions=interactions,
        member_column=member_column,
        offer_column=offer_column,
        time_column=time_column,
        value_column=value_column,
    )
    with progress_bar() as report:
        result = refresh_model(store, programme, task, tables, progress=report)
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        for line in _lines(result):
            say(line)
    if not result.promotion.promoted:
        sys.stderr.write(f"troth: {result.promotion.reason}\n")
        raise typer.Exit(1)


def _lines(result: "RefreshResult") -> list[str]:
    from training.offers.model_cards import metric_title, shown_estimate

    added, drift = result.added, result.drift
    new = ", ".join(
        counted(count, what) for count, what in ((added.members, "member"), (added.products, "product"))
    )
    entered = f"{counted(added.rows, 'purchase')} after {result.known_until} and up to {result.feature_time}"
    lines = [f"Added {entered}; new: {new}."]
    if added.left_out:
        lines.append(
            f"Left out {counted(added.left_out, 'row')} up to {result.known_until}, known to version "
            f"{result.refreshed_from}; the first is row {added.first_left_out:,}."
        )
    if added.gap_days > _GAP_DAYS:
        lines.append(
            f"The first new purchase is {added.gap_days:.1f} days after {result.known_until}: what was bought between them "
            "cannot be added later."
        )
    if drift is not None:
        judged = (
            "" if drift.judged is None else f" (when it was judged: {drift.judged:.4f}, over its own window)"
        )
        lines.append(
            f"Version {result.refreshed_from} ranks these {drift.days:.1f} days with {metric_title(drift.metric)} "
            f"{shown_estimate(drift.value)}{judged}."
        )
    if result.promotion.promoted:
        lines.append(result.promotion.reason)
    return lines


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
