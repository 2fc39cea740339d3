"""Changes of experiments as values: what was done, by whom, when, and what the experiment was afterwards."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from experiments.definition.model import ExperimentDefinition, State

_DAYS = ("start_date", "end_date")
_ETAG_LENGTH = 16


class ChangeAction(StrEnum):
    """What was done to an experiment."""

    CREATE = "create"
    UPDATE = "update"
    START = "start"
    STOP = "stop"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class ExperimentChange:
    """One entry of the audit trail; immutable. The last one of an experiment is how it stands.

    Attributes:
        programme: The loyalty programme.
        experiment_id: The experiment.
        position: Counts the experiment's changes, from 1.
        action: What was done.
        actor: Who did it, as the request said.
        change_time: When, by the server's clock.
        request_id: The client's key for retries, or empty.
        request_digest: Digest of what was asked; tells a retry from another request under the same key.
        before_revision: The revision before; 0 for the creation.
        before_state: The state before; none for the creation.
        changed_paths: The fields that changed, as paths.
        definition: The experiment afterwards.
    """

    programme: str
    experiment_id: str
    position: int
    action: ChangeAction
    actor: str
    change_time: datetime
    request_id: str
    request_digest: str
    before_revision: int
    before_state: State | None
    changed_paths: tuple[str, ...]
    definition: ExperimentDefinition


def definition_to_json(definition: ExperimentDefinition) -> str:
    """Return a definition as JSON text, every default written out; equal definitions give equal texts."""
    return json.dumps(
        definition.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def definition_from_json(text: str) -> ExperimentDefinition:
    """Return the definition that ``definition_to_json`` wrote.

    Raises:
        ValidationError: It breaks the rules of today.
    """
    fields: dict[str, Any] = json.loads(text)
    for name in _DAYS:
        if fields.get(name) is not None:
            fields[name] = date.fromisoformat(fields[name])
    return ExperimentDefinition.model_validate(fields)


def etag(definition: ExperimentDefinition) -> str:
    """Return a short text that differs between different contents."""
    return hashlib.sha256(definition_to_json(definition).encode()).hexdigest()[:_ETAG_LENGTH]


def changed_paths(before: ExperimentDefinition | None, after: ExperimentDefinition) -> tuple[str, ...]:
    """Return the paths of the fields that differ, for example ``variants[1].weight``; without a before, those set.

    A mapping from names or members to values counts as one field, so that the trail names no member.
    """
    if before is None:
        return tuple(name for name in type(after).model_fields if name in after.model_fields_set)
    return tuple(_differences("", before.model_dump(), after.model_dump()))


_FREE_FORM = ("attributes", "overrides", "parameters")


def _differences(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    free_form = path.rpartition(".")[2] in _FREE_FORM
    if isinstance(before, dict) and isinstance(after, dict) and not free_form:
        for name in before | after:
            inner = f"{path}.{name}" if path else name
            yield from _differences(inner, before.get(name), after.get(name))
    elif isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    else:
        yield path
