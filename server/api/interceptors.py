"""Around every call: one log line and one measurement, and domain errors as gRPC statuses with details that programs read."""

import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

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
from server.metrics import Metrics

DOMAIN = "troth"
_LONGEST_METADATA = 256
_LONGEST_DESCRIPTION = 1_000
_MAX_VIOLATIONS = 20
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
    for problem in problems[:_MAX_VIOLATIONS]:
        path, message = problem.path[:_LONGEST_METADATA], problem.message[:_LONGEST_DESCRIPTION]
        room -= len(path.encode()) + len(message.encode())
        if room < 0:
            return
        yield Problem(path, message)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


_OURS = "/troth."


class CallInterceptor(grpc.ServerInterceptor):
    """Base of interceptors that wrap each unary call and our own streams; health watch and reflection pass untouched."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Behaviour, Handler]] = {}

    @abstractmethod
    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the unary call; ``method`` is its full name.

        Args:
            method: Full name of the method.
            behaviour: Runs the method.
            request: The message.
            context: The call.

        Returns:
            The reply.
        """

    @abstractmethod
    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream, yielding its answers. A method that takes one request gets it as the only part.

        Args:
            method: Full name of the method.
            behaviour: Runs the method.
            requests: The messages.
            context: The call.

        Returns:
            The replies.
        """

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return the handler with its behaviour wrapped. The wrapper of a method is made once."""
        handler = continuation(handler_call_details)
        method: str = handler_call_details.method
        behaviour = _behaviour(handler, method)
        if handler is None or behaviour is None:
            return handler
        kept = self._wrapped.get(method)
        if kept is not None and kept[0] is behaviour:
            return kept[1]
        wrapped = self._wrap(handler, method, behaviour)
        self._wrapped[method] = (behaviour, wrapped)
        return wrapped

    def _wrap(self, handler: Any, method: str, behaviour: Behaviour) -> Handler:
        def run(request: Any, context: grpc.ServicerContext) -> Any:
            return self.call(method, behaviour, request, context)

        def run_stream(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            return self.stream(method, behaviour, requests, context)

        def only(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
            answers: Iterator[Any] = behaviour(next(requests), context)
            return answers

        def run_one(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            return self.stream(method, only, iter((request,)), context)

        serialisation = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(run, **serialisation)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(run_one, **serialisation)
        return grpc.stream_stream_rpc_method_handler(run_stream, **serialisation)


def _behaviour(handler: Handler, method: str) -> Behaviour | None:
    """Return what is wrapped of a handler, if anything."""
    if handler is None:
        return None
    unary: Behaviour | None = handler.unary_unary
    streaming: Behaviour | None = handler.stream_stream or handler.unary_stream
    return unary or (streaming if method.startswith(_OURS) else None)


_log = logging.getLogger("troth.requests")
_LONGEST_DETAIL = 300
_LONGEST_PROGRAMME = 128


class RequestLogInterceptor(CallInterceptor):
    """Logs method, code and duration of each call. Member ids stay out of the log.

    Args:
        metrics: Where calls are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        super().__init__()
        self._metrics = metrics

    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the call and note how it went, whatever it raises. See ``CallInterceptor.call``."""
        start = time.perf_counter()
        try:
            return behaviour(request, context)
        finally:
            self._note(method, context, start, getattr(request, "programme", ""))

    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream and note at its end how it went, whatever it raises. See ``CallInterceptor.stream``."""
        start = time.perf_counter()
        programmes = [""]
        try:
            yield from behaviour(_noting(requests, programmes), context)
        finally:
            self._note(method, context, start, programmes[0])

    def _note(self, method: str, context: grpc.ServicerContext, start: float, programme: str) -> None:
        duration = time.perf_counter() - start
        code = _code(context)
        self._metrics.called(method, code, duration)
        if _log.isEnabledFor(logging.INFO):
            # A record made by hand: the logger would walk the stack to find a line number that nobody prints.
            record = logging.LogRecord(_log.name, logging.INFO, __file__, 0, "request", None, None)
            record.fields = {
                "method": method,
                "code": code,
                "duration_ms": round(duration * 1e3, 3),
                "programme": programme[:_LONGEST_PROGRAMME] or "default",
                "detail": "" if code == "OK" else _details(context),
            }
            _log.handle(record)


def _noting(requests: Iterator[Any], programmes: list[str]) -> Iterator[Any]:
    """Yield the parts, and note the programme of the last one."""
    for request in requests:
        programmes[0] = getattr(request, "programme", "")
        yield request


def _code(context: Any) -> str:
    # `code` and `details` of the context are missing from its type stubs.
    code = context.code() or grpc.StatusCode.OK
    if code is grpc.StatusCode.OK and not context.is_active():
        return "CANCELLED"
    return str(code.name)


def _details(context: Any) -> str:
    details = context.details() or b""
    text = details.decode(errors="replace") if isinstance(details, bytes) else str(details)
    return text[:_LONGEST_DETAIL]


_error_log = logging.getLogger("troth.errors")


class ErrorInterceptor(CallInterceptor):
    """Answers request errors with their status, and anything else with INTERNAL and a fixed sentence."""

    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the call and translate what it raises. See ``CallInterceptor.call``."""
        try:
            return behaviour(request, context)
        except Exception as error:  # noqa: BLE001 the last border: nothing may leave it untranslated
            return _abort(method, error, context)

    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream and translate what it raises. See ``CallInterceptor.stream``."""
        try:
            yield from behaviour(requests, context)
        except Exception as error:  # noqa: BLE001 the last border: nothing may leave it untranslated
            if not context.is_active():
                # The client has gone, and reading its next part failed for that.
                return
            _abort(method, error, context)


def _abort(method: str, error: Exception, context: grpc.ServicerContext) -> Any:
    if isinstance(error, RequestError):
        status = status_of(error)
    else:
        _error_log.error("unforeseen failure in %s", method, exc_info=error)
        status = internal_status()
    return context.abort_with_status(rpc_status.to_status(status))
