"""The one table from domain errors to gRPC statuses, with the details that programs read."""

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from server.errors import (
    ExperimentNotFoundError,
    InvalidRequestError,
    PlacementNotFoundError,
    ProgrammeNotFoundError,
    RequestError,
    RequestIdReusedError,
    StoreTimeoutError,
    StoreUnavailableError,
)

DOMAIN = "troth"
_LONGEST_METADATA = 256
_MOST_VIOLATIONS = 20
"""gRPC sends details as a header, and peers refuse headers above 8 KiB; ``problem_count`` tells how many there are."""

CODES: dict[type[RequestError], int] = {
    InvalidRequestError: code_pb2.INVALID_ARGUMENT,
    ProgrammeNotFoundError: code_pb2.NOT_FOUND,
    PlacementNotFoundError: code_pb2.NOT_FOUND,
    ExperimentNotFoundError: code_pb2.NOT_FOUND,
    RequestIdReusedError: code_pb2.ALREADY_EXISTS,
    StoreUnavailableError: code_pb2.UNAVAILABLE,
    StoreTimeoutError: code_pb2.DEADLINE_EXCEEDED,
}

INTERNAL_MESSAGE = "Troth failed in a way that it did not foresee; its log has the details."


def status_of(error: RequestError) -> status_pb2.Status:
    """Return the status of a request error: code, sentence, ``ErrorInfo`` and, for bad fields, ``BadRequest``."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason,
        domain=DOMAIN,
        metadata={key: value[:_LONGEST_METADATA] for key, value in error.metadata.items()},
    )
    details = [_packed(info)]
    if isinstance(error, InvalidRequestError):
        bad = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=problem.path, description=problem.message)
                for problem in error.problems[:_MOST_VIOLATIONS]
            ]
        )
        details.append(_packed(bad))
    return status_pb2.Status(code=CODES[type(error)], message=error.message, details=details)


def internal_status() -> status_pb2.Status:
    """Return the status of a failure of ours: a fixed sentence that leaks nothing."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    return status_pb2.Status(code=code_pb2.INTERNAL, message=INTERNAL_MESSAGE, details=[_packed(info)])


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
