"""A simulation as data: one JSON document, and tables in which every row says whether it is of ``today`` or of the ``new`` revision."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date
from pathlib import Path
from typing import Any

import polars as pl

from server.whatif.requests import SimulationError
from server.whatif.run import Run
from server.whatif.simulate import Simulation
from server.whatif.summary import Summary

_RUN = {"run": pl.String}
DECISIONS: dict[str, Any] = {
    **_RUN,
    "request": pl.String,
    "member_id": pl.String,
    "placement_id": pl.String,
    "time": pl.Datetime("us", "UTC"),
    "day": pl.Date,
    "rank": pl.Int64,
    "candidate_id": pl.String,
    "channel_id": pl.String,
    "score": pl.Float64,
    "propensity": pl.Float64,
    "probability": pl.Float64,
    "value": pl.Float64,
    "cost": pl.Float64,
    "fallback": pl.Boolean,
}
"""Columns of the decisions, one row for each candidate of an answer; rank 0 and no candidate where it is empty."""

REACH: dict[str, Any] = {
    **_RUN,
    "candidate_id": pl.String,
    "title": pl.String,
    "members": pl.Int64,
    "member_share": pl.Float64,
    "decisions": pl.Int64,
    "first_day": pl.Date,
    "last_day": pl.Date,
    "value": pl.Float64,
    "cost": pl.Float64,
}
BUDGETS: dict[str, Any] = {
    **_RUN,
    "account_id": pl.String,
    "day": pl.Date,
    "reserved_units": pl.Int64,
    "reserved": pl.Float64,
    "committed_units": pl.Int64,
    "committed": pl.Float64,
    "released_units": pl.Int64,
    "released": pl.Float64,
    "left_units": pl.Int64,
    "left": pl.Float64,
}
MEMBERS: dict[str, Any] = {
    "member_id": pl.String,
    "tier": pl.String,
    "segments": pl.List(pl.String),
    "answers_today": pl.Int64,
    "answers_new": pl.Int64,
    "value_today": pl.Float64,
    "value_new": pl.Float64,
    "contacts_today": pl.Int64,
    "contacts_new": pl.Int64,
}
"""Columns of the members: answers that gave something, expected value, contacts on any channel."""


def decisions(simulation: Simulation) -> pl.DataFrame:
    """Return the decisions of both runs; they must have been kept."""
    rows = [row for name, done in _runs(simulation) for row in _decisions(name, done)]
    return pl.DataFrame(rows, schema=DECISIONS, orient="row")


def write_tables(simulation: Simulation, target: Path) -> None:
    """Write the decisions to a file, or decisions, reach, budgets and members to a folder.

    Args:
        simulation: Its decisions must have been kept.
        target: A file whose name ends in ``.parquet``, or a folder, which is made if there is none.

    Raises:
        SimulationError: It cannot be written.
    """
    if target.suffix == ".parquet":
        tables = {target: decisions(simulation)}
    else:
        named = {
            "decisions": decisions(simulation),
            "reach": _reach(simulation),
            "budgets": _budgets(simulation),
            "members": _members(simulation),
        }
        tables = {target / f"{name}.parquet": table for name, table in named.items()}
    for path, table in tables.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            table.write_parquet(path)
        except OSError as error:
            raise SimulationError(f"{path} cannot be written: {error}.", path=str(path)) from None


def _runs(simulation: Simulation) -> tuple[tuple[str, Run], ...]:
    return ("today", simulation.today_run), ("new", simulation.new_run)


def _decisions(name: str, done: Run) -> Iterator[tuple[object, ...]]:
    for row in done.tally.rows:
        request, worth = row.request, row.worth
        yield (
            name,
            request.key,
            request.member_id,
            request.placement_id,
            request.time.astimezone(UTC),
            row.day,
            row.rank,
            row.candidate_id or None,
            row.channel_id or None,
            row.score,
            row.propensity,
            None if worth is None else worth.probability,
            None if worth is None else worth.value,
            None if worth is None else worth.cost,
            row.fallback,
        )


def _reach(simulation: Simulation) -> pl.DataFrame:
    rows = [
        {"run": name, **asdict(one)}
        for name, summary in (("today", simulation.today), ("new", simulation.new))
        for one in summary.reached
    ]
    return pl.DataFrame(rows, schema=REACH)


def _budgets(simulation: Simulation) -> pl.DataFrame:
    rows = [
        {"run": name, "account_id": budget.account_id, **asdict(day)}
        for name, summary in (("today", simulation.today), ("new", simulation.new))
        for budget in summary.budgets
        for day in budget.days
    ]
    return pl.DataFrame(rows, schema=BUDGETS)


def _members(simulation: Simulation) -> pl.DataFrame:
    today, new = simulation.today_run.tally.members, simulation.new_run.tally.members
    rows = [
        (
            member_id,
            one.tier or None,
            list(one.segments),
            today[member_id].answers,
            one.answers,
            today[member_id].value,
            one.value,
            today[member_id].contacts.total(),
            one.contacts.total(),
        )
        for member_id, one in new.items()
    ]
    return pl.DataFrame(rows, schema=MEMBERS, orient="row")


def to_json(simulation: Simulation) -> dict[str, Any]:
    """Return the document; days are ISO texts, shares lie between 0 and 1."""
    found: dict[str, Any] = _plain(
        {
            "programme": simulation.programme,
            "first_day": simulation.first_day,
            "last_day": simulation.last_day,
            "requests": simulation.requests,
            "responses": "assume" if simulation.assumed else "none",
            "new": _summary(simulation.new),
            "today": _summary(simulation.today),
            "groups": [asdict(one) for one in simulation.groups],
            "candidates": [asdict(one) for one in simulation.candidates],
        }
    )
    return found


def _summary(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "value_per_decision": summary.value_per_decision}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
