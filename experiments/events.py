"""The event schemas: what the server writes to its log and what every analysis reads.

Both ends of the log live here: the values the server appends, the columns they become in a table, and the frames
that an analysis gets back. All keys start with the programme. Times are stored as whole microseconds since the
Unix epoch, UTC; money as the units and nanos of ``google.type.Money``, so that no cent is rounded.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from experiments.errors import AnalysisError

_encode = json.JSONEncoder(separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Return an aware time as whole microseconds since the Unix epoch."""
    return (time - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the UTC time that lies so many microseconds after the Unix epoch."""
    return _EPOCH + micros * _MICROSECOND


@dataclass(frozen=True, slots=True)
class OfferChoice:
    """One offer of a decision.

    Attributes:
        offer_id: The offer.
        rank: Place in the answer, from 1.
        score: The ranking's score; comparable within one decision only.
        propensity: Probability, in (0, 1], with which the policy put this offer at this rank.
    """

    offer_id: str
    rank: int
    score: float
    propensity: float


@dataclass(frozen=True, slots=True)
class AssignedVariant:
    """The variant of one experiment that reached the member of a decision.

    Attributes:
        experiment_id: The experiment.
        variant_id: The variant.
        experiment_revision: Revision of the experiment, from 1.
        parameters: The variant's parameters.
    """

    experiment_id: str
    variant_id: str
    experiment_revision: int
    parameters: Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Decision:
    """One logged answer; immutable.

    Attributes:
        programme: The loyalty programme.
        decision_id: Unique within the programme.
        request_id: The client's key for retries, or empty.
        request_digest: Digest of what was asked; tells a retry from another question under the same key.
        member_id: Who asked.
        placement_id: Where the answer is shown.
        requested_count: Number of offers asked for, after defaults and maximum.
        request_time: The client's clock, if it was sent.
        receive_time: The server's clock at arrival.
        decide_time: The time for which offers were valid: the request's on a replay server, else the server's.
        ranking: How the offers were ranked: ``champion``, ``popular`` or ``catalogue``.
        model_version: Version of the bundle that scored, empty if none was loaded.
        plan_revision: Revision of the experiments in force.
        catalogue_revision: Revision of the catalogue in force.
        feature_time: The time the member features reach to; none without a bundle.
        eligible_count: Offers that could have been chosen.
        degradations: What was missing, as codes; empty in the normal case.
        offers: The answer, best first.
        assignments: The experiments that shaped it.
    """

    programme: str
    decision_id: str
    request_id: str
    request_digest: str
    member_id: str
    placement_id: str
    requested_count: int
    request_time: datetime | None
    receive_time: datetime
    decide_time: datetime
    ranking: str
    model_version: str
    plan_revision: str
    catalogue_revision: str
    feature_time: datetime | None
    eligible_count: int
    degradations: tuple[str, ...]
    offers: tuple[OfferChoice, ...]
    assignments: tuple[AssignedVariant, ...]


@dataclass(frozen=True, slots=True)
class Exposure:
    """A member met a variant; logged where the variant was used."""

    programme: str
    event_id: str
    experiment_id: str
    variant_id: str
    member_id: str
    decision_id: str
    expose_time: datetime
    receive_time: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """Something that happened afterwards.

    Attributes:
        programme: The loyalty programme.
        event_id: Made by the client; a repeat is counted once.
        member_id: To whom it happened.
        outcome_type: For example ``click``, ``redemption``, ``purchase``, ``return``, ``unsubscribe``.
        decision_id: The decision it followed, or empty.
        offer_id: The offer it concerns, or empty.
        value_units: Whole units of money, none if the outcome has no value; negative for returns.
        value_nanos: Billionths of a unit with the sign of the units.
        currency_code: ISO 4217 code, or empty.
        outcome_time: When it happened.
        receive_time: When the server heard of it.
    """

    programme: str
    event_id: str
    member_id: str
    outcome_type: str
    decision_id: str
    offer_id: str
    value_units: int | None
    value_nanos: int | None
    currency_code: str
    outcome_time: datetime
    receive_time: datetime


DECISION_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "decision_id": "TEXT NOT NULL",
    "request_id": "TEXT",
    "request_digest": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "placement_id": "TEXT NOT NULL",
    "requested_count": "INTEGER NOT NULL",
    "request_time": "INTEGER",
    "receive_time": "INTEGER NOT NULL",
    "decide_time": "INTEGER NOT NULL",
    "ranking": "TEXT NOT NULL",
    "model_version": "TEXT NOT NULL",
    "plan_revision": "TEXT NOT NULL",
    "catalogue_revision": "TEXT NOT NULL",
    "feature_time": "INTEGER",
    "eligible_count": "INTEGER NOT NULL",
    "degradations": "TEXT NOT NULL",
    "offers": "TEXT NOT NULL",
    "assignments": "TEXT NOT NULL",
}
"""Columns of table ``decisions``. ``offers``, ``assignments`` and ``degradations`` are JSON arrays."""

EXPOSURE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "event_id": "TEXT NOT NULL",
    "experiment_id": "TEXT NOT NULL",
    "variant_id": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "decision_id": "TEXT",
    "expose_time": "INTEGER NOT NULL",
    "receive_time": "INTEGER NOT NULL",
}
"""Columns of table ``exposures``."""

OUTCOME_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "event_id": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "outcome_type": "TEXT NOT NULL",
    "decision_id": "TEXT",
    "offer_id": "TEXT",
    "value_units": "INTEGER",
    "value_nanos": "INTEGER",
    "currency_code": "TEXT",
    "outcome_time": "INTEGER NOT NULL",
    "receive_time": "INTEGER NOT NULL",
}
"""Columns of table ``outcomes``."""

SCHEMA_VERSION = 1
"""Version of the tables above, kept in the file (``PRAGMA user_version``)."""


def _create_table(name: str, columns: dict[str, str], key: str) -> str:
    listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    return f"CREATE TABLE IF NOT EXISTS {name} ({listed}, PRIMARY KEY (programme, {key}))"


CREATE_STATEMENTS = (
    _create_table("decisions", DECISION_COLUMNS, "decision_id"),
    (
        "CREATE UNIQUE INDEX IF NOT EXISTS decisions_by_request ON decisions (programme, request_id)"
        " WHERE request_id IS NOT NULL"
    ),
    _create_table("exposures", EXPOSURE_COLUMNS, "event_id"),
    _create_table("outcomes", OUTCOME_COLUMNS, "event_id"),
)
"""What makes an empty file a log."""


def decision_row(decision: Decision) -> tuple[object, ...]:
    """Return the decision as a row in the order of ``DECISION_COLUMNS``."""
    return (
        decision.programme,
        decision.decision_id,
        decision.request_id or None,
        decision.request_digest,
        decision.member_id,
        decision.placement_id,
        decision.requested_count,
        None if decision.request_time is None else to_micros(decision.request_time),
        to_micros(decision.receive_time),
        to_micros(decision.decide_time),
        decision.ranking,
        decision.model_version,
        decision.plan_revision,
        decision.catalogue_revision,
        None if decision.feature_time is None else to_micros(decision.feature_time),
        decision.eligible_count,
        _encode(decision.degradations),
        _encode(
            [
                {"offer_id": o.offer_id, "rank": o.rank, "score": o.score, "propensity": o.propensity}
                for o in decision.offers
            ]
        ),
        _encode(
            [
                {
                    "experiment_id": a.experiment_id,
                    "variant_id": a.variant_id,
                    "experiment_revision": a.experiment_revision,
                    "parameters": dict(a.parameters),
                }
                for a in decision.assignments
            ]
        ),
    )


def decision_from_row(row: Sequence[Any]) -> Decision:
    """Return the decision that ``decision_row`` made a row of."""
    values = dict(zip(DECISION_COLUMNS, row, strict=True))
    return Decision(
        programme=values["programme"],
        decision_id=values["decision_id"],
        request_id=values["request_id"] or "",
        request_digest=values["request_digest"],
        member_id=values["member_id"],
        placement_id=values["placement_id"],
        requested_count=values["requested_count"],
        request_time=None if values["request_time"] is None else from_micros(values["request_time"]),
        receive_time=from_micros(values["receive_time"]),
        decide_time=from_micros(values["decide_time"]),
        ranking=values["ranking"],
        model_version=values["model_version"],
        plan_revision=values["plan_revision"],
        catalogue_revision=values["catalogue_revision"],
        feature_time=None if values["feature_time"] is None else from_micros(values["feature_time"]),
        eligible_count=values["eligible_count"],
        degradations=tuple(json.loads(values["degradations"])),
        offers=tuple(OfferChoice(**offer) for offer in json.loads(values["offers"])),
        assignments=tuple(AssignedVariant(**assigned) for assigned in json.loads(values["assignments"])),
    )


def exposure_row(exposure: Exposure) -> tuple[object, ...]:
    """Return the exposure as a row in the order of ``EXPOSURE_COLUMNS``."""
    return (
        exposure.programme,
        exposure.event_id,
        exposure.experiment_id,
        exposure.variant_id,
        exposure.member_id,
        exposure.decision_id or None,
        to_micros(exposure.expose_time),
        to_micros(exposure.receive_time),
    )


def outcome_row(outcome: Outcome) -> tuple[object, ...]:
    """Return the outcome as a row in the order of ``OUTCOME_COLUMNS``."""
    return (
        outcome.programme,
        outcome.event_id,
        outcome.member_id,
        outcome.outcome_type,
        outcome.decision_id or None,
        outcome.offer_id or None,
        outcome.value_units,
        outcome.value_nanos,
        outcome.currency_code or None,
        to_micros(outcome.outcome_time),
        to_micros(outcome.receive_time),
    )


_TIME = pl.Datetime("us", "UTC")
_POLARS_TYPES: dict[str, pl.DataType] = {"TEXT": pl.String(), "INTEGER": pl.Int64()}
_TIME_COLUMNS = {"request_time", "receive_time", "decide_time", "feature_time", "expose_time", "outcome_time"}
_OFFERS = pl.List(
    pl.Struct({"offer_id": pl.String, "rank": pl.Int64, "score": pl.Float64, "propensity": pl.Float64})
)
_ASSIGNMENTS = pl.List(
    pl.Struct({"experiment_id": pl.String, "variant_id": pl.String, "experiment_revision": pl.Int64})
)


@dataclass(frozen=True, slots=True)
class EventFrames:
    """The log of one programme as frames, one row per event.

    Attributes:
        decisions: Columns of ``DECISION_COLUMNS``; ``offers`` is a list of structs (offer_id, rank, score,
            propensity), ``assignments`` one of (experiment_id, variant_id,
            experiment_revision), ``degradations`` a list of strings.
        exposures: Columns of ``EXPOSURE_COLUMNS``.
        outcomes: Columns of ``OUTCOME_COLUMNS`` and ``value``, the money as a floating number for statistics.
    """

    decisions: pl.DataFrame
    exposures: pl.DataFrame
    outcomes: pl.DataFrame


def read_log(path: Path, programme: str = "default") -> EventFrames:
    """Read the log of one programme from the server's SQLite file, without disturbing a running server.

    Raises:
        AnalysisError: The file does not exist, is no log, or has another schema version.
    """
    if not path.is_file():
        raise AnalysisError(f"There is no decision log at {path}.", path=str(path))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            check_schema_version(connection, path)
            decisions = _read_table(connection, "decisions", DECISION_COLUMNS, programme)
            exposures = _read_table(connection, "exposures", EXPOSURE_COLUMNS, programme)
            outcomes = _read_table(connection, "outcomes", OUTCOME_COLUMNS, programme)
    except sqlite3.DatabaseError as error:
        raise AnalysisError(f"{path} cannot be read as a decision log: {error}.", path=str(path)) from error
    return EventFrames(
        decisions=decisions.with_columns(
            pl.col("offers").str.json_decode(_OFFERS),
            pl.col("assignments").str.json_decode(_ASSIGNMENTS),
            pl.col("degradations").str.json_decode(pl.List(pl.String)),
        ),
        exposures=exposures,
        outcomes=outcomes.with_columns(value=pl.col("value_units") + pl.col("value_nanos") * 1e-9),
    )


def check_schema_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that another version of the schema wrote.

    Raises:
        AnalysisError: The file has tables of another version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise AnalysisError(
            f"{path} holds a log of schema version {version}; this Troth reads version {SCHEMA_VERSION}.",
            path=str(path),
            version=str(version),
        )


def _read_table(
    connection: sqlite3.Connection, table: str, columns: dict[str, str], programme: str
) -> pl.DataFrame:
    listed = ", ".join(columns)
    rows = connection.execute(
        f"SELECT {listed} FROM {table} WHERE programme = ? ORDER BY rowid",  # noqa: S608 names are ours
        (programme,),
    ).fetchall()
    schema = {name: _POLARS_TYPES[kind.split()[0]] for name, kind in columns.items()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col(name).cast(_TIME) for name in columns if name in _TIME_COLUMNS)
