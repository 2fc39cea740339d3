"""The table from errors to statuses: complete, and small enough to travel."""

from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2

from experiments.errors import Problem
from server.api.interceptors import CODES, INTERNAL_MESSAGE, internal_status, status_of
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
from troth.v1 import errors_pb2

LONGEST = "\U0001f6d2" * 128
PROBLEMS = [Problem(f"variants[{number}].weight", LONGEST * 3) for number in range(500)]
ERRORS: tuple[RequestError, ...] = (
    InvalidRequestError([Problem(f"outcomes[{number}].offer_id", "x" * 150) for number in range(5000)]),
    ProgrammeNotFoundError(LONGEST),
    PlacementNotFoundError(LONGEST, LONGEST, tuple("p" * 127 + str(number) for number in range(1000))),
    ExperimentNotFoundError(LONGEST, LONGEST),
    MemberNotFoundError(LONGEST, LONGEST),
    RequestIdReusedError(LONGEST),
    ExperimentExistsError(LONGEST, LONGEST),
    ExperimentReadOnlyError(LONGEST),
    ExperimentStateError("It cannot start", PROBLEMS, LONGEST),
    ExperimentConflictError("It cannot start", PROBLEMS, LONGEST),
    CatalogueItemNotFoundError(LONGEST, "offer", LONGEST),
    CatalogueRevisionNotFoundError(LONGEST, LONGEST),
    CatalogueConflictError("The catalogue cannot be so", PROBLEMS, LONGEST),
    EtagMismatchError(f"Experiment {LONGEST}", "0123456789abcdef", experiment_id=LONGEST),
    IdentityLinkedError(("a" * 256, "b" * 256)),
    AnalysisImpossibleError(LONGEST, LONGEST * 9),
    ServerBusyError("analyses", 5),
    DecisionNotFoundError("default", "d1"),
    ReplayImpossibleError("d1", "its model is gone"),
    StoreUnavailableError("unable to open database file " + "x" * 200),
    StoreTimeoutError(),
)


def _subclasses(of: type[RequestError]) -> set[type[RequestError]]:
    direct = set(of.__subclasses__())
    return direct.union(*(_subclasses(one) for one in direct)) - {PreconditionError}


def test_every_error_has_a_row() -> None:
    """Each class of request errors, also one that is written tomorrow, has a status; no row is left over."""
    assert set(CODES) == _subclasses(RequestError)
    assert {type(error) for error in ERRORS} == _subclasses(RequestError)


def test_every_reason_is_used_once() -> None:
    """The reasons of the classes and of INTERNAL are exactly those that errors.proto lists."""
    listed = {
        name.removeprefix("ERROR_REASON_") for name, number in errors_pb2.ErrorReason.items() if number != 0
    }
    reasons = [one.reason for one in _subclasses(RequestError)]
    info = error_details_pb2.ErrorInfo.FromString(internal_status().details[0].value)

    assert sorted([*reasons, info.reason]) == sorted(listed)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_status_of_each_error(error: RequestError) -> None:
    """A status has the table's code, the error's sentence, its reason and metadata, and our domain."""
    status = status_of(error)

    assert status.code == CODES[type(error)]
    assert status.code in {code.value[0] for code in grpc.StatusCode} - {0}
    assert status.message == error.message
    info = error_details_pb2.ErrorInfo.FromString(status.details[0].value)
    assert (info.reason, info.domain) == (error.reason, "troth")
    assert dict(info.metadata) == {name: value[:256] for name, value in error.metadata.items()}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_worst_status_fits_the_headers(error: RequestError) -> None:
    """Sentence and details together stay below the 8 KiB above which gRPC peers begin to refuse headers."""
    status = status_of(error)

    assert len(quote(status.message)) + len(status.SerializeToString()) < 8 * 1024 - 500


def test_few_problems_are_all_listed() -> None:
    """As many problems as one question can have are all listed, in the sentence too."""
    problems = [Problem(f"field_{number}", "is wrong") for number in range(8)]
    status = status_of(InvalidRequestError(problems))

    bad = error_details_pb2.BadRequest.FromString(status.details[1].value)
    assert [(one.field, one.description) for one in bad.field_violations] == [
        (problem.path, problem.message) for problem in problems
    ]
    assert all(str(problem) in status.message for problem in problems)


def test_internal_says_nothing() -> None:
    """The status of a bug of ours is fixed: one sentence and the reason."""
    status = internal_status()

    assert status.message == INTERNAL_MESSAGE
    info = error_details_pb2.ErrorInfo.FromString(status.details[0].value)
    assert (info.reason, info.domain, dict(info.metadata)) == ("INTERNAL", "troth", {})


def test_long_problems_are_cut() -> None:
    """Problems too long for the headers are cut, the first of them is told in any case."""
    status = status_of(
        InvalidRequestError([Problem("experiment.control", "there is no variant" + "x" * 10**6)])
    )

    bad = error_details_pb2.BadRequest.FromString(status.details[1].value)
    assert bad.field_violations[0].field == "experiment.control"
    assert bad.field_violations[0].description.startswith("there is no variant")
    assert len(status.message) < 2000


def test_preconditions_and_delays_are_typed() -> None:
    """What stands in the way is told as ``PreconditionFailure``, a full server when to come back as ``RetryInfo``."""
    refused = status_of(ExperimentStateError("It cannot start", [Problem("owner", "is missing")], "e"))
    busy = status_of(ServerBusyError("analyses", 5))

    failure = error_details_pb2.PreconditionFailure.FromString(refused.details[1].value)
    assert [(one.type, one.subject, one.description) for one in failure.violations] == [
        ("EXPERIMENT_STATE", "owner", "is missing")
    ]
    assert error_details_pb2.RetryInfo.FromString(busy.details[1].value).retry_delay.seconds == 5
