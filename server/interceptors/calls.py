"""Wrapping calls, once for all interceptors."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import grpc

Behaviour = Callable[[Any, grpc.ServicerContext], Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"


_OURS = "/troth."


class CallInterceptor(grpc.ServerInterceptor):
    """Base of interceptors that wrap each unary call and our own streams; health watch and reflection pass untouched."""

    def __init__(self) -> None:
        self._wrapped: dict[str, tuple[Behaviour, Handler]] = {}

    @abstractmethod
    def call(self, method: str, behaviour: Behaviour, request: Any, context: grpc.ServicerContext) -> Any:
        """Run the unary call; ``method`` is its full name."""

    @abstractmethod
    def stream(
        self, method: str, behaviour: Behaviour, requests: Any, context: grpc.ServicerContext
    ) -> Iterator[Any]:
        """Run the stream, yielding its answers. A method that takes one request gets it as the only part."""

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
