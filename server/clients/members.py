"""Sends a running server what a table says of members."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import grpc
from grpc_status import rpc_status

from experiments.errors import DomainError
from server.api.member import LARGEST_BATCH, update_message
from server.members.profile import ProfileUpdate
from troth.v1 import member_service_pb2, member_service_pb2_grpc

_DEADLINE_S = 60.0


class ImportFailedError(DomainError):
    """The server did not take all members; the message says how many it took and why it stopped."""

    reason = "IMPORT_FAILED"


class ImportCounts(NamedTuple):
    """What became of the members of a table."""

    changed_count: int
    unchanged_count: int


def send_members(
    updates: Iterable[ProfileUpdate],
    *,
    server: str,
    programme: str,
    actor: str,
    report: Callable[[int], None],
) -> ImportCounts:
    """Send updates in batches, each kept whole; return what became of them.

    Sending the same table again changes nothing, so an import that broke off can be started anew.

    Args:
        updates: Each of another member.
        server: Host and port.
        programme: The loyalty programme.
        actor: Who asks, for the audit trail.
        report: Called with the number of members done.

    Returns:
        How many members were changed, and how many known so already.

    Raises:
        ImportFailedError: The server refused a batch or could not be reached.
    """
    changed = unchanged = 0
    with grpc.insecure_channel(server) as channel:
        stub = member_service_pb2_grpc.MemberServiceStub(channel)
        for batch in _batches(updates):
            request = member_service_pb2.UpsertMembersRequest(
                programme=programme, updates=[update_message(update) for update in batch], actor=actor
            )
            try:
                response = stub.UpsertMembers(request, timeout=_DEADLINE_S)
            except grpc.RpcError as error:
                done = changed + unchanged
                raise ImportFailedError(_sentence(server, done, len(batch), error), server=server) from None
            changed += response.changed_count
            unchanged += response.unchanged_count
            report(changed + unchanged)
    return ImportCounts(changed, unchanged)


def _sentence(server: str, done: int, failed: int, error: Any) -> str:
    if rpc_status.from_call(error) is None and error.code() is grpc.StatusCode.UNAVAILABLE:
        return (
            f"No server answers at {server}, after {done} members; start one with `troth serve`, or check --server, and run the"
            " same command again."
        )
    return f"The server at {server} took {done} members and refused the next {failed}: {error.details()}"


def _batches(updates: Iterable[ProfileUpdate]) -> Iterator[list[ProfileUpdate]]:
    rest = iter(updates)
    while batch := list(islice(rest, LARGEST_BATCH)):
        yield batch
