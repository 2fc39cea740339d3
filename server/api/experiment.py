"""Messages that create, change, move and read experiments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from google.protobuf.message import Message

from experiments.changes import ExperimentChange
from experiments.changes import etag as content_etag
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.definition import OUTPUT_FIELDS, definition_fields, enum_number, experiment_message
from server.api.fields import Page, next_page_token, page
from server.convert.provenance import provenance
from server.convert.times import set_time
from server.handlers.change_runner import Provenance, Target
from server.programme.snapshot import KnownExperiment
from troth.v1 import experiment_change_pb2, experiment_pb2, experiment_service_pb2

_LARGEST_PAGE = 2 * 1024 * 1024
"""Bytes of a page, about; clients refuse messages above 4 MiB unless told otherwise."""

_STATE = experiment_pb2.ExperimentState.DESCRIPTOR
_ACTION = experiment_change_pb2.ChangeAction.DESCRIPTOR


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A checked request to create or change an experiment.

    Attributes:
        target: What it is about.
        fields: Values by field, in the words of a YAML definition.
        names: The fields that change; empty for a creation.
        provenance: Where it comes from.
    """

    target: Target
    fields: dict[str, Any]
    names: tuple[str, ...]
    provenance: Provenance


class _Move(Protocol):
    """A request to start, stop or archive."""

    programme: str
    experiment_id: str
    etag: str
    actor: str
    request_id: str


def create_request(message: experiment_service_pb2.CreateExperimentRequest) -> WriteRequest:
    """Return the checked request to create.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    programme, fields = _written(check, message)
    origin = provenance(check, message)
    check.done()
    return WriteRequest(Target(programme, message.experiment.experiment_id), fields, (), origin)


def update_request(message: experiment_service_pb2.UpdateExperimentRequest) -> WriteRequest:
    """Return the checked request to change fields.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    programme, fields = _written(check, message)
    if message.HasField("experiment") and not message.experiment.experiment_id:
        check.add("experiment.experiment_id", "is required")
    names = _masked(check, message.update_mask.paths, fields)
    check.identifier("etag", message.etag)
    origin = provenance(check, message)
    check.done()
    target = Target(programme, message.experiment.experiment_id, message.etag)
    return WriteRequest(target, fields, names, origin)


def move_request(message: _Move) -> WriteRequest:
    """Return the checked request to start, stop or archive.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(cast(Message, message))
    check.identifier("programme", message.programme)
    check.identifier("experiment_id", message.experiment_id)
    check.identifier("etag", message.etag)
    origin = provenance(check, message)
    check.done()
    target = Target(message.programme or DEFAULT_PROGRAMME, message.experiment_id, message.etag)
    return WriteRequest(target, {}, (), origin)


def read_request(
    message: experiment_service_pb2.GetExperimentRequest | experiment_service_pb2.GetExperimentResultsRequest,
) -> tuple[str, str]:
    """Return the programme and the id of an experiment that is asked for.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.identifier("experiment_id", message.experiment_id)
    check.done()
    return message.programme or DEFAULT_PROGRAMME, message.experiment_id


def list_request(message: experiment_service_pb2.ListExperimentsRequest) -> tuple[str, Page]:
    """Return the programme and the page of its experiments.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.identifier("programme", message.programme)
    programme = message.programme or DEFAULT_PROGRAMME
    wanted = page(check, message.page_size, message.page_token, "experiments", programme)
    check.done()
    return programme, wanted


def changes_request(
    message: experiment_service_pb2.ListExperimentChangesRequest,
) -> tuple[str, str, int, int]:
    """Return the programme, the experiment, the position after which its page begins, and the page's size.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.identifier("experiment_id", message.experiment_id)
    programme = message.programme or DEFAULT_PROGRAMME
    wanted = page(check, message.page_size, message.page_token, "changes", programme, message.experiment_id)
    check.done()
    return programme, message.experiment_id, int(wanted.after or 0), wanted.size


