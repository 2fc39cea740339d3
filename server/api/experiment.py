"""``ExperimentService``: parses its messages, calls a handler, replies; results of an analysis as messages."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from experiments.definition.lifecycle import ChangeAction, ExperimentChange
from experiments.definition.lifecycle import etag as content_etag
from server.api import assignments as assignment_messages
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.definition import OUTPUT_FIELDS, definition_fields, enum_number, experiment_message
from server.api.fields import ListPage, next_page_token, page, provenance, seconds_left, set_time
from server.decide.snapshot import KnownExperiment
from server.handlers.assignments import AssignmentHandler
from server.handlers.changes import Provenance
from server.handlers.experiments import ExperimentHandler, Target
from server.handlers.results import Analysed, ResultsHandler
from troth.v1 import (
    experiment_change_pb2,
    experiment_pb2,
    experiment_service_pb2,
    experiment_service_pb2_grpc,
)
from troth.v1 import experiment_service_pb2 as pb

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


def list_request(message: experiment_service_pb2.ListExperimentsRequest) -> tuple[str, ListPage]:
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
    programme: str, wanted: ListPage, found: Sequence[KnownExperiment]
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
    """Return a page of the audit trail; ``found`` may hold one change of the next page.

    Args:
        programme: The loyalty programme.
        experiment_id: The experiment.
        size: How many changes the page holds at most.
        found: The changes, oldest first.
    """
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


def results_response(analysed: Analysed) -> experiment_service_pb2.GetExperimentResultsResponse:
    """Return the answer to ``GetExperimentResults``."""
    response = experiment_service_pb2.GetExperimentResultsResponse()
    fill(response.results, analysed.document)
    set_time(response.results.analyze_time, analysed.analyze_time)
    return response


def fill(message: Message, document: Mapping[str, Any]) -> None:
    """Set the fields of a message that the result's JSON document has under the same names; null stays unset.

    The document may have more: the messages hold what clients decide by.
    """
    for field in cast(Descriptor, message.DESCRIPTOR).fields:
        value = document.get(field.name)
        if value is not None:
            _set(message, field, value)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    target = getattr(message, field.name)
    if isinstance(value, Mapping):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            target.update({name: entry for name, entry in value.items() if entry is not None})
        else:
            target.SetInParent()
            fill(target, value)
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, Mapping):
                fill(target.add(), entry)
            else:
                target.append(entry)
    elif field.enum_type is not None:
        setattr(message, field.name, enum_number(field.enum_type, value))
    elif field.type != FieldDescriptor.TYPE_DOUBLE or math.isfinite(value):
        setattr(message, field.name, value)


DEFAULT_ANALYSIS_TIMEOUT_S = 60.0
"""How long an analysis may take where the client set no deadline."""


class ExperimentServicer(experiment_service_pb2_grpc.ExperimentServiceServicer):
    """``troth.v1.ExperimentService``."""

    def __init__(
        self, assignments: AssignmentHandler, experiments: ExperimentHandler, results: ResultsHandler
    ) -> None:
        self._assignments = assignments
        self._experiments = experiments
        self._results = results

    def GetAssignments(  # noqa: N802 the proto's name
        self,
        request: pb.GetAssignmentsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetAssignmentsResponse:
        """Tell the variants of one member."""
        question = assignment_messages.assignments_request(request)
        members = self._assignments.members(question.programme, question.experiment_ids)
        (person,) = question.people
        return assignment_messages.assignments_response(members.assign(person), members.plan_revision)

    def StreamAssignments(  # noqa: N802 the proto's name
        self,
        request_iterator: Iterator[pb.StreamAssignmentsRequest],
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> Iterator[pb.StreamAssignmentsResponse]:
        """Tell the variants of many members, part by part; the next part is read once the answers are on their way."""
        with self._assignments.stream():
            first = members = answers = None
            for part in request_iterator:
                question = assignment_messages.members_request(part, first)
                if members is None or answers is None:
                    first = question
                    members = self._assignments.members(question.programme, question.experiment_ids)
                    answers = assignment_messages.MemberResponses(members.plan_revision)
                assign = members.assign
                yield from answers.responses((person, assign(person)) for person in question.people)

    def LinkIdentities(  # noqa: N802 the proto's name
        self, request: pb.LinkIdentitiesRequest, context: grpc.ServicerContext
    ) -> pb.LinkIdentitiesResponse:
        """Keep links, then acknowledge."""
        programme, links = assignment_messages.links(request)
        result = self._assignments.link(programme, links, seconds_left(context))
        return assignment_messages.links_response(result)

    def CreateExperiment(  # noqa: N802 the proto's name
        self, request: pb.CreateExperimentRequest, context: grpc.ServicerContext
    ) -> pb.CreateExperimentResponse:
        """Create a draft."""
        wanted = create_request(request)
        known = self._experiments.create(
            wanted.target.programme, wanted.fields, wanted.provenance, seconds_left(context)
        )
        return pb.CreateExperimentResponse(experiment=known_message(known))

    def UpdateExperiment(  # noqa: N802 the proto's name
        self, request: pb.UpdateExperimentRequest, context: grpc.ServicerContext
    ) -> pb.UpdateExperimentResponse:
        """Change fields."""
        wanted = update_request(request)
        known = self._experiments.update(
            wanted.target, wanted.fields, wanted.names, wanted.provenance, seconds_left(context)
        )
        return pb.UpdateExperimentResponse(experiment=known_message(known))

    def StartExperiment(  # noqa: N802 the proto's name
        self, request: pb.StartExperimentRequest, context: grpc.ServicerContext
    ) -> pb.StartExperimentResponse:
        """Start a draft."""
        known = self._move(ChangeAction.START, request, context)
        return pb.StartExperimentResponse(experiment=known_message(known))

    def StopExperiment(  # noqa: N802 the proto's name
        self, request: pb.StopExperimentRequest, context: grpc.ServicerContext
    ) -> pb.StopExperimentResponse:
        """Stop a running experiment."""
        known = self._move(ChangeAction.STOP, request, context)
        return pb.StopExperimentResponse(experiment=known_message(known))

    def ArchiveExperiment(  # noqa: N802 the proto's name
        self, request: pb.ArchiveExperimentRequest, context: grpc.ServicerContext
    ) -> pb.ArchiveExperimentResponse:
        """Archive a draft or a stopped experiment."""
        known = self._move(ChangeAction.ARCHIVE, request, context)
        return pb.ArchiveExperimentResponse(experiment=known_message(known))

    def GetExperiment(  # noqa: N802 the proto's name
        self,
        request: pb.GetExperimentRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetExperimentResponse:
        """Return one experiment."""
        programme, experiment_id = read_request(request)
        known = self._experiments.get(programme, experiment_id)
        return pb.GetExperimentResponse(experiment=known_message(known))

    def ListExperiments(  # noqa: N802 the proto's name
        self,
        request: pb.ListExperimentsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListExperimentsResponse:
        """Return a page of experiments."""
        programme, page = list_request(request)
        found = self._experiments.listing(programme, page.after, page.size + 1)
        return list_response(programme, page, found)

    def ListExperimentChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListExperimentChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListExperimentChangesResponse:
        """Return a page of the audit trail."""
        programme, experiment_id, after, size = changes_request(request)
        found = self._experiments.changes(programme, experiment_id, after, size + 1)
        return changes_response(programme, experiment_id, size, found)

    def GetExperimentResults(  # noqa: N802 the proto's name
        self, request: pb.GetExperimentResultsRequest, context: grpc.ServicerContext
    ) -> pb.GetExperimentResultsResponse:
        """Return the analysis of an experiment."""
        programme, experiment_id = read_request(request)
        timeout = seconds_left(context, DEFAULT_ANALYSIS_TIMEOUT_S)
        return results_response(self._results.results(programme, experiment_id, timeout))

    def _move(
        self,
        action: ChangeAction,
        request: pb.StartExperimentRequest | pb.StopExperimentRequest | pb.ArchiveExperimentRequest,
        context: grpc.ServicerContext,
    ) -> KnownExperiment:
        wanted = move_request(request)
        return self._experiments.move(wanted.target, action, wanted.provenance, seconds_left(context))
