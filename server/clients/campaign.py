"""A campaign through a running server: the members it is for, and decisions for them, part after part.

Each part is kept as soon as it is finished, so that the same call goes on after a break.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import polars as pl

from experiments.errors import AnalysisError, DomainError
from server.clients.campaign_result import GIVEN, NOTHING, PROBLEM, ResultParts, rows_of
from troth.v1 import recommendation_service_pb2 as messages
from troth.v1 import recommendation_service_pb2_grpc

Report = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_COLUMN = "member_id"


@dataclass(frozen=True, slots=True)
class Members:
    """Members of a campaign.

    Attributes:
        source: Their file.
        member_ids: Each of them once, in the order of the file.
        repeated_count: Lines of the file that named a member again.
    """

    source: Path
    member_ids: pl.Series
    repeated_count: int

    def fingerprint(self) -> str:
        """Return what tells this list from another."""
        digest = hashlib.sha256()
        for member_id in self.member_ids:
            content = member_id.encode()
            digest.update(b"%d:" % len(content) + content)
        return digest.hexdigest()


def read_members(path: Path) -> Members:
    """Read a list of members: ``.parquet`` or ``.csv`` with a column ``member_id``, or ``.txt`` with one id a line.

    Raises:
        AnalysisError: The file cannot be read, has no such column, misses ids, or names nobody.
    """
    if not path.is_file():
        raise AnalysisError(f"There is no file {path}.", path=str(path))
    try:
        found = _read(path)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise AnalysisError(
            f"{path} cannot be read as a list of members: {reason}.", path=str(path)
        ) from None
    empty = int((found.is_null() | (found == "")).sum())
    if empty:
        raise AnalysisError(
            f"{path} has {empty:,} rows without a {_COLUMN}; leave them out of the list.", path=str(path)
        )
    if not len(found):
        raise AnalysisError(f"{path} names no members.", path=str(path))
    once = found.unique(maintain_order=True)
    return Members(path, once, len(found) - len(once))


def _read(path: Path) -> pl.Series:
    if path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return pl.Series(_COLUMN, [line for line in lines if line.strip()], dtype=pl.String)
    if path.suffix == ".parquet":
        table = pl.scan_parquet(path)
    elif path.suffix == ".csv":
        # As text, so that ids keep their leading zeros.
        table = pl.scan_csv(path, infer_schema=False)
    else:
        raise AnalysisError(f"{path} must end with .parquet, .csv or .txt.", path=str(path))
    columns = table.collect_schema().names()
    if _COLUMN not in columns:
        raise AnalysisError(
            f"{path} has no column {_COLUMN}; it has {', '.join(columns) or 'none'}.", path=str(path)
        )
    return table.select(pl.col(_COLUMN).cast(pl.String)).collect().to_series()


PART = 5_000
"""Members of one call, and of one part."""
CONNECT_S = 10.0
_PART_S = 900.0
_REPORTED_EVERY = 100
_GONE = {
    grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN,
}  # fmt: skip


class CampaignError(DomainError):
    """A campaign could not be run to its end."""

    reason = "CAMPAIGN_STOPPED"


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a campaign asks for.

    Attributes:
        programme: The loyalty programme.
        campaign_id: The campaign.
        placement_id: The placement.
        channel_id: The channel, or empty.
        offer_count: Offers for each member, or 0.
    """

    programme: str
    campaign_id: str
    placement_id: str
    channel_id: str
    offer_count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a campaign's members.

    Attributes:
        member_count: All of them.
        given_count: Members who are given something.
        nothing_count: Members who are given nothing.
        problem_count: Members who were not decided for.
        repeated_count: Lines of the list that named somebody again.
        finished_before_count: Members of parts that an earlier run finished.
        seconds: How long this run asked the server.
    """

    member_count: int
    given_count: int
    nothing_count: int
    problem_count: int
    repeated_count: int
    finished_before_count: int
    seconds: float

    def document(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)

    def sentence(self, out: Path) -> str:
        """Return the counts for people."""
        asked = self.member_count - self.finished_before_count
        speed = f", {asked / self.seconds:,.0f} a second" if asked and self.seconds else ""
        parts = [
            f"{self.member_count:,} members{speed}: {self.given_count:,} are given something, {self.nothing_count:,} nothing."
        ]
        if self.problem_count:
            parts.append(
                f"{self.problem_count:,} could not be decided for; column problem says why, and the same command tries"
                " them again."
            )
        if self.finished_before_count:
            parts.append(f"{self.finished_before_count:,} were finished by an earlier run.")
        if self.repeated_count:
            parts.append(f"{self.repeated_count:,} lines of the list named somebody again.")
        return " ".join([*parts, f"Result: {out}."])


def run_campaign(campaign: Campaign, members: Members, server: str, out: Path, report: Report) -> Counted:
    """Decide for all members, and write the result.

    What an earlier run of the same campaign finished stands in a folder beside the result and is not asked for again; what it
    had begun, the server answers with the same decisions.

    Args:
        campaign: What is asked.
        members: For whom.
        server: Host and port.
        out: The result.
        report: Told how far it is.

    Returns:
        What became of the members.

    Raises:
        CampaignError: The server does not answer, or refuses; the same command goes on later.
        AnalysisError: A file cannot be written, or belongs to another run.
    """
    parts = ResultParts(out, {**asdict(campaign), "members": members.fingerprint(), "part": PART})
    total = len(members.member_ids)
    statuses: Counter[str] = Counter()
    count = -(-total // PART)
    finished_before = 0
    with _connected(server) as channel:
        stub: Any = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
        started = time.monotonic()
        for number in range(count):
            if parts.has(number):
                statuses.update(parts.counts(number))
                finished_before += len(members.member_ids[number * PART : (number + 1) * PART])
                continue
            call = _Call(stub, campaign, members, number, server)
            rows = call.rows(lambda done: report("members decided for", done, total))
            parts.write(number, rows)
            statuses.update({row["member_id"]: row["status"] for row in rows}.values())
        seconds = time.monotonic() - started
    report("writing the result", total, total)
    parts.finish(count)
    return Counted(
        total,
        statuses[GIVEN],
        statuses[NOTHING],
        statuses[PROBLEM],
        members.repeated_count,
        finished_before,
        seconds,
    )


class _Call:
    """The call for one part."""

    def __init__(self, stub: Any, campaign: Campaign, members: Members, number: int, server: str) -> None:
        self._stub = stub
        self._campaign = campaign
        self._members = members
        self._first = number * PART
        self._server = server

    def rows(self, done: Callable[[int], None]) -> list[Mapping[str, Any]]:
        """Return the rows of the part, once all of it is decided."""
        campaign = self._campaign
        listed = self._members.member_ids[self._first : self._first + PART].to_list()
        request = messages.DecideCampaignRequest(
            programme=campaign.programme,
            campaign_id=campaign.campaign_id,
            placement_id=campaign.placement_id,
            channel_id=campaign.channel_id,
            offer_count=campaign.offer_count,
            member_ids=listed,
        )
        named = {
            "programme": campaign.programme,
            "campaign_id": campaign.campaign_id,
            "placement_id": campaign.placement_id,
        }
        found: list[Mapping[str, Any]] = []
        answered = 0
        try:
            for response in self._stub.DecideCampaign(request, timeout=_PART_S):
                found += rows_of(named, response)
                answered += 1
                if answered % _REPORTED_EVERY == 0:
                    done(self._first + answered)
        except grpc.RpcError as error:
            raise self._error(error, answered) from None
        if answered != len(listed):
            raise self._stopped(f"it answered for {answered} of {len(listed)} members", answered)
        return found

    def _error(self, error: Any, answered: int) -> CampaignError:
        code, details = error.code(), str(error.details() or "")
        if code in _GONE:
            return self._stopped(details or code.name, answered)
        last = min(self._first + PART, len(self._members.member_ids))
        where = f" (member_ids counts from member {self._first + 1} of {self._members.source}, up to {last})"
        return CampaignError(
            f"The server at {self._server} refuses the campaign: {details}{where if 'member_ids' in details else ''}"
        )

    def _stopped(self, why: str, answered: int) -> CampaignError:
        return CampaignError(
            f"The server at {self._server} stopped answering after {self._first + answered:,} of"
            f" {len(self._members.member_ids):,} members ({why.rstrip('.')}); once it is back, run the same command again: it goes"
            " on there, and nobody is decided for twice."
        )


@contextmanager
def _connected(server: str) -> Iterator[grpc.Channel]:
    """Give a channel to a server that answers."""
    with grpc.insecure_channel(server) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_S)
        except grpc.FutureTimeoutError:
            raise CampaignError(
                f"No server answers at {server}; start one with `troth serve`, or check --server, and run the same command"
                " again."
            ) from None
        yield channel
