"""One structured line and one measurement for each request."""

import logging
import time
from typing import Any

import grpc

from server.interceptors.unary import Behaviour, UnaryInterceptor
from server.metrics import Metrics

_log = logging.getLogger("troth.requests")
_LONGEST_DETAIL = 300
_LONGEST_PROGRAMME = 128


class RequestLogInterceptor(UnaryInterceptor):
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
                    "programme": getattr(request, "programme", "")[:_LONGEST_PROGRAMME] or "default",
                    "detail": "" if code == "OK" else _details(context),
                }
                _log.handle(record)


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
