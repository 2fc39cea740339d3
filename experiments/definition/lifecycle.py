"""The life of an experiment: draft, running, stopped, archived; and what may change on the way.

Changes of experiments as values: what was done, by whom, when, and what the experiment was afterwards.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from experiments.definition.model import ExperimentDefinition, State
from experiments.errors import DefinitionError, Problem

_NEXT = {
    State.DRAFT: {State.RUNNING, State.ARCHIVED},
    State.RUNNING: {State.STOPPED},
    State.STOPPED: {State.ARCHIVED},
    State.ARCHIVED: set(),
}
_FREE = frozenset({"hypothesis", "owner", "end_date", "overrides", "state", "revision", "money"})
_NEVER = frozenset({"experiment_id", "programme", "unit", "salt", "control", "factors", "holdout", "sticky"})


def transition_problem(before: State, after: State) -> str:
    """Return why an experiment cannot move from one state to another, or nothing if it can."""
    if after in _NEXT[before]:
        return ""
    following = " or ".join(sorted(_NEXT[before])) or "nothing"
    return f"a {before} experiment cannot become {after}; after {before} comes {following}"


def change_problems(before: ExperimentDefinition, after: ExperimentDefinition) -> Iterator[Problem]:
    """Yield what may not change between two versions of an experiment.

    A draft may change in every field but its ids. While an experiment runs, texts, the end, overrides and money may
    change, and traffic may grow; everything else that decides who gets what or what is measured needs a new revision.
    What decides the hash, the control and the design never changes: that is another experiment. What has stopped
    changes in texts only.
    """
    for name in ("experiment_id", "programme"):
        if getattr(before, name) != getattr(after, name):
            yield Problem(name, f"cannot change; it is {getattr(before, name)!r}")
    if before.state is not after.state:
        problem = transition_problem(before.state, after.state)
        if problem:
            yield Problem("state", problem)
    if after.revision < before.revision:
        yield Problem("revision", f"cannot go back; it is {before.revision}")
    if before.state is State.DRAFT:
        return
    old, new = before.model_dump(), after.model_dump()
    changed = [name for name in old if old[name] != new[name]]
    revised = after.revision > before.revision
    for name in changed:
        message = _refusal(name, before, after, revised=revised)
        if message:
            yield Problem(name, message)
    yield from _variant_changes(before, after)


def check_changes(
    before: Sequence[ExperimentDefinition], after: Sequence[ExperimentDefinition], source: str
) -> None:
    """Refuse what may not change between two sets of definitions.

    Args:
        before: The definitions in force.
        after: The new ones; an experiment that is not among them must have been a draft or archived.
        source: Where the new ones came from, for messages.

    Raises:
        DefinitionError: Something changed that may not; every problem is named.
    """
    new = {(one.programme, one.experiment_id): one for one in after}
    problems = []
    for old in before:
        changed = new.get((old.programme, old.experiment_id))
        if changed is not None:
            problems += [
                Problem(f"{old.experiment_id}.{problem.path}", problem.message)
                for problem in change_problems(old, changed)
            ]
        elif old.state in {State.RUNNING, State.STOPPED}:
            problems.append(
                Problem(old.experiment_id, f"is missing, but it is {old.state}; stop and archive it first")
            )
    if problems:
        raise DefinitionError(source, problems)


def _refusal(name: str, before: ExperimentDefinition, after: ExperimentDefinition, *, revised: bool) -> str:
    if name in {"experiment_id", "programme"} or name in _FREE:
        return ""
    if before.state is not State.RUNNING:
        return f"cannot change any more: the experiment is {before.state}"
    if name in _NEVER:
        return "cannot change while the experiment runs; define another experiment"
    if name == "traffic_ppm" and after.traffic_ppm > before.traffic_ppm:
        return ""
    return "" if revised else "needs a new revision while the experiment runs"


def _variant_changes(before: ExperimentDefinition, after: ExperimentDefinition) -> Iterator[Problem]:
    if before.state is not State.RUNNING:
        return
    order: list[Any] = [variant.variant_id for variant in before.variants]
    if [variant.variant_id for variant in after.variants][: len(order)] != order:
        yield Problem(
            "variants", "cannot be removed or reordered while the experiment runs; set a weight to 0"
        )


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
