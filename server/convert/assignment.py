"""Assignments and their parameters, to the wire."""

from collections.abc import Mapping

from experiments.answers import Assignment, AssignmentReason
from troth.v1 import assignment_pb2

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
