"""Assignments and identities: from messages to values and back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiments.assignment.plan import Assignment, AssignmentReason
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.fields import person
from server.handlers.assignments import Subject
from server.storage import IdentityLink, LinkResult
from troth.v1 import assignment_pb2, experiment_service_pb2

_REASONS: dict[AssignmentReason, assignment_pb2.AssignmentReason] = {
    reason: getattr(assignment_pb2, f"ASSIGNMENT_REASON_{reason}") for reason in AssignmentReason
}


def reason_number(reason: str) -> assignment_pb2.AssignmentReason:
    """Return the enum's value for the word of a reason."""
    return _REASONS[AssignmentReason(reason)]


def assignment_message(assigned: Assignment) -> assignment_pb2.Assignment:
    """Return the message of an assignment."""
    return assignment_pb2.Assignment(
        experiment_id=assigned.experiment_id,
        variant_id=assigned.variant_id or "",
        reason=_REASONS[assigned.reason],
        experiment_revision=assigned.experiment_revision,
        parameters=parameter_messages(assigned.parameters),
    )


def parameter_messages(
    parameters: Mapping[str, str | int | float | bool],
) -> dict[str, assignment_pb2.ParameterValue]:
    """Return parameters as messages that keep their types."""
    return {name: parameter_message(value) for name, value in parameters.items()}


def parameter_value(message: assignment_pb2.ParameterValue) -> str | int | float | bool:
    """Return the value of a parameter whose value is set."""
    value: str | int | float | bool = getattr(message, message.WhichOneof("value") or "string_value")
    return value


def parameter_message(value: str | float | bool) -> assignment_pb2.ParameterValue:
    """Return a parameter's value as a message that keeps its type."""
    # bool before int: True is an int in Python.
    if isinstance(value, bool):
        return assignment_pb2.ParameterValue(bool_value=value)
    if isinstance(value, int):
        return assignment_pb2.ParameterValue(int_value=value)
    if isinstance(value, float):
        return assignment_pb2.ParameterValue(double_value=value)
    return assignment_pb2.ParameterValue(string_value=value)


MAX_EXPERIMENTS = 100
MAX_MEMBERS = 10_000
LARGEST_BATCH = 1_000
_LARGEST_RESPONSE = 1024 * 1024
"""Bytes of an answer in a stream, about; clients refuse messages above 4 MiB unless told otherwise."""


@dataclass(frozen=True, slots=True)
class AssignmentsRequest:
    """A checked question for assignments; no experiment ids means all that run."""

    programme: str
    people: tuple[Subject, ...]
    experiment_ids: tuple[str, ...]


def assignments_request(message: experiment_service_pb2.GetAssignmentsRequest) -> AssignmentsRequest:
    """Return the checked question about one member.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.identifier("programme", message.programme)
    people = (person(check, "", message),)
    _check_experiments(check, message.experiment_ids)
    check.done()
    return AssignmentsRequest(message.programme or DEFAULT_PROGRAMME, people, tuple(message.experiment_ids))


def members_request(
    message: experiment_service_pb2.StreamAssignmentsRequest, first: AssignmentsRequest | None
) -> AssignmentsRequest:
    """Return the checked question of one part of a stream.

    Args:
        message: The part.
        first: The first part; ``None`` if this is it.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    _check_experiments(check, message.experiment_ids)
    check.size("members", len(message.members), MAX_MEMBERS)
    people = tuple(
        person(check, f"members[{index}].", member)
        for index, member in enumerate(message.members[:MAX_MEMBERS])
    )
    read = AssignmentsRequest(message.programme or DEFAULT_PROGRAMME, people, tuple(message.experiment_ids))
    if first is not None and read.programme != first.programme:
        check.add("programme", f"must be the same in all parts, {first.programme!r}")
    if first is not None and read.experiment_ids != first.experiment_ids:
        check.add("experiment_ids", "must be the same in all parts")
    check.done()
    return read


def assignments_response(
    assignments: Iterable[Assignment], plan_revision: str
) -> experiment_service_pb2.GetAssignmentsResponse:
    """Return the answer to ``GetAssignments``."""
    return experiment_service_pb2.GetAssignmentsResponse(
        assignments=[assignment_message(assigned) for assigned in assignments], plan_revision=plan_revision
    )


class MemberResponses:
    """Makes the answers of a stream. An assignment of the plan becomes a message once and is then copied.

    Args:
        plan_revision: Of the stream's plan.
    """

    def __init__(self, plan_revision: str) -> None:
        self._plan_revision = plan_revision
        self._made: dict[int, tuple[assignment_pb2.Assignment, int]] = {}

    def responses(
        self, assigned: Iterable[tuple[Subject, Sequence[Assignment]]]
    ) -> Iterator[experiment_service_pb2.StreamAssignmentsResponse]:
        """Yield the answers for the members, in their order, each answer of about one MiB at most."""
        response, size = self._empty(), 0
        for one, assignments in assigned:
            made = [self._message(assignment) for assignment in assignments]
            response.members.add(
                member_id=one.member_id,
                anonymous_id=one.anonymous_id,
                assignments=[message for message, _ in made],
            )
            size += len(one.member_id) + len(one.anonymous_id) + 8 + sum(length for _, length in made)
            if size >= _LARGEST_RESPONSE:
                yield response
                response, size = self._empty(), 0
        if response.members:
            yield response

    def _empty(self) -> experiment_service_pb2.StreamAssignmentsResponse:
        return experiment_service_pb2.StreamAssignmentsResponse(plan_revision=self._plan_revision)

    def _message(self, assigned: Assignment) -> tuple[assignment_pb2.Assignment, int]:
        # The plan, which lives as long as the stream, holds each of its answers once.
        made = self._made.get(id(assigned))
        if made is None:
            message = assignment_message(assigned)
            made = self._made[id(assigned)] = (message, message.ByteSize() + 4)
        return made


def links(
    message: experiment_service_pb2.LinkIdentitiesRequest,
) -> tuple[str, list[IdentityLink]]:
    """Return the programme and the checked links.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states; nothing of the batch is taken.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.size("links", len(message.links), LARGEST_BATCH)
    for index, link in enumerate(message.links[:LARGEST_BATCH]):
        check.require(link, f"links[{index}].")
        check.member_id(f"links[{index}].anonymous_id", link.anonymous_id)
        check.member_id(f"links[{index}].member_id", link.member_id)
        if link.anonymous_id and link.anonymous_id == link.member_id:
            check.add(f"links[{index}].anonymous_id", "is the member's id itself")
    check.done()
    read = [IdentityLink(link.anonymous_id, link.member_id) for link in message.links]
    return message.programme or DEFAULT_PROGRAMME, read


def links_response(result: LinkResult) -> experiment_service_pb2.LinkIdentitiesResponse:
    """Return the answer to ``LinkIdentities``."""
    return experiment_service_pb2.LinkIdentitiesResponse(
        accepted_count=result.accepted_count, duplicate_count=result.duplicate_count
    )


def _check_experiments(check: Checker, experiment_ids: Sequence[str]) -> None:
    check.size("experiment_ids", len(experiment_ids), MAX_EXPERIMENTS)
    for index, experiment_id in enumerate(experiment_ids[:MAX_EXPERIMENTS]):
        check.identifier(f"experiment_ids[{index}]", experiment_id)
        if not experiment_id:
            check.add(f"experiment_ids[{index}]", "must not be empty")
