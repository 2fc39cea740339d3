"""The life of an experiment over gRPC: created, changed, started, stopped, archived; told, listed and kept."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.server.experiments import Experiments, experiment
from tests.server.running import Running, refusal, running
from tests.server.scene import write_scene
from troth.v1 import assignment_pb2, experiment_change_pb2, experiment_pb2
from troth.v1 import experiment_service_pb2 as pb
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest

NewId = Callable[[], str]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that the tests of this file share, each with experiments of its own."""
    with running(write_scene(tmp_path_factory.mktemp("life") / "scene", with_model=False)) as started:
        yield started


@pytest.fixture
def keep(live: Running) -> Experiments:
    return Experiments(live)


def _state(known: Any) -> str:
    return experiment_pb2.ExperimentState.Name(known.state).removeprefix("EXPERIMENT_STATE_")


def _assigned(server: Running, experiment_id: str, member_id: str = "m01") -> Any:
    request = GetAssignmentsRequest(member_id=member_id, experiment_ids=[experiment_id])
    return server.get_assignments(request).assignments[0]


def test_a_whole_life(live: Running, keep: Experiments, new_id: NewId) -> None:
    """Each step takes effect at once, changes the plan's revision, and stands in the trail with who, when and what."""
    name = new_id()
    revisions = []

    def revision() -> str:
        return str(live.get_assignments(GetAssignmentsRequest(member_id="m01")).plan_revision)

    created = keep.create(experiment(name), request_id=f"create-{name}")
    assert (_state(created), created.revision, created.read_only) == ("DRAFT", 1, False)
    assert created.create_time == created.update_time
    assert _assigned(live, name).reason == assignment_pb2.ASSIGNMENT_REASON_NOT_RUNNING
    revisions.append(revision())
    updated = keep.update(name, "owner", "traffic_ppm", owner="somebody else", traffic_ppm=0)
    assert (updated.owner, updated.traffic_ppm, updated.hypothesis) == ("somebody else", 0, "It helps.")
    assert updated.etag != created.etag
    revisions.append(revision())
    assert _state(keep.start(name)) == "RUNNING"
    assert _assigned(live, name).reason == assignment_pb2.ASSIGNMENT_REASON_NOT_ENROLLED
    revisions.append(revision())
    keep.update(name, traffic_ppm=1_000_000)
    assert _assigned(live, name).variant_id in {"control", "treatment"}
    revisions.append(revision())
    assert _state(keep.stop(name)) == "STOPPED"
    assert _assigned(live, name).reason == assignment_pb2.ASSIGNMENT_REASON_NOT_RUNNING
    revisions.append(revision())
    archived = keep.archive(name)
    assert _state(archived) == "ARCHIVED"
    assert keep.get(name) == archived

    trail = keep.changes(name)
    assert len(set(revisions)) == len(revisions)
    assert [experiment_change_pb2.ChangeAction.Name(one.action)[14:] for one in trail] == [
        "CREATE",
        "UPDATE",
        "START",
        "UPDATE",
        "STOP",
        "ARCHIVE",
    ]
    assert [one.position for one in trail] == [1, 2, 3, 4, 5, 6]
    assert {one.actor for one in trail} == {"tester"}
    assert trail[0].request_id == f"create-{name}"
    assert [(one.before_revision, one.after_revision) for one in trail[:2]] == [(0, 1), (1, 1)]
    assert [list(one.changed_paths) for one in trail[1:3]] == [["owner", "traffic_ppm"], ["state"]]
    assert trail[0].before_state == experiment_pb2.EXPERIMENT_STATE_UNSPECIFIED
    assert trail[2].after_state == experiment_pb2.EXPERIMENT_STATE_RUNNING
    assert (trail[0].etag, trail[1].etag, trail[-1].etag) == (created.etag, updated.etag, archived.etag)
    times = [(one.change_time.seconds, one.change_time.nanos) for one in trail]
    assert times == sorted(times)
    assert trail[-1].change_time == archived.update_time


@pytest.mark.parametrize(
    ("reach", "move", "says"),
    [
        ("create", "stop", "after draft comes archived or running"),
        ("running", "start", "after running comes stopped"),
        ("running", "archive", "after running comes stopped"),
        ("stop", "start", "after stopped comes archived"),
        ("archive", "start", "after archived comes nothing"),
        ("archive", "archive", "after archived comes nothing"),
    ],
)
def test_wrong_moves(live: Running, new_id: NewId, reach: str, move: str, says: str) -> None:
    """A state follows only the one before it; any other move says what is possible, and changes nothing."""
    keep, name = Experiments(live), new_id()
    keep.create(experiment(name))
    for step in {"running": ["start"], "stop": ["start", "stop"], "archive": ["archive"]}.get(reach, []):
        getattr(keep, step)(name)
    before = keep.get(name)
    method = move.capitalize()
    request = getattr(pb, f"{method}ExperimentRequest")(experiment_id=name, actor="tester")

    refused = refusal(getattr(live.experiments, f"{method}Experiment"), request)

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXPERIMENT_STATE")
    assert refused.paths == ["state"]
    assert says in refused.message
    assert keep.get(name) == before


