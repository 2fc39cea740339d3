"""One structured line and one measurement for each request."""

import logging
import time
from collections.abc import Iterator
from typing import Any

import grpc

from server.interceptors.calls import Behaviour, CallInterceptor
from server.metrics import Metrics

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
        """Run the call and note how it went, whatever it raises."""
        start = time.perf_counter()
        try:
            return behaviour(request, context)
        finally:
            self._note(method, context, start, getattr(request, "programme", ""))

    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream and note at its end how it went, whatever it raises."""
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
