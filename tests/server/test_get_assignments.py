"""GetAssignments: the plan's own answers, unchanged."""

import grpc
import pytest

from experiments.assignment.assign import assign
from experiments.assignment.plan import AssignmentReason
from tests.server import scene
from tests.server.running import Running, refusal
from troth.v1 import assignment_pb2
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest

REASONS = {
    AssignmentReason.ASSIGNED: assignment_pb2.ASSIGNMENT_REASON_ASSIGNED,
    AssignmentReason.NOT_ENROLLED: assignment_pb2.ASSIGNMENT_REASON_NOT_ENROLLED,
    AssignmentReason.NOT_RUNNING: assignment_pb2.ASSIGNMENT_REASON_NOT_RUNNING,
}
MEMBERS = (*scene.MEMBERS, "nobody", "🛒" * 256, *(f"stranger-{number}" for number in range(100)))


def test_equals_the_plan(server: Running) -> None:
    """For every member and experiment the answer is that of experiments.assignment.assign.assign, in the order asked for."""
    plan = scene.plan()
    wanted = ["over", "offer-ranking", "banner"]
    seen = set()
    for member in MEMBERS:
        response = server.get_assignments(GetAssignmentsRequest(member_id=member, experiment_ids=wanted))

        assert response.plan_revision == plan.revision
        assert [one.experiment_id for one in response.assignments] == wanted
        for told in response.assignments:
            expected = assign(plan, told.experiment_id, member)
            assert told.variant_id == (expected.variant_id or "")
            assert told.reason == REASONS[expected.reason]
            assert told.experiment_revision == expected.experiment_revision
            assert set(told.parameters) == set(expected.parameters)
            seen.add((told.experiment_id, told.variant_id))
    assert seen == {
        ("offer-ranking", "popular"),
        ("offer-ranking", "personal"),
        ("banner", ""),
        ("banner", "plain"),
        ("banner", "loud"),
        ("over", ""),
    }


def test_no_ids_means_all_that_run(server: Running) -> None:
    """Without ids the running experiments are told, by id; those that are over are left out."""
    response = server.get_assignments(GetAssignmentsRequest(member_id="m01"))

    assert [one.experiment_id for one in response.assignments] == ["banner", "offer-ranking"]


def test_parameters_keep_their_types(server: Running) -> None:
    """Text, whole and floating numbers and truth values arrive as what the definition wrote."""
    plan = scene.plan()
    member = next(one for one in MEMBERS if assign(plan, "banner", one).variant_id == "loud")

    response = server.get_assignments(GetAssignmentsRequest(member_id=member, experiment_ids=["banner"]))

    parameters = response.assignments[0].parameters
    assert {name: one.WhichOneof("value") for name, one in parameters.items()} == {
        "text": "string_value",
        "size": "int_value",
        "share": "double_value",
        "bold": "bool_value",
    }
    assert parameters["text"].string_value == "Hallo, 世界"
    assert parameters["size"].int_value == 12
    assert parameters["share"].double_value == 0.25
    assert parameters["bold"].bool_value is True


def test_agrees_with_the_decision(server: Running) -> None:
    """A backend that asks for assignments and one that reads them from the decision see the same variants."""
    for member in MEMBERS[:30]:
        answered = server.get_assignments(GetAssignmentsRequest(member_id=member)).assignments
        assigned = [one for one in answered if one.reason == assignment_pb2.ASSIGNMENT_REASON_ASSIGNED]

        assert list(server.decide(member).assignments) == assigned


def test_writes_nothing(server: Running) -> None:
    """Asking is not an exposure."""
    rows = server.row_counts()
    server.get_assignments(GetAssignmentsRequest(member_id="m01"))

    assert server.row_counts() == rows


def test_programme_without_experiments(server: Running) -> None:
    """A programme without experiments answers with none and a plan revision of its own."""
    response = server.get_assignments(GetAssignmentsRequest(member_id="m01", programme="second"))

    assert list(response.assignments) == []
    assert response.plan_revision.startswith("plan-")
    assert response.plan_revision != scene.plan().revision


def test_unknown_experiment(server: Running) -> None:
    """The first unknown id is NOT_FOUND and named."""
    request = GetAssignmentsRequest(member_id="m01", experiment_ids=["banner", "bannner", "neither"])

    refused = refusal(server.get_assignments, request)

    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert refused.reason == "EXPERIMENT_NOT_FOUND"
    assert refused.metadata == {"programme": "default", "experiment_id": "bannner"}


def test_unknown_programme(server: Running) -> None:
    """An unknown programme is NOT_FOUND."""
    refused = refusal(server.get_assignments, GetAssignmentsRequest(member_id="m01", programme="x"))

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PROGRAMME_NOT_FOUND")


@pytest.mark.parametrize(
    ("request_message", "paths"),
    [
        (GetAssignmentsRequest(), ["member_id"]),
        (GetAssignmentsRequest(member_id="m" * 257), ["member_id"]),
        (GetAssignmentsRequest(member_id="m" * 10_000), ["member_id"]),
        (
            GetAssignmentsRequest(member_id="m", experiment_ids=["a", "", "b\0"]),
            ["experiment_ids[1]", "experiment_ids[2]"],
        ),
        (GetAssignmentsRequest(member_id="m", experiment_ids=["e"] * 101), ["experiment_ids"]),
        (
            GetAssignmentsRequest(programme="p" * 200, member_id="\n", experiment_ids=["e" * 129]),
            ["programme", "member_id", "experiment_ids[0]"],
        ),
    ],
    ids=["empty", "257", "10,000", "list entries", "101 ids", "all at once"],
)
def test_wrong_fields(server: Running, request_message: GetAssignmentsRequest, paths: list[str]) -> None:
    """All problems are named at once, list entries with their index."""
    refused = refusal(server.get_assignments, request_message)

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.reason == "INVALID_REQUEST"
    assert refused.paths == paths


def test_hundred_experiments_at_once(server: Running) -> None:
    """The largest list is taken; an id that is asked for twice is answered twice."""
    response = server.get_assignments(GetAssignmentsRequest(member_id="m", experiment_ids=["banner"] * 100))

    assert len(response.assignments) == 100
