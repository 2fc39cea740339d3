"""Wrapping unary calls, once for all interceptors."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


class UnaryInterceptor(grpc.ServerInterceptor):
    """Base of interceptors that wrap each unary call; streams (health watch, reflection) pass untouched."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Behaviour, Handler]] = {}

    @abstractmethod
    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the call; ``method`` is its full name."""

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Return the handler with its behaviour wrapped. The wrapper of a method is made once."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method: str = handler_call_details.method
        kept = self._wrapped.get(method)
        if kept is not None and kept[0] is handler.unary_unary:
            return kept[1]
        behaviour: Behaviour = handler.unary_unary

        def run(request: Any, context: grpc.ServicerContext) -> Any:
            return self.call(method, behaviour, request, context)

        wrapped = grpc.unary_unary_rpc_method_handler(
            run,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._wrapped[method] = (behaviour, wrapped)
        return wrapped
