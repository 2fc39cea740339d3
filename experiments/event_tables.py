"""The tables of the event log: columns, and how events become rows and rows become decisions again.

Times are whole microseconds since the Unix epoch, UTC; money is kept as the units and nanos of ``google.type.Money``, so
that no cent is rounded. ``experiments.event_frames`` reads the same tables for analysis.
"""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.errors import AnalysisError
from experiments.events import (
    AssignedVariant,
    Decision,
    Exposure,
    OfferChoice,
    OfferReason,
    Outcome,
    from_micros,
    to_micros,
)

_encode = json.JSONEncoder(separators=(",", ":")).encode
_EVIDENCE = ("trip_count", "span_days", "interval_days", "elapsed_days", "product_id")

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
    "product_ids": "TEXT",
}
"""Columns of table ``outcomes``. ``product_ids`` is a JSON array, null where the client named none."""

SCHEMA_VERSION = 3
"""Version of the file's tables, kept in it (``PRAGMA user_version``). 2 added those of ``change_tables``, 3 the column
``product_ids`` of ``outcomes``."""

_READABLE_VERSIONS = (1, 2, 3)
"""The server brings an older file up to date when it opens it; ``event_frames`` reads it as it is."""


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

INDEX_STATEMENTS = (
    (
        "CREATE INDEX IF NOT EXISTS outcomes_with_products ON outcomes (programme, outcome_time)"
        " WHERE product_ids IS NOT NULL"
    ),
)
"""What finds purchases again; made after ``bring_up_to_date``."""


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Add to an older file the columns that it lacks; rows that are there have none of their values."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(outcomes)")}
    for name in OUTCOME_COLUMNS.keys() - there:
        connection.execute(f"ALTER TABLE outcomes ADD COLUMN {name} {OUTCOME_COLUMNS[name]}")


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
                {
                    "offer_id": o.offer_id,
                    "rank": o.rank,
                    "score": o.score,
                    "propensity": o.propensity,
                    **({"reasons": [_reason(reason) for reason in o.reasons]} if o.reasons else {}),
                }
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
                    **({} if a.reason == "ASSIGNED" else {"reason": a.reason}),
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
        offers=tuple(_offer(offer) for offer in json.loads(values["offers"])),
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
        _encode(outcome.product_ids) if outcome.product_ids else None,
    )


def _reason(reason: OfferReason) -> dict[str, object]:
    evidence = {name: getattr(reason, name) for name in _EVIDENCE if getattr(reason, name)}
    return {"code": reason.code, **evidence}


def _offer(document: dict[str, Any]) -> OfferChoice:
    reasons = tuple(OfferReason(**reason) for reason in document.pop("reasons", ()))
    return OfferChoice(**document, reasons=reasons)


def check_schema_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file with tables that this version of Troth does not know.

    Raises:
        AnalysisError: The file has tables of such a version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in _READABLE_VERSIONS:
        raise AnalysisError(
            f"{path} holds a log of schema version {version}; this Troth reads versions up to {SCHEMA_VERSION}.",
            path=str(path),
            version=str(version),
        )