def known_message(known: KnownExperiment) -> experiment_pb2.Experiment:
    """Return the message of an experiment as the server knows it."""
    message = experiment_message(known.definition)
    message.etag = known.etag
    message.read_only = known.read_only
    if known.create_time is not None:
        set_time(message.create_time, known.create_time)
    if known.update_time is not None:
        set_time(message.update_time, known.update_time)
    return message


def list_response(
    programme: str, wanted: Page, found: Sequence[KnownExperiment]
) -> experiment_service_pb2.ListExperimentsResponse:
    """Return a page of experiments.

    Args:
        programme: The loyalty programme.
        wanted: The page.
        found: Its experiments and, if there are more, one of the next page.
    """
    response = experiment_service_pb2.ListExperimentsResponse()
    size = 0
    for known in found:
        message = known_message(known)
        size += message.ByteSize()
        full = len(response.experiments) == wanted.size or size > _LARGEST_PAGE
        if response.experiments and full:
            last = response.experiments[-1].experiment_id
            response.next_page_token = next_page_token(last, "experiments", programme)
            break
        response.experiments.append(message)
    return response


def changes_response(
    programme: str, experiment_id: str, size: int, found: Sequence[ExperimentChange]
) -> experiment_service_pb2.ListExperimentChangesResponse:
    """Return a page of the audit trail; ``found`` may hold one change of the next page."""
    response = experiment_service_pb2.ListExperimentChangesResponse(
        changes=[_change(change) for change in found[:size]]
    )
    if len(found) > size:
        last = str(found[size - 1].position)
        response.next_page_token = next_page_token(last, "changes", programme, experiment_id)
    return response


def _change(change: ExperimentChange) -> experiment_change_pb2.ExperimentChange:
    message = experiment_change_pb2.ExperimentChange(
        experiment_id=change.experiment_id,
        position=change.position,
        actor=change.actor,
        before_revision=change.before_revision,
        after_revision=change.definition.revision,
        changed_paths=change.changed_paths,
        etag=content_etag(change.definition),
        request_id=change.request_id,
    )
    message.action = enum_number(_ACTION, change.action.value)
    message.after_state = enum_number(_STATE, change.definition.state.value)
    if change.before_state is not None:
        message.before_state = enum_number(_STATE, change.before_state.value)
    set_time(message.change_time, change.change_time)
    return message


def _written(
    check: Checker,
    message: experiment_service_pb2.CreateExperimentRequest | experiment_service_pb2.UpdateExperimentRequest,
) -> tuple[str, dict[str, Any]]:
    check.require(message)
    check.identifier("programme", message.programme)
    programme = message.programme or DEFAULT_PROGRAMME
    fields = definition_fields(check, "experiment", message.experiment)
    if fields.pop("programme", programme) != programme:
        check.add("experiment.programme", f"must be empty or the request's, {programme!r}")
    return programme, fields


def _masked(check: Checker, paths: Sequence[str], fields: dict[str, Any]) -> tuple[str, ...]:
    """Return the fields of the experiment that a mask names; those that are set if it is empty."""
    known = set(experiment_pb2.Experiment.DESCRIPTOR.fields_by_name)
    fixed = {"experiment_id", "programme"}
    if not paths:
        return tuple(fields.keys() - fixed)
    if list(paths) == ["*"]:
        return tuple(known - OUTPUT_FIELDS - fixed)
    for index, path in enumerate(paths):
        where = f"update_mask.paths[{index}]"
        if path in OUTPUT_FIELDS:
            check.add(where, f"{path} is set by the server only")
        elif path.partition(".")[0] in known and path not in known:
            check.add(where, f"{path!r} is a part of a field; name the whole field")
        elif path not in known:
            check.add(where, f"an experiment has no field {path[:64]!r}")
    return tuple(path for path in paths if path not in fixed)