def test_start_says_what_is_missing(keep: Experiments, live: Running, new_id: NewId) -> None:
    """A draft may be incomplete; starting it names everything that a running experiment needs."""
    name = new_id()
    keep.create(experiment(name, hypothesis="", owner="", placements=[]))

    refused = refusal(
        live.experiments.StartExperiment, pb.StartExperimentRequest(experiment_id=name, actor="t")
    )

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXPERIMENT_STATE")
    assert sorted(refused.paths) == ["hypothesis", "owner", "placements"]


def test_slots_are_lent_once(keep: Experiments, live: Running, new_id: NewId) -> None:
    """Two running experiments never share a slot: the second is told which slots are taken, until the first has stopped."""
    first, second, layer = new_id(), new_id(), new_id()
    keep.running(first, layer=experiment_pb2.ExperimentLayer(layer_id=layer, slots=["0-499"]))
    keep.create(experiment(second, layer=experiment_pb2.ExperimentLayer(layer_id=layer, slots=["400-999"])))

    refused = refusal(
        live.experiments.StartExperiment, pb.StartExperimentRequest(experiment_id=second, actor="t")
    )

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXPERIMENT_CONFLICT")
    assert refused.fields == (("layer.slots", f"400-499 are lent to {first} already"),)
    keep.stop(first)
    assert _state(keep.start(second)) == "RUNNING"


def test_rankings_do_not_fight(keep: Experiments, live: Running, new_id: NewId) -> None:
    """An experiment of a file that steers the ranking at a placement keeps others from doing so; the catalogue counts too."""
    variants = [experiment_pb2.ExperimentVariant(variant_id=one) for one in "ab"]
    variants[1].parameters["ranking"].string_value = "popular"
    name = new_id()
    keep.create(experiment(name, placements=["checkout"], variants=variants))
    start = pb.StartExperimentRequest(experiment_id=name, actor="t")

    assert "offer-ranking both steer" in refusal(live.experiments.StartExperiment, start).message
    nowhere = pb.CreateExperimentRequest(experiment=experiment(new_id(), placements=["nowhere"]), actor="t")
    assert refusal(live.experiments.CreateExperiment, nowhere).fields == (
        ("placements", "the catalogue has no placement 'nowhere'"),
    )


def test_what_may_change_while_it_runs(keep: Experiments, live: Running, new_id: NewId) -> None:
    """Weights of a running experiment change with a new revision only; its salt never; texts always."""
    name = new_id()
    keep.running(name)
    heavier = [
        experiment_pb2.ExperimentVariant(variant_id="control"),
        experiment_pb2.ExperimentVariant(variant_id="treatment", weight=3),
    ]

    def update(**fields: Any) -> pb.UpdateExperimentRequest:
        return pb.UpdateExperimentRequest(
            experiment=experiment_pb2.Experiment(experiment_id=name, **fields), actor="t"
        )

    refused = refusal(live.experiments.UpdateExperiment, update(variants=heavier, salt="other"))
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXPERIMENT_STATE")
    assert sorted(refused.paths) == ["salt", "variants"]
    revised = keep.update(name, variants=heavier, revision=2, hypothesis="It helps more.")
    assert (revised.revision, revised.variants[1].weight, _state(revised)) == (2, 3, "RUNNING")
    assert _assigned(live, name).experiment_revision == 2
    last = keep.changes(name)[-1]
    assert (last.before_revision, last.after_revision) == (1, 2)
    assert "variants[1].weight" in last.changed_paths


def test_programmes_are_apart(live: Running, keep: Experiments, new_id: NewId) -> None:
    """The same id in two programmes is two experiments."""
    name = new_id()
    keep.create(experiment(name, owner="first"))
    second = keep.create(experiment(name, owner="second", placements=["checkout"]), programme="second")

    assert second.programme == "second"
    assert keep.get(name).owner == "first"


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """After a restart everything is as it was: experiments, plan, trail, answers and keys of retries."""
    config = write_scene(tmp_path / "scene", with_model=False)
    with running(config) as server:
        keep = Experiments(server)
        created = keep.create(experiment("kept"), request_id="key")
        keep.running("running", start_date={"year": 2026, "month": 1, "day": 31})
        before = server.experiments.ListExperiments(pb.ListExperimentsRequest())
        answers = server.get_assignments(GetAssignmentsRequest(member_id="m01"))
        trail = keep.changes("running")
    with running(config) as again:
        keep = Experiments(again)

        assert again.experiments.ListExperiments(pb.ListExperimentsRequest()) == before
        assert again.get_assignments(GetAssignmentsRequest(member_id="m01")) == answers
        assert keep.changes("running") == trail
        assert keep.create(experiment("kept"), request_id="key") == created
        assert "running" in {one.experiment_id for one in answers.assignments}


def test_decisions_follow(live: Running, keep: Experiments, new_id: NewId) -> None:
    """A started experiment reaches the next decision at its placement, a stopped one no more."""
    name = new_id()
    keep.running(name)
    decided = live.decide("m01", "home")

    assert name in {one.experiment_id for one in decided.assignments}
    keep.stop(name)
    assert name not in {one.experiment_id for one in live.decide("m01", "home").assignments}
