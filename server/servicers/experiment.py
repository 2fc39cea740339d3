"""The servicer of experiments. Each method converts, calls one handler and converts back."""

from collections.abc import Iterator

import grpc

from experiments.changes import ChangeAction
from server.api import assignments as assignment_messages
from server.api import experiment as messages
from server.convert.results import results_response
from server.handlers.assignments import AssignmentHandler
from server.handlers.experiments import ExperimentHandler
from server.handlers.results import ResultsHandler
from server.programme.snapshot import KnownExperiment
from server.servicers.deadlines import seconds_left
from troth.v1 import experiment_service_pb2 as pb
from troth.v1 import experiment_service_pb2_grpc

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
        wanted = messages.create_request(request)
        known = self._experiments.create(
            wanted.target.programme, wanted.fields, wanted.provenance, seconds_left(context)
        )
        return pb.CreateExperimentResponse(experiment=messages.known_message(known))

    def UpdateExperiment(  # noqa: N802 the proto's name
        self, request: pb.UpdateExperimentRequest, context: grpc.ServicerContext
    ) -> pb.UpdateExperimentResponse:
        """Change fields."""
        wanted = messages.update_request(request)
        known = self._experiments.update(
            wanted.target, wanted.fields, wanted.names, wanted.provenance, seconds_left(context)
        )
        return pb.UpdateExperimentResponse(experiment=messages.known_message(known))

    def StartExperiment(  # noqa: N802 the proto's name
        self, request: pb.StartExperimentRequest, context: grpc.ServicerContext
    ) -> pb.StartExperimentResponse:
        """Start a draft."""
        known = self._move(ChangeAction.START, request, context)
        return pb.StartExperimentResponse(experiment=messages.known_message(known))

    def StopExperiment(  # noqa: N802 the proto's name
        self, request: pb.StopExperimentRequest, context: grpc.ServicerContext
    ) -> pb.StopExperimentResponse:
        """Stop a running experiment."""
        known = self._move(ChangeAction.STOP, request, context)
        return pb.StopExperimentResponse(experiment=messages.known_message(known))

    def ArchiveExperiment(  # noqa: N802 the proto's name
        self, request: pb.ArchiveExperimentRequest, context: grpc.ServicerContext
    ) -> pb.ArchiveExperimentResponse:
        """Archive a draft or a stopped experiment."""
        known = self._move(ChangeAction.ARCHIVE, request, context)
        return pb.ArchiveExperimentResponse(experiment=messages.known_message(known))

    def GetExperiment(  # noqa: N802 the proto's name
        self,
        request: pb.GetExperimentRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetExperimentResponse:
        """Return one experiment."""
        programme, experiment_id = messages.read_request(request)
        known = self._experiments.get(programme, experiment_id)
        return pb.GetExperimentResponse(experiment=messages.known_message(known))

    def ListExperiments(  # noqa: N802 the proto's name
        self,
        request: pb.ListExperimentsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListExperimentsResponse:
        """Return a page of experiments."""
        programme, page = messages.list_request(request)
        found = self._experiments.listing(programme, page.after, page.size + 1)
        return messages.list_response(programme, page, found)

    def ListExperimentChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListExperimentChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListExperimentChangesResponse:
        """Return a page of the audit trail."""
        programme, experiment_id, after, size = messages.changes_request(request)
        found = self._experiments.changes(programme, experiment_id, after, size + 1)
        return messages.changes_response(programme, experiment_id, size, found)

    def GetExperimentResults(  # noqa: N802 the proto's name
        self, request: pb.GetExperimentResultsRequest, context: grpc.ServicerContext
    ) -> pb.GetExperimentResultsResponse:
        """Return the analysis of an experiment."""
        programme, experiment_id = messages.read_request(request)
        timeout = seconds_left(context, DEFAULT_ANALYSIS_TIMEOUT_S)
        return results_response(self._results.results(programme, experiment_id, timeout))

    def _move(
        self,
        action: ChangeAction,
        request: pb.StartExperimentRequest | pb.StopExperimentRequest | pb.ArchiveExperimentRequest,
        context: grpc.ServicerContext,
    ) -> KnownExperiment:
        wanted = messages.move_request(request)
        return self._experiments.move(wanted.target, action, wanted.provenance, seconds_left(context))
