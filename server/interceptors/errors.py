"""From domain errors to statuses, in one place."""

import logging
from typing import Any

import grpc
from grpc_status import rpc_status

from server.errors import RequestError
from server.interceptors.unary import Behaviour, UnaryInterceptor
from server.status import internal_status, status_of

_log = logging.getLogger("troth.errors")


class ErrorInterceptor(UnaryInterceptor):
    """Answers request errors with their status, and anything else with INTERNAL and a fixed sentence."""

    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the call and translate what it raises."""
        try:
            return behaviour(request, context)
        except RequestError as error:
            status = status_of(error)
        except Exception:  # noqa: BLE001 the last border: nothing may leave it untranslated
            _log.exception("unforeseen failure in %s", method)
            status = internal_status()
        return context.abort_with_status(rpc_status.to_status(status))
