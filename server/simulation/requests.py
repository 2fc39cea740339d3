"""What is simulated: the requests of a period, and what else happened to their members meanwhile."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from experiments.answers import Assignment
from experiments.log.events import Outcome, to_micros
from server.members.change import ProfileChange


@dataclass(frozen=True, slots=True)
class Request:
    """A question that is put to the policy.

    Attributes:
        key: Unique among the requests; what is left to chance depends on it. Of a logged decision its id.
        member_id: Who asks.
        placement_id: Where the answer would be shown.
        time: For when it is decided.
        channel_id: How it would travel; empty for the placement's first channel.
        count: Offers wanted; 0 for the placement's default.
        attributes: What the client says of the member.
        basket: Products in her basket.
        assigned: The variants she had in the log; none to assign her by the plan in force.
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


Happening: TypeAlias = Request | Outcome | ProfileChange


def in_order(
    requests: Sequence[Request], outcomes: Sequence[Outcome], changes: Sequence[ProfileChange]
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
    requests: Sequence[Request], others: Sequence[tuple[int, int, Outcome | ProfileChange]]
) -> Iterator[Happening]:
    at = 0
    for place, request in enumerate(requests):
        while at < len(others) and others[at][0] <= place:
            yield others[at][2]
            at += 1
        yield request
    for _, _, other in others[at:]:
        yield other
