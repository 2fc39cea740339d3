"""Assignments and their parameters, to the wire."""

from collections.abc import Mapping

from experiments.assignment import Assignment, AssignmentReason
from troth.v1 import assignment_pb2

_REASONS = {
    AssignmentReason.ASSIGNED: assignment_pb2.ASSIGNMENT_REASON_ASSIGNED,
    AssignmentReason.NOT_ENROLLED: assignment_pb2.ASSIGNMENT_REASON_NOT_ENROLLED,
    AssignmentReason.NOT_RUNNING: assignment_pb2.ASSIGNMENT_REASON_NOT_RUNNING,
}


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
    return {name: _parameter(value) for name, value in parameters.items()}


def _parameter(value: str | float | bool) -> assignment_pb2.ParameterValue:
    # bool before int: True is an int in Python.
    if isinstance(value, bool):
        return assignment_pb2.ParameterValue(bool_value=value)
    if isinstance(value, int):
        return assignment_pb2.ParameterValue(int_value=value)
    if isinstance(value, float):
        return assignment_pb2.ParameterValue(double_value=value)
    return assignment_pb2.ParameterValue(string_value=value)
