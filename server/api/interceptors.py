"""The one table from domain errors to gRPC statuses, with the details that programs read."""

from collections.abc import Iterator, Sequence

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from experiments.errors import Problem
from server.errors import (
    AnalysisImpossibleError,
    CatalogueConflictError,
    CatalogueItemNotFoundError,
    CatalogueRevisionNotFoundError,
    DecisionNotFoundError,
    EtagMismatchError,
    ExperimentConflictError,
    ExperimentExistsError,
    ExperimentNotFoundError,
    ExperimentReadOnlyError,
    ExperimentStateError,
    IdentityLinkedError,
    InvalidRequestError,
    MemberNotFoundError,
    PlacementNotFoundError,
    PreconditionError,
    ProgrammeNotFoundError,
    ReplayImpossibleError,
    RequestError,
    RequestIdReusedError,
    ServerBusyError,
    StoreTimeoutError,
    StoreUnavailableError,
)

DOMAIN = "troth"
_LONGEST_METADATA = 256
_LONGEST_DESCRIPTION = 1_000
_MOST_VIOLATIONS = 20
_LONGEST_VIOLATIONS = 4_200
"""gRPC sends details as a header, and peers refuse headers above 8 KiB; ``problem_count`` tells how many there are."""

CODES: dict[type[RequestError], int] = {
    InvalidRequestError: code_pb2.INVALID_ARGUMENT,
    ProgrammeNotFoundError: code_pb2.NOT_FOUND,
    PlacementNotFoundError: code_pb2.NOT_FOUND,
    ExperimentNotFoundError: code_pb2.NOT_FOUND,
    MemberNotFoundError: code_pb2.NOT_FOUND,
    RequestIdReusedError: code_pb2.ALREADY_EXISTS,
    ExperimentExistsError: code_pb2.ALREADY_EXISTS,
    ExperimentReadOnlyError: code_pb2.FAILED_PRECONDITION,
    ExperimentStateError: code_pb2.FAILED_PRECONDITION,
    ExperimentConflictError: code_pb2.FAILED_PRECONDITION,
    CatalogueItemNotFoundError: code_pb2.NOT_FOUND,
    CatalogueRevisionNotFoundError: code_pb2.NOT_FOUND,
    CatalogueConflictError: code_pb2.FAILED_PRECONDITION,
    EtagMismatchError: code_pb2.ABORTED,
    IdentityLinkedError: code_pb2.ALREADY_EXISTS,
    AnalysisImpossibleError: code_pb2.FAILED_PRECONDITION,
    ServerBusyError: code_pb2.RESOURCE_EXHAUSTED,
    DecisionNotFoundError: code_pb2.NOT_FOUND,
    ReplayImpossibleError: code_pb2.FAILED_PRECONDITION,
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
        details.append(_packed(_bad_request(error)))
    elif isinstance(error, PreconditionError):
        details.append(_packed(_precondition_failure(error)))
    elif isinstance(error, ServerBusyError):
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay={"seconds": error.retry_s})))
    return status_pb2.Status(code=CODES[type(error)], message=error.message, details=details)


def internal_status() -> status_pb2.Status:
    """Return the status of a failure of ours: a fixed sentence that leaks nothing."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    return status_pb2.Status(code=code_pb2.INTERNAL, message=INTERNAL_MESSAGE, details=[_packed(info)])


def _bad_request(error: InvalidRequestError) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for problem in _first(error.problems):
        bad.field_violations.add(field=problem.path, description=problem.message)
    return bad


def _precondition_failure(error: PreconditionError) -> error_details_pb2.PreconditionFailure:
    failure = error_details_pb2.PreconditionFailure()
    for problem in _first(error.problems):
        failure.violations.add(type=error.reason, subject=problem.path, description=problem.message)
    return failure


def _first(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield as many problems as the headers hold; one that is too long itself is cut."""
    room = _LONGEST_VIOLATIONS
    for problem in problems[:_MOST_VIOLATIONS]:
        path, message = problem.path[:_LONGEST_METADATA], problem.message[:_LONGEST_DESCRIPTION]
        room -= len(path.encode()) + len(message.encode())
        if room < 0:
            return
        yield Problem(path, message)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
