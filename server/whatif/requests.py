"""What is simulated: requests, members and what else happened to them, from the log or from a user's tables."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import polars as pl
from polars.exceptions import PolarsError

from experiments.assignment.plan import Assignment
from experiments.errors import DomainError
from experiments.log.events import Outcome, to_micros
from experiments.rules import AttributeValue
from server.catalogue import Catalogue
from server.members import MemberProfile
from server.members.profile import ProfileChange
from server.members.table import member_updates, read_member_table


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """A question that is put to the policy.

    Attributes:
        key: Unique among the requests; what is left to chance depends on it. Of a logged decision its id.
        member_id: Who asks.
        placement_id: Where the answer would be shown.
        time: For when it is decided.
        channel_id: How it would travel; empty for the placement's first channel.
        count: Offers wanted; 0 for the placement's default.
        attributes: What the client says of the member.
        basket: Products in their basket.
        assigned: The variants they had in the log; ``None`` to assign them by the plan in force.
        receive_micros: When it came in, microseconds since the Unix epoch; it has its place among the outcomes by this.
        version: The version that the logged decision made of the member; none for one of a table.
    """

    key: str
    member_id: str
    placement_id: str
    time: datetime
    channel_id: str = ""
    count: int = 0
    attributes: Mapping[str, object] = field(default_factory=dict)
    basket: tuple[str, ...] = ()
    assigned: tuple[Assignment, ...] | None = None
    receive_micros: int = 0
    version: int | None = None


Happening: TypeAlias = SimulatedRequest | Outcome | ProfileChange


def in_order(
    requests: Sequence[SimulatedRequest], outcomes: Sequence[Outcome], changes: Sequence[ProfileChange]
) -> list[Happening]:
    """Return everything in the order in which the log took it in.

    Requests keep their order. An outcome or a change of a profile comes after the requests that came in no later; where its
    version tells more, between the requests of its member that it came between.

    Args:
        requests: In the order in which they are answered.
        outcomes: In the order of the log.
        changes: Of profiles, in the order of the log.
    """
    ends, latest = [], 0
    versions: dict[str, list[tuple[int, int]]] = {}
    for place, request in enumerate(requests):
        latest = max(latest, request.receive_micros)
        ends.append(latest)
        if request.version is not None:
            versions.setdefault(request.member_id, []).append((request.version, place))

    def place_of(member_id: str, version: int | None, micros: int) -> int:
        place = bisect_right(ends, micros)
        known = versions.get(member_id)
        if known and version is not None:
            after = bisect_right(known, (version, len(requests)))
            if after:
                place = max(place, known[after - 1][1] + 1)
            if after < len(known):
                place = min(place, known[after][1])
        return place

    others: list[tuple[int, int, Outcome | ProfileChange]] = [
        *(
            (
                place_of(one.member_id, one.member_version, to_micros(one.receive_time)),
                one.member_version or 0,
                one,
            )
            for one in outcomes
        ),
        *(
            (place_of(one.member_id, one.member_version, to_micros(one.change_time)), one.member_version, one)
            for one in changes
        ),
    ]
    others.sort(key=lambda other: other[:2])
    return list(_merged(requests, others))


def _merged(
    requests: Sequence[SimulatedRequest], others: Sequence[tuple[int, int, Outcome | ProfileChange]]
) -> Iterator[Happening]:
    at = 0
    for place, request in enumerate(requests):
        while at < len(others) and others[at][0] <= place:
            yield others[at][2]
            at += 1
        yield request
    for _, _, other in others[at:]:
        yield other


class SimulationError(DomainError):
    """The simulation cannot run; the message says why and what to do."""

    reason = "CANNOT_SIMULATE"


REQUEST_COLUMNS = ("member_id", "placement_id", "time")
"""What a table of requests must have; ``channel_id``, ``count`` and ``basket`` may be there, all others are attributes."""

_NOON = time(12)
_LIST_MARK = ";"


def read_table(path: Path) -> pl.DataFrame:
    """Read a Parquet or CSV file.

    Raises:
        SimulationError: It cannot be read.
    """
    if not path.is_file():
        raise SimulationError(f"There is no table at {path}.", path=str(path))
    try:
        if path.suffix == ".csv":
            return pl.read_csv(path, try_parse_dates=True, schema_overrides={"member_id": pl.String})
        return pl.read_parquet(path)
    except (OSError, PolarsError) as error:
        raise SimulationError(
            f"{path} cannot be read as {'CSV' if path.suffix == '.csv' else 'Parquet'}: {error}.",
            path=str(path),
        ) from None


def table_requests(
    frame: pl.DataFrame, source: str, catalogues: Sequence[Catalogue]
) -> list[SimulatedRequest]:
    """Return the requests of a table, in the order of time.

    Args:
        frame: One row for each request. A time without a zone is in the catalogue's; a basket is a list of products, or a
            text in which ``;`` separates them.
        source: Names the table, for messages.
        catalogues: Those that will be asked; the first says what type attributes have.

    Raises:
        SimulationError: A column is missing, a value cannot be used, or no catalogue has a placement.
    """
    _require(frame, REQUEST_COLUMNS, source)
    _check_placements(frame["placement_id"].unique().to_list(), source, catalogues)
    catalogue = catalogues[0]
    moments = _moments(frame["time"], source, "time", catalogue.zone)
    named = {*REQUEST_COLUMNS, "channel_id", "count", "basket"}
    requests = []
    for number, row in enumerate(frame.iter_rows(named=True)):
        moment = moments[number]
        if row["member_id"] is None or moment is None:
            raise SimulationError(
                f"{source}, row {number + 1}: member_id and time must not be empty.", source=source
            )
        requests.append(
            SimulatedRequest(
                key=f"request-{number}",
                member_id=str(row["member_id"]),
                placement_id=row["placement_id"],
                time=moment,
                channel_id=row.get("channel_id") or "",
                count=row.get("count") or 0,
                attributes=dict(_attributes(row, named, catalogue, f"{source}, row {number + 1}")),
                basket=_texts(row.get("basket")),
                receive_micros=to_micros(moment),
            )
        )
    return sorted(requests, key=lambda one: one.receive_micros)


def daily_requests(
    member_ids: Sequence[str],
    placement_id: str,
    channel_id: str,
    days: tuple[date, date],
    catalogues: Sequence[Catalogue],
) -> list[SimulatedRequest]:
    """Return one request of every member at noon of every day.

    Args:
        member_ids: Who asks.
        placement_id: Where.
        channel_id: How it travels; empty for the placement's first channel.
        days: The first day and the last, included.
        catalogues: Those that will be asked; the first says where noon is.

    Raises:
        SimulationError: No catalogue has the placement.
    """
    _check_placements([placement_id], "--placement", catalogues)
    requests = []
    day, last = days
    while day <= last:
        moment = datetime.combine(day, _NOON, catalogues[0].zone)
        requests += [
            SimulatedRequest(
                key=f"{day}-{member_id}",
                member_id=member_id,
                placement_id=placement_id,
                time=moment,
                channel_id=channel_id,
                receive_micros=to_micros(moment),
            )
            for member_id in member_ids
        ]
        day += timedelta(days=1)
    return requests


def table_profiles(path: Path, catalogue: Catalogue) -> dict[str, MemberProfile]:
    """Return the profile of each member of a table such as ``server.members.table`` reads.

    Args:
        path: Parquet or CSV.
        catalogue: Says what type attributes have.

    Raises:
        AnalysisError: It cannot be read as a table of members.
        SimulationError: An attribute is not of the type that the catalogue declares.
    """
    profiles = {}
    for number, update in enumerate(member_updates(read_member_table(path)), start=1):
        attributes = dict(_attributes(update.attributes, (), catalogue, f"{path}, row {number}"))
        profiles[update.member_id] = replace(update, attributes=attributes).applied_to(MemberProfile())
    return profiles


def _require(frame: pl.DataFrame, columns: Sequence[str], source: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise SimulationError(
            f"{source} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}; it has"
            f" {', '.join(frame.columns)}.",
            source=source,
            missing=", ".join(missing),
        )
    if not frame.height:
        raise SimulationError(f"{source} has no rows.", source=source)


def _check_placements(
    placement_ids: Sequence[str | None], source: str, catalogues: Sequence[Catalogue]
) -> None:
    known = {one: None for catalogue in catalogues for one in catalogue.placements_by_id}
    for placement_id in placement_ids:
        if placement_id not in known:
            raise SimulationError(
                f"{source} asks at placement {placement_id!r}, which the catalogue does not have; it has"
                f" {', '.join(known)}.",
                source=source,
                placement_id=str(placement_id),
            )


def _moments(column: pl.Series, source: str, name: str, zone: ZoneInfo) -> list[datetime | None]:
    if column.dtype == pl.String:
        try:
            column = column.str.to_datetime(time_unit="us")
        except PolarsError:
            raise SimulationError(
                f"{source}: column {name} has texts that are not times; write 2026-11-03T18:30:00 or"
                " 2026-11-03T18:30:00Z.",
                source=source,
            ) from None
    if column.dtype not in (pl.Datetime, pl.Date):
        raise SimulationError(
            f"{source}: column {name} is of type {column.dtype}; it must hold times.", source=source
        )
    return [_moment(value, zone) for value in column.to_list()]


def _moment(value: date | datetime | None, zone: ZoneInfo) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        value = datetime.combine(value, _NOON)
    return value if value.tzinfo is not None else value.replace(tzinfo=zone)


def _attributes(
    row: Mapping[str, Any], fields: Collection[str], catalogue: Catalogue, place: str
) -> Iterator[tuple[str, AttributeValue]]:
    for name, value in row.items():
        if name in fields or value is None:
            continue
        try:
            yield name, _typed(value, catalogue.attributes.get(name, ""), catalogue.zone)
        except (TypeError, ValueError):
            raise SimulationError(
                f"{place}: {name} is {value!r}; the catalogue declares it as {catalogue.attributes[name]}.",
                attribute=name,
            ) from None


def _typed(value: Any, kind: str, zone: ZoneInfo) -> AttributeValue:
    """Return a value in the type that the catalogue declares; one that it does not declare as it is."""
    if kind == "list<string>" or isinstance(value, list):
        return _texts(value)
    if kind == "string":
        return str(value)
    if kind == "double":
        return float(value)
    if kind in ("int", "bool"):
        typed = int(value) if kind == "int" else bool(value)
        if typed != value:
            raise ValueError(value)
        return typed
    if kind == "timestamp" or isinstance(value, date):
        if not isinstance(value, date):
            raise TypeError(value)
        moment = _moment(value, zone)
        assert moment is not None
        return moment
    return value if isinstance(value, str | int | float | bool) else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    parts = value.split(_LIST_MARK) if isinstance(value, str) else value
    return tuple(str(part).strip() for part in parts if str(part).strip())
