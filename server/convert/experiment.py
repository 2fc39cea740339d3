"""Messages of ``ExperimentService``."""

from dataclasses import dataclass

from experiments.assignment import Assignment
from server.convert.assignment import assignment_message
from server.convert.checks import DEFAULT_PROGRAMME, Checker
from troth.v1 import experiment_service_pb2

MOST_EXPERIMENTS = 100


@dataclass(frozen=True, slots=True)
class AssignmentsRequest:
    """A checked question for assignments; no experiment ids means all that run."""

    programme: str
    member_id: str
    experiment_ids: tuple[str, ...]


def assignments_request(message: experiment_service_pb2.GetAssignmentsRequest) -> AssignmentsRequest:
    """Return the checked question.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.member_id("member_id", message.member_id)
    check.size("experiment_ids", len(message.experiment_ids), MOST_EXPERIMENTS)
    for index, experiment_id in enumerate(message.experiment_ids[:MOST_EXPERIMENTS]):
        check.identifier(f"experiment_ids[{index}]", experiment_id)
        if not experiment_id:
            check.add(f"experiment_ids[{index}]", "must not be empty")
    check.done()
    return AssignmentsRequest(
        programme=message.programme or DEFAULT_PROGRAMME,
        member_id=message.member_id,
        experiment_ids=tuple(message.experiment_ids),
    )


def assignments_response(
    assignments: tuple[Assignment, ...], plan_revision: str
) -> experiment_service_pb2.GetAssignmentsResponse:
    """Return the answer to ``GetAssignments``."""
    return experiment_service_pb2.GetAssignmentsResponse(
        assignments=[assignment_message(assigned) for assigned in assignments], plan_revision=plan_revision
    )
