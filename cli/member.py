"""`troth member`: what the server is told of members.

Sending a table of members to a running server.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import grpc
import typer
from grpc_status import rpc_status

from cli.output import say, write_json
from experiments.errors import DomainError
from server.api.member import LARGEST_BATCH, update_message
from server.members.profile import ProfileUpdate
from troth.v1 import member_service_pb2, member_service_pb2_grpc

app = typer.Typer(help="What the server is told of members.", no_args_is_help=True)


@app.callback()
def _member() -> None:
    """Keep ``import`` a command of its own name, however many there are beside it."""


@app.command("import")
def import_members(
    table: Annotated[
        Path,
        typer.Argument(
            help="Parquet or CSV, a row for each member: member_id, tier, points_balance, points_expire_time, time_zone,"
            " consent:CHANNEL:PURPOSE; every other column is an attribute."
        ),
    ],
    server: Annotated[str, typer.Option(help="Host and port of the server.")] = "127.0.0.1:50051",
    programme: Annotated[str, typer.Option(help="The programme.")] = "default",
    actor: Annotated[str, typer.Option(help="Who asks, for the audit trail.")] = "troth member import",
    json: Annotated[
        str, typer.Option(help="Write the counts as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Tell a running server what a table says of members. The same table again changes nothing."""
    from cli.output import progress_bar
    from server.members.table import member_updates, read_member_table

    members = read_member_table(table)
    with progress_bar() as report:
        counts = send_members(
            member_updates(members),
            server=server,
            programme=programme,
            actor=actor,
            report=lambda done: report("Members", done, members.height),
        )
    if json:
        write_json(counts._asdict(), json)
    if json != "-":
        say(f"{counts.changed_count} members changed, {counts.unchanged_count} were known so already.")


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
