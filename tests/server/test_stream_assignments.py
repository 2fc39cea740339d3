"""StreamAssignments: the answers of GetAssignments for lists of any length, in order, in bounded memory."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest

from experiments.assignment.assign import assign_frame
from server.api.assignments import reason_number
from server.handlers.assignments import MAX_STREAMS
from tests.server import scene
from tests.server.experiments import Experiments
from tests.server.running import RPC_TIMEOUT_S, Running, refusal_of, running
from tests.server.scene import write_scene
from tests.server.waiting import wait_until
from troth.v1 import assignment_pb2, experiment_pb2
from troth.v1 import experiment_service_pb2 as pb

ASSIGNED = assignment_pb2.ASSIGNMENT_REASON_ASSIGNED


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that the tests of this file share."""
    with running(write_scene(tmp_path_factory.mktemp("stream") / "scene", with_model=False)) as started:
        yield started


def part(*member_ids: str, **fields: Any) -> pb.StreamAssignmentsRequest:
    """Return one part of a stream."""
    return pb.StreamAssignmentsRequest(
        members=[pb.AssignedMember(member_id=one) for one in member_ids], **fields
    )


def answers(server: Running, parts: Any) -> list[Any]:
    """Send the parts and return all answers."""
    return list(server.experiments.StreamAssignments(iter(parts), timeout=RPC_TIMEOUT_S * 3))


def test_ten_thousand_members_equal_the_batch(live: Running) -> None:
    """A list of 10,000 members in parts of any size gets, in its order, what the batch assignment of a table gives."""
    members = [f"member {number} {'é' * (number % 3)}" for number in range(10_000)]
    sizes = itertools.cycle([1, 999, 2_500])
    parts, sent = [], 0
    while sent < len(members):
        size = next(sizes)
        parts.append(part(*members[sent : sent + size], experiment_ids=["banner", "offer-ranking", "over"]))
        sent += size

    told = [one for answer in answers(live, parts) for one in answer.members]

    assert [one.member_id for one in told] == members
    for index, name in enumerate(["banner", "offer-ranking", "over"]):
        expected = pl.DataFrame({"unit": members}).select(assign_frame(scene.plan(), name, pl.col("unit")))
        for one, answer in zip(told, expected.to_series().to_list(), strict=True):
            assert one.assignments[index].variant_id == (answer["variant_id"] or "")
            assert one.assignments[index].reason == reason_number(answer["reason"])


def test_equals_one_by_one(live: Running) -> None:
    """Each member of a list gets exactly the message that GetAssignments gives, parameters and all."""
    members = [*scene.MEMBERS, "🛒" * 256]
    (answer,) = answers(live, [part(*members)])

    for told, member in zip(answer.members, members, strict=True):
        alone = live.get_assignments(pb.GetAssignmentsRequest(member_id=member))
        assert list(told.assignments) == list(alone.assignments)
        assert answer.plan_revision == alone.plan_revision


def test_large_answers_come_in_several_messages(live: Running) -> None:
    """An answer that would outgrow what clients take is cut between members; nothing is lost or out of order."""
    members = [f"m{number}" for number in range(10_000)]
    got = answers(live, [part(*members, experiment_ids=["banner"] * 20)])

    assert len(got) > 3
    assert all(one.ByteSize() < 2 * 1024 * 1024 for one in got)
    assert [one.member_id for answer in got for one in answer.members] == members


def test_answers_come_before_the_next_part(live: Running) -> None:
    """A part is answered before the next one is sent, so that a client may go on from what it learned."""
    heard: list[str] = []

    def parts() -> Iterator[pb.StreamAssignmentsRequest]:
        for number in range(5):
            yield part(f"m{number}")
            wait_until(lambda expected=number + 1: len(heard) == expected, "the answer is there")  # type: ignore[misc]

    for answer in live.experiments.StreamAssignments(parts(), timeout=RPC_TIMEOUT_S):
        heard += [one.member_id for one in answer.members]
    assert heard == [f"m{number}" for number in range(5)]


def test_a_slow_reader_holds_the_writer_back(live: Running) -> None:
    """While nobody reads the answers, the server stops taking parts: the buffers of the connection fill, not its memory."""
    taken = 0
    stop = threading.Event()
    wanted = part(*(f"m{number}" for number in range(5_000)), experiment_ids=["banner"] * 20)

    def parts() -> Iterator[pb.StreamAssignmentsRequest]:
        nonlocal taken
        while not stop.is_set():
            taken += 1
            yield wanted

    call = live.experiments.StreamAssignments(parts(), timeout=RPC_TIMEOUT_S * 3)
    next(call)
    before = -1
    while before != taken:
        before = taken
        stop.wait(1.0)
    stop.set()
    call.cancel()
    assert taken * wanted.ByteSize() < 32 * 1024 * 1024


def test_the_plan_is_fixed_for_the_list(live: Running) -> None:
    """A change in the middle of a list changes none of its answers; the next list has the new plan."""
    keep = Experiments(live)
    keep.running("in-between")
    started = live.get_assignments(pb.GetAssignmentsRequest(member_id="m")).plan_revision

    def parts() -> Iterator[pb.StreamAssignmentsRequest]:
        yield part("m", experiment_ids=["in-between"])
        keep.stop("in-between")
        yield part("m", experiment_ids=["in-between"])

    first, second = answers(live, parts())
    (later,) = answers(live, [part("m", experiment_ids=["in-between"])])

    assert first == second
    assert first.plan_revision == started != later.plan_revision
    assert first.members[0].assignments[0].reason == ASSIGNED
    assert later.members[0].assignments[0].reason == assignment_pb2.ASSIGNMENT_REASON_NOT_RUNNING


