"""Bare echo servers: the floor that decisions per second are compared with.

They take the same request and send the same answer as Troth's ``RecommendOffers``, decoded and encoded by the same
protobuf classes, and do nothing in between. ``python -m bench.echo threads|aio RESPONSE_FILE`` prints its port.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import uvloop

from troth.v1 import recommendation_service_pb2 as messages
from troth.v1 import recommendation_service_pb2_grpc as services

THREADS = 64


class ThreadEcho(services.RecommendationServiceServicer):
    """Answers on threads."""

    def __init__(self, response: bytes) -> None:
        self._response = response

    def RecommendOffers(  # noqa: N802 the proto's name
        self,
        request: messages.RecommendOffersRequest,  # noqa: ARG002 gRPC passes it
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.RecommendOffersResponse:
        """Answer with the canned response, built anew as a server must."""
        return messages.RecommendOffersResponse.FromString(self._response)


class AioEcho(services.RecommendationServiceServicer):
    """Answers on asyncio."""

    def __init__(self, response: bytes) -> None:
        self._response = response

    async def RecommendOffers(  # noqa: N802 the proto's name
        self,
        request: messages.RecommendOffersRequest,  # noqa: ARG002 gRPC passes it
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> messages.RecommendOffersResponse:
        """Answer with the canned response, built anew as a server must."""
        return messages.RecommendOffersResponse.FromString(self._response)


def serve_threads(response: bytes) -> None:
    """Serve on threads until killed."""
    server = grpc.server(ThreadPoolExecutor(THREADS))
    services.add_RecommendationServiceServicer_to_server(ThreadEcho(response), server)
    _announce(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    server.wait_for_termination()


async def serve_aio(response: bytes) -> None:
    """Serve on asyncio until killed."""
    server = grpc.aio.server()
    services.add_RecommendationServiceServicer_to_server(AioEcho(response), server)
    _announce(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    await server.wait_for_termination()


def _announce(port: int) -> None:
    sys.stdout.write(f"port {port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    canned = Path(sys.argv[2]).read_bytes()
    if sys.argv[1] == "threads":
        serve_threads(canned)
    else:
        uvloop.run(serve_aio(canned))
