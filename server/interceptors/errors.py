"""From domain errors to statuses, in one place."""

import logging
from collections.abc import Iterator
from typing import Any

import grpc
from grpc_status import rpc_status

from server.api.interceptors import internal_status, status_of
from server.errors import RequestError
from server.interceptors.calls import Behaviour, CallInterceptor

_log = logging.getLogger("troth.errors")


class ErrorInterceptor(CallInterceptor):
    """Answers request errors with their status, and anything else with INTERNAL and a fixed sentence."""

    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the call and translate what it raises."""
        try:
            return behaviour(request, context)
        except Exception as error:  # noqa: BLE001 the last border: nothing may leave it untranslated
            return _abort(method, error, context)

    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream and translate what it raises."""
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
        _log.error("unforeseen failure in %s", method, exc_info=error)
        status = internal_status()
    return context.abort_with_status(rpc_status.to_status(status))
