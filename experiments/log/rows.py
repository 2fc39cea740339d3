"""The tables of the event log: columns, and how events become rows and rows become decisions again.

Times are whole microseconds since the Unix epoch, UTC; money is kept as the units and nanos of ``google.type.Money``, so
that no cent is rounded. ``experiments.log.frames`` reads the same tables for analysis.

The tables of experiments beside the event log: the audit trail, and which anonymous id belongs to which member.

The audit trail is append-only, by triggers of the file itself. Times are whole microseconds since the Unix epoch, UTC.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.definition import State
from experiments.definition.lifecycle import (
    ChangeAction,
    ExperimentChange,
    definition_from_json,
    definition_to_json,
)
from experiments.errors import AnalysisError
from experiments.log.events import (
    OFFERS,
    ActionChoice,
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
    "kind": "TEXT",
    "actions": "TEXT",
    "runner_up": "TEXT",
    "channel_id": "TEXT",
    "attributes": "TEXT",
    "basket": "TEXT",
    "member_version": "INTEGER",
    "campaign_id": "TEXT",
    "standing_arm": "TEXT",
    "arbitration_id": "TEXT",
    "exploration": "TEXT",
    "slate_propensity": "REAL",
    "budget_state": "TEXT",
    "evidence_state": "TEXT",
    "removed": "TEXT",
}
"""Columns of table ``decisions``. ``offers``, ``assignments``, ``degradations``, ``actions`` and ``basket`` are JSON arrays,
``attributes``, ``runner_up`` and ``removed`` JSON objects; those from ``kind`` on are null where there is nothing to say, and
in rows of older versions."""

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
    "channel_id": "TEXT",
    "member_version": "INTEGER",
}
"""Columns of table ``outcomes``. ``product_ids`` is a JSON array, null where the client named none."""

SCHEMA_VERSION = 4
"""Version of the file's tables, kept in it (``PRAGMA user_version``). 2 added those of experiments, 3 the column
``product_ids`` of ``outcomes``, 4 those of members and what decisions with limits and policies need."""

_READABLE_VERSIONS = (1, 2, 3, 4)
"""The server brings an older file up to date when it opens it; ``experiments.log.frames`` reads it as it is."""


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
                    **({} if o.factors is None else {"factors": dict(o.factors)}),
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
        decision.kind,
        _encode([_action_document(action) for action in decision.actions]) if decision.actions else None,
        None if decision.runner_up is None else _encode(_action_document(decision.runner_up)),
        decision.channel_id or None,
        _encode(encoded_attributes(decision.attributes)) if decision.attributes else None,
        _encode(decision.basket) if decision.basket else None,
        decision.member_version,
        decision.campaign_id or None,
        decision.standing_arm or None,
        decision.arbitration_id or None,
        decision.exploration,
        decision.slate_propensity,
        decision.budget_state or None,
        decision.evidence_state or None,
        _encode(dict(decision.removed)) if decision.removed else None,
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
        kind=values["kind"] or OFFERS,
        actions=tuple(ActionChoice(**action) for action in json.loads(values["actions"] or "[]")),
        runner_up=None if values["runner_up"] is None else ActionChoice(**json.loads(values["runner_up"])),
        channel_id=values["channel_id"] or "",
        attributes=decoded_attributes(json.loads(values["attributes"] or "{}")),
        basket=tuple(json.loads(values["basket"] or "[]")),
        member_version=values["member_version"],
        campaign_id=values["campaign_id"] or "",
        standing_arm=values["standing_arm"] or "",
        arbitration_id=values["arbitration_id"] or "",
        exploration=values["exploration"] or "none",
        slate_propensity=1.0 if values["slate_propensity"] is None else values["slate_propensity"],
        budget_state=values["budget_state"] or "",
        evidence_state=values["evidence_state"] or "",
        removed=json.loads(values["removed"] or "{}"),
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
        outcome.channel_id or None,
        outcome.member_version,
    )


def encoded_attributes(attributes: Mapping[str, object]) -> dict[str, object]:
    """Return attributes as a JSON object; a time becomes ``{"micros": …}``, whole microseconds since the Unix epoch."""
    return {
        name: {"micros": to_micros(value)} if isinstance(value, datetime) else value
        for name, value in attributes.items()
    }


def decoded_attributes(document: Mapping[str, Any]) -> dict[str, object]:
    """Return the attributes that ``encoded_attributes`` made an object of."""
    return {name: _attribute(value) for name, value in document.items()}


def _attribute(value: Any) -> object:
    if isinstance(value, dict):
        return from_micros(value["micros"])
    return tuple(value) if isinstance(value, list) else value


def _action_document(action: ActionChoice) -> dict[str, object]:
    return {
        "action_id": action.action_id,
        "channel_id": action.channel_id,
        "rank": action.rank,
        "score": action.score,
        "propensity": action.propensity,
        **({} if action.factors is None else {"factors": dict(action.factors)}),
    }


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


CHANGE_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "experiment_id": "TEXT NOT NULL",
    "position": "INTEGER NOT NULL",
    "action": "TEXT NOT NULL",
    "actor": "TEXT NOT NULL",
    "change_time": "INTEGER NOT NULL",
    "request_id": "TEXT",
    "request_digest": "TEXT NOT NULL",
    "before_revision": "INTEGER NOT NULL",
    "before_state": "TEXT",
    "changed_paths": "TEXT NOT NULL",
    "definition": "TEXT NOT NULL",
}
"""Columns of table ``experiment_changes``. ``changed_paths`` is a JSON array, ``definition`` a JSON object."""

LINK_COLUMNS = {
    "programme": "TEXT NOT NULL",
    "anonymous_id": "TEXT NOT NULL",
    "member_id": "TEXT NOT NULL",
    "link_time": "INTEGER NOT NULL",
}
"""Columns of table ``identity_links``; a member's links are in the order of ``rowid``."""


def change_row(change: ExperimentChange) -> tuple[object, ...]:
    """Return the change as a row in the order of ``CHANGE_COLUMNS``."""
    return (
        change.programme,
        change.experiment_id,
        change.position,
        change.action.value,
        change.actor,
        to_micros(change.change_time),
        change.request_id or None,
        change.request_digest,
        change.before_revision,
        None if change.before_state is None else change.before_state.value,
        json.dumps(change.changed_paths),
        definition_to_json(change.definition),
    )


def change_from_row(row: Sequence[Any]) -> ExperimentChange:
    """Return the change that ``change_row`` made a row of.

    Raises:
        ValidationError: The definition breaks the rules of today.
    """
    values = dict(zip(CHANGE_COLUMNS, row, strict=True))
    return ExperimentChange(
        programme=values["programme"],
        experiment_id=values["experiment_id"],
        position=values["position"],
        action=ChangeAction(values["action"]),
        actor=values["actor"],
        change_time=from_micros(values["change_time"]),
        request_id=values["request_id"] or "",
        request_digest=values["request_digest"],
        before_revision=values["before_revision"],
        before_state=None if values["before_state"] is None else State(values["before_state"]),
        changed_paths=tuple(json.loads(values["changed_paths"])),
        definition=definition_from_json(values["definition"]),
    )