def test_attributes_target(live: Running) -> None:
    """Each member of a list is targeted by their own attributes; where one is missing, the rule cannot tell."""
    kinds = {
        "age": experiment_pb2.ATTRIBUTE_TYPE_INT,
        "tags": experiment_pb2.ATTRIBUTE_TYPE_STRING_LIST,
        "joined": experiment_pb2.ATTRIBUTE_TYPE_TIMESTAMP,
    }
    Experiments(live).running(
        "targeted",
        targeting='age >= 18 && "vip" in tags && joined < timestamp("2026-01-01T00:00:00Z")',
        attributes=kinds,
    )

    def member(age: int, *tags: str, joined_s: int = 0) -> pb.AssignedMember:
        one = pb.AssignedMember(member_id="m")
        one.attributes["age"].int_value = age
        one.attributes["tags"].string_list.texts.extend(tags)
        one.attributes["joined"].moment_time.seconds = joined_s
        return one

    request = pb.StreamAssignmentsRequest(
        experiment_ids=["targeted"],
        members=[
            member(18, "new", "vip"),
            member(17, "vip"),
            member(40),
            member(40, "vip", joined_s=2_000_000_000),
            pb.AssignedMember(member_id="m"),
        ],
    )
    (answer,) = answers(live, [request])
    reasons = [assignment_pb2.AssignmentReason.Name(one.assignments[0].reason)[18:] for one in answer.members]

    assert reasons == ["ASSIGNED", "NOT_TARGETED", "NOT_TARGETED", "NOT_TARGETED", "TARGETING_ERROR"]
    alone = live.get_assignments(
        pb.GetAssignmentsRequest(
            member_id="m", experiment_ids=["targeted"], attributes=request.members[0].attributes
        )
    )
    assert list(alone.assignments) == list(answer.members[0].assignments)
    decided = live.decide("m", "home", attributes=request.members[0].attributes)
    assert "targeted" in {one.experiment_id for one in decided.assignments}
    assert "targeted" not in {one.experiment_id for one in live.decide("m", "home").assignments}


def _refused(server: Running, parts: Any) -> Any:
    with pytest.raises(grpc.RpcError) as caught:
        answers(server, parts)
    return refusal_of(caught.value)


def test_refusals(live: Running) -> None:
    """A stream is refused like a call: by reason, with paths; parts before it are answered."""
    empty = _refused(live, [part()])
    assert (empty.code, empty.paths) == (grpc.StatusCode.INVALID_ARGUMENT, ["members"])
    nobody = _refused(live, [part("m", ""), part("m")])
    assert nobody.paths == ["members[1].member_id"]
    assert _refused(live, [part(*["m"] * 10_001)]).paths == ["members"]
    assert _refused(live, [part("m", experiment_ids=["nothing"])]).reason == "EXPERIMENT_NOT_FOUND"
    assert _refused(live, [part("m", programme="nowhere")]).reason == "PROGRAMME_NOT_FOUND"
    other = part("m", programme="second", experiment_ids=["x"])
    assert _refused(live, [part("m"), other]).paths == ["programme", "experiment_ids"]
    wrong = part("m")
    wrong.members[0].attributes["x"].double_value = float("nan")
    wrong.members[0].attributes["y"].SetInParent()
    assert sorted(_refused(live, [wrong]).paths) == ["members[0].attributes.x", "members[0].attributes.y"]
    assert answers(live, []) == []


def test_streams_are_limited(live: Running) -> None:
    """As many streams as the server takes leave room for all other calls; one more is told to come back."""
    done = threading.Event()

    def parts() -> Iterator[pb.StreamAssignmentsRequest]:
        yield part("m")
        done.wait(RPC_TIMEOUT_S)

    def opened() -> Any:
        call = live.experiments.StreamAssignments(parts(), timeout=RPC_TIMEOUT_S * 2)
        next(call)
        return call

    try:
        calls = [opened() for _ in range(MAX_STREAMS)]
        refused = _refused(live, [part("m")])
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY")
        assert live.decide("m01", "home").decision_id
    finally:
        done.set()
    for call in calls:
        assert list(call) == []
    assert len(answers(live, [part("m")])) == 1


def test_broken_streams_give_their_place_back(live: Running) -> None:
    """A client that goes away in the middle frees its place, again and again."""
    for _ in range(3 * MAX_STREAMS):
        call = live.experiments.StreamAssignments(iter([part("m")] * 3), timeout=RPC_TIMEOUT_S)
        next(call)
        call.cancel()

    def free() -> bool:
        try:
            return len(answers(live, [part("m")])) == 1
        except grpc.RpcError:
            return False

    wait_until(free, "the places are free")


def test_an_open_stream_does_not_keep_the_server(tmp_path: Path) -> None:
    """A stream whose client sends nothing more ends with the server's grace."""
    done = threading.Event()

    def parts() -> Iterator[pb.StreamAssignmentsRequest]:
        yield part("m")
        done.wait(RPC_TIMEOUT_S * 2)

    with running(write_scene(tmp_path / "scene", with_model=False), grace=0.2) as server:
        call = server.experiments.StreamAssignments(parts(), timeout=RPC_TIMEOUT_S * 3)
        next(call)
    with pytest.raises(grpc.RpcError):
        next(call)
    done.set()
