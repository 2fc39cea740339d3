"""Small logs written by hand, as frames; times are days after the first of May."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from experiments.log.events import ActionChoice, Decision, Exposure, OfferChoice, Outcome
from experiments.log.frames import EventFrames, read_log
from experiments.log.rows import SCHEMA_VERSION, decision_row, exposure_row, outcome_row
from server.storage.schema import EVENT_STATEMENTS, EXPERIMENT_STATEMENTS

START = datetime(2026, 5, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    """Return the moment so many days after the start, to the second."""
    return START + timedelta(seconds=round(day * 86_400))


def decision(
    decision_id: str, member_id: str, day: float, *offers: str, placement_id: str = "home"
) -> Decision:
    """Return a decision that gave offers, each with the same probability."""
    return Decision(
        programme="default",
        decision_id=decision_id,
        request_id="",
        request_digest="",
        member_id=member_id,
        placement_id=placement_id,
        requested_count=len(offers),
        request_time=None,
        receive_time=at(day),
        decide_time=at(day),
        ranking="champion",
        model_version="m@1",
        plan_revision="plan-1",
        catalogue_revision="catalogue-1",
        feature_time=None,
        eligible_count=len(offers),
        degradations=(),
        offers=tuple(OfferChoice(offer_id, rank, 1.0 / rank, 0.5) for rank, offer_id in enumerate(offers, 1)),
        assignments=(),
    )


def action(
    decision_id: str,
    member_id: str,
    day: float,
    action_id: str,
    channel_id: str = "",
) -> Decision:
    """Return a decision that chose an action."""
    return replace(
        decision(decision_id, member_id, day),
        kind="actions",
        actions=(ActionChoice(action_id, channel_id, 1, 2.5, 0.25),),
    )


def outcome(
    event_id: str,
    member_id: str,
    day: float,
    outcome_type: str,
    *,
    decision_id: str = "",
    offer_id: str = "",
    value: int | None = None,
    currency_code: str = "USD",
) -> Outcome:
    """Return an outcome, with whole units of money if it has a value."""
    return Outcome(
        "default",
        event_id,
        member_id,
        outcome_type,
        decision_id,
        offer_id,
        value,
        None if value is None else 0,
        "" if value is None else currency_code,
        at(day),
        at(day),
    )


def exposure(event_id: str, member_id: str, day: float, decision_id: str) -> Exposure:
    """Return the exposure of an experiment that names a decision."""
    return Exposure("default", event_id, "e", "v", member_id, decision_id, at(day), at(day))


def write_log(
    path: Path,
    decisions: Iterable[Decision],
    outcomes: Iterable[Outcome],
    exposures: Iterable[Exposure] = (),
    links: Iterable[tuple[str, str]] = (),
) -> Path:
    """Write a log file as the server would leave it."""
    rows: dict[str, list[tuple[Any, ...]]] = {
        "decisions": [decision_row(one) for one in decisions],
        "outcomes": [outcome_row(one) for one in outcomes],
        "exposures": [exposure_row(one) for one in exposures],
        "identity_links": [("default", anonymous, member, 0) for anonymous, member in links],
    }
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in (*EVENT_STATEMENTS, *EXPERIMENT_STATEMENTS):
            connection.execute(statement)
        for table, values in rows.items():
            if values:
                marks = ", ".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return path


def log(
    folder: Path,
    decisions: Iterable[Decision],
    outcomes: Iterable[Outcome],
    exposures: Iterable[Exposure] = (),
    links: Iterable[tuple[str, str]] = (),
) -> EventFrames:
    """Return the frames of a log that is written to a folder and read back."""
    return read_log(write_log(folder / "log.db", decisions, outcomes, exposures, links))
