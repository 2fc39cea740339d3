"""Asks a running server for its catalogue, and sends it one."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_status import rpc_status

from experiments.errors import DomainError
from server.api.catalog import apply_message, catalogue_of, change_values
from server.catalogue import Catalogue
from server.catalogue.diff import Change
from troth.v1 import catalog_service_pb2 as pb
from troth.v1 import catalog_service_pb2_grpc

_TIMEOUT_S = 60.0


class ServerError(DomainError):
    """The server cannot be reached, or refused the call."""

    reason = "SERVER_REFUSED"


@dataclass(frozen=True, slots=True)
class Applied:
    """What a server made of a catalogue.

    Attributes:
        revision: Names the content.
        position: Of the change in the audit trail; 0 if nothing was kept.
        changes: What differs from before; of very many the first ones.
        change_count: How many there are.
    """

    revision: str
    position: int
    changes: tuple[Change, ...]
    change_count: int


def catalogue_in_force(address: str, programme: str) -> Catalogue:
    """Return the catalogue that a server has in force.

    Args:
        address: Host and port.
        programme: The loyalty programme.

    Raises:
        ServerError: It cannot be reached, or refuses.
    """
    request = pb.GetCatalogueRequest(programme=programme)
    return catalogue_of(_call(address, lambda stub: stub.GetCatalogue(request, timeout=_TIMEOUT_S)))


def apply_catalogue(address: str, catalogue: Catalogue, actor: str, *, dry_run: bool) -> Applied:
    """Put a catalogue in force on a server.

    Args:
        address: Host and port.
        catalogue: The catalogue.
        actor: Who makes the change.
        dry_run: Check and compare only.

    Returns:
        What the server made of it.

    Raises:
        ServerError: It cannot be reached, or refuses.
    """
    request = apply_message(catalogue, actor, request_id=str(uuid.uuid4()), validate_only=dry_run)
    answer = _call(address, lambda stub: stub.ApplyCatalogue(request, timeout=_TIMEOUT_S))
    change = answer.change
    return Applied(change.revision, change.position, change_values(change), change.item_count)


def _call(address: str, ask: Callable[[Any], Any]) -> Any:
    unlimited = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
    with grpc.insecure_channel(address, options=unlimited) as channel:
        stub: Any = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        try:
            return ask(stub)
        except grpc.RpcError as error:
            raise ServerError(f"{address}: {_reason(error)}", address=address) from None


def _reason(error: Any) -> str:
    if rpc_status.from_call(error) is None and error.code() is grpc.StatusCode.UNAVAILABLE:
        return "no server answers there; is it running, and is this its gRPC port?"
    if "larger than max" in str(error.details()):
        # gRPC itself says so, with no status of ours.
        return (
            "the catalogue is larger than what one call may carry, 4 MiB; make it the configured file of the server and"
            " restart that"
        )
    return str(error.details())
