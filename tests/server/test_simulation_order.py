"""Requests and what else happened come in the order in which the log took them in."""

from experiments.log.events import Outcome, from_micros
from server.members import MemberProfile
from server.members.profile import ProfileChange
from server.whatif.requests import SimulatedRequest, in_order


def request(key: str, member_id: str, micros: int, version: int | None = None) -> SimulatedRequest:
    """Return a request that came in at a moment, and made a version of its member."""
    return SimulatedRequest(
        key, member_id, "home", from_micros(micros), receive_micros=micros, version=version
    )


def outcome(event_id: str, member_id: str, micros: int, version: int) -> Outcome:
    """Return a purchase that came in at a moment."""
    moment = from_micros(micros)
    return Outcome(
        "default", event_id, member_id, "purchase", "", "", None, None, "", moment, moment, member_version=version
    )  # fmt: skip


def change(member_id: str, micros: int, version: int) -> ProfileChange:
    """Return a change of a profile at a moment."""
    return ProfileChange("default", member_id, version, from_micros(micros), "", "", None, MemberProfile())


def names(
    requests: list[SimulatedRequest], outcomes: list[Outcome], changes: list[ProfileChange]
) -> list[str]:
    """Return what comes in which order."""
    found = []
    for one in in_order(requests, outcomes, changes):
        if isinstance(one, SimulatedRequest):
            found.append(one.key)
        else:
            found.append(one.event_id if isinstance(one, Outcome) else f"change of {one.member_id}")
    return found


def test_time_orders_what_no_version_does() -> None:
    """An outcome comes after the requests that came in no later, whoever made them."""
    requests = [request("r1", "ann", 10), request("r2", "bob", 20), request("r3", "ann", 30)]

    assert names(requests, [outcome("o", "eve", 20, 1)], []) == ["r1", "r2", "o", "r3"]
    assert names(requests, [outcome("o", "eve", 5, 1)], [change("eve", 40, 2)]) == [
        "o", "r1", "r2", "r3", "change of eve",
    ]  # fmt: skip


def test_versions_outweigh_time() -> None:
    """Between two requests of one moment the version tells where a member's event belongs; clocks may even contradict it."""
    requests = [request("r1", "ann", 10, 1), request("r2", "ann", 10, 3), request("r3", "ann", 30, 5)]

    assert names(requests, [outcome("o", "ann", 10, 2)], [change("ann", 5, 4)]) == [
        "r1", "o", "r2", "change of ann", "r3",
    ]  # fmt: skip
    assert names(requests, [outcome("late clock", "ann", 99, 2)], []) == ["r1", "late clock", "r2", "r3"]
    assert names(requests, [outcome("last", "ann", 0, 6)], []) == ["r1", "r2", "r3", "last"]


def test_events_of_one_place_come_by_version() -> None:
    """Outcomes and changes of a member between two requests keep the order of their versions."""
    outcomes = [outcome("o4", "ann", 10, 4), outcome("o2", "ann", 10, 2)]

    assert names([request("r", "ann", 5, 1)], outcomes, [change("ann", 10, 3)]) == [
        "r", "o2", "change of ann", "o4",
    ]  # fmt: skip
