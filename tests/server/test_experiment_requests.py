"""Requests that keep and read experiments: what they may say, what guards them, and how they are refused."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from tests.server.experiments import Experiments, experiment
from tests.server.running import Running, refusal, running
from tests.server.scene import write_scene
from troth.v1 import experiment_pb2
from troth.v1 import experiment_service_pb2 as pb

NewId = Callable[[], str]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that the tests of this file share, each with experiments of its own."""
    with running(write_scene(tmp_path_factory.mktemp("requests") / "scene", with_model=False)) as started:
        yield started


@pytest.fixture
def keep(live: Running) -> Experiments:
    return Experiments(live)


def test_masks(keep: Experiments, new_id: NewId) -> None:
    """Listed fields change, one that is listed and not set goes back to its default, all others stay."""
    name = new_id()
    keep.create(experiment(name, alpha=0.01, salt="salt", targeting=""))

    kept = keep.update(name, "alpha", "salt", "owner", owner="new", hypothesis="not listed")
    assert (kept.alpha, kept.salt, kept.owner, kept.hypothesis) == (0.05, name, "new", "It helps.")
    replaced = keep.update(
        name, "*", hypothesis="whole", variants=kept.variants, metrics=kept.metrics, placements=[]
    )
    assert (replaced.hypothesis, replaced.owner, list(replaced.placements)) == ("whole", "", [])


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (["state"], "state is set by the server only"),
        (["etag"], "etag is set by the server only"),
        (["metrics.role"], "'metrics.role' is a part of a field; name the whole field"),
        (["nonsense"], "an experiment has no field 'nonsense'"),
    ],
)
def test_wrong_masks(live: Running, keep: Experiments, new_id: NewId, paths: list[str], problem: str) -> None:
    """A mask that names no changeable field is INVALID_ARGUMENT."""
    name = new_id()
    keep.create(experiment(name))
    request = pb.UpdateExperimentRequest(
        experiment=experiment_pb2.Experiment(experiment_id=name, owner="x"), actor="t"
    )
    request.update_mask.paths.extend(["owner", *paths])

    refused = refusal(live.experiments.UpdateExperiment, request)

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.fields == (("update_mask.paths[1]", problem),)


def test_etags(live: Running, keep: Experiments, new_id: NewId) -> None:
    """Whoever changes what somebody else has changed since is ABORTED and learns the new etag."""
    name = new_id()
    read = keep.create(experiment(name))
    changed = keep.update(name, owner="me", etag=read.etag)

    for method, request in (
        (
            "Update",
            pb.UpdateExperimentRequest(
                experiment=experiment_pb2.Experiment(experiment_id=name, owner="you"),
                etag=read.etag,
                actor="t",
            ),
        ),
        ("Start", pb.StartExperimentRequest(experiment_id=name, etag=read.etag, actor="t")),
        ("Stop", pb.StopExperimentRequest(experiment_id=name, etag=read.etag, actor="t")),
        ("Archive", pb.ArchiveExperimentRequest(experiment_id=name, etag=read.etag, actor="t")),
    ):
        refused = refusal(getattr(live.experiments, f"{method}Experiment"), request)
        assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
        assert refused.metadata == {"experiment_id": name, "etag": changed.etag}
    assert keep.get(name) == changed


def test_of_many_with_one_etag_one_wins(live: Running, keep: Experiments, new_id: NewId) -> None:
    """Sixteen changes at once with the same etag: one is made, the others are refused, the trail has one more entry."""
    name = new_id()
    etag = keep.create(experiment(name)).etag

    def change(number: int) -> grpc.StatusCode:
        try:
            keep.update(name, owner=f"owner {number}", etag=etag)
        except grpc.RpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(change, range(16)))
    assert sorted(code.name for code in codes) == ["ABORTED"] * 15 + ["OK"]
    assert len(keep.changes(name)) == 2


def test_retries(live: Running, keep: Experiments, new_id: NewId) -> None:
    """A repeated request_id returns what the first call returned, also later; with another request it is refused."""
    name = new_id()
    wanted = experiment(name)
    first = keep.create(wanted, request_id=f"key-{name}")
    start = pb.StartExperimentRequest(experiment_id=name, actor="t", request_id=f"start-{name}")
    started = live.experiments.StartExperiment(start).experiment
    keep.stop(name)

    assert keep.create(wanted, request_id=f"key-{name}") == first
    assert live.experiments.StartExperiment(start).experiment == started
    assert len(keep.changes(name)) == 3
    other = pb.CreateExperimentRequest(experiment=experiment(new_id()), actor="t", request_id=f"key-{name}")
    refused = refusal(live.experiments.CreateExperiment, other)
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_ids_are_unique_over_files_and_store(live: Running, keep: Experiments, new_id: NewId) -> None:
    """Neither an experiment of a file nor one of the store can be created again."""
    name = new_id()
    keep.create(experiment(name))
    for taken in (name, "banner"):
        request = pb.CreateExperimentRequest(experiment=experiment(taken), actor="t")
        refused = refusal(live.experiments.CreateExperiment, request)
        assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EXPERIMENT_EXISTS")
        assert refused.metadata == {"programme": "default", "experiment_id": taken}


def test_experiments_of_files_are_read_only(live: Running, keep: Experiments) -> None:
    """What a file defines can be read like all others, and says where it is to be changed."""
    banner = keep.get("banner")
    assert banner.read_only
    assert not banner.HasField("create_time")
    assert banner.variants[1].parameters["text"].string_value == "Hallo, 世界"
    assert keep.changes("banner") == []

    update = pb.UpdateExperimentRequest(
        experiment=experiment_pb2.Experiment(experiment_id="banner"), actor="t"
    )
    refused = [refusal(live.experiments.UpdateExperiment, update)]
    refused += [
        refusal(
            getattr(live.experiments, f"{method}Experiment"),
            getattr(pb, f"{method}ExperimentRequest")(experiment_id="banner", actor="t"),
        )
        for method in ("Start", "Stop", "Archive")
    ]
    for one in refused:
        assert (one.code, one.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXPERIMENT_READ_ONLY")
        assert "file" in one.message


def test_the_same_checks_as_for_files(live: Running, new_id: NewId) -> None:
    """All problems of a definition are named at once, with their paths in the request."""
    wanted = experiment(new_id(), alpha=1.5, control="nobody", targeting="tier == 'gold'", traffic_ppm=-1)
    wanted.metrics[0].numerator.outcome_type = ""
    wanted.metrics[0].direction = 77  # type: ignore[assignment]

    refused = refusal(
        live.experiments.CreateExperiment, pb.CreateExperimentRequest(experiment=wanted, actor="t")
    )
    assert (refused.code, refused.paths) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["experiment.metrics[0].direction"],
    )
    wanted.metrics[0].ClearField("direction")
    refused = refusal(
        live.experiments.CreateExperiment, pb.CreateExperimentRequest(experiment=wanted, actor="t")
    )

    assert refused.reason == "INVALID_REQUEST"
    assert set(refused.paths) == {
        "experiment.alpha",
        "experiment.control",
        "experiment.traffic_ppm",
        "experiment.attributes",
        "experiment.metrics[0].numerator.outcome_type",
    }


def test_targeting_is_checked_when_saved(live: Running, new_id: NewId) -> None:
    """A rule that cannot be read, or that reads what is not declared, is refused at once."""
    wanted = experiment(new_id(), targeting="age >=", attributes={"age": experiment_pb2.ATTRIBUTE_TYPE_INT})

    refused = refusal(
        live.experiments.CreateExperiment, pb.CreateExperimentRequest(experiment=wanted, actor="t")
    )

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert all(path.startswith("experiment.targeting") for path in refused.paths)


@pytest.mark.parametrize(
    ("method", "request_message", "paths"),
    [
        ("CreateExperiment", pb.CreateExperimentRequest(), ["experiment", "actor"]),
        ("UpdateExperiment", pb.UpdateExperimentRequest(actor="a" * 257), ["experiment", "actor"]),
        (
            "UpdateExperiment",
            pb.UpdateExperimentRequest(experiment=experiment_pb2.Experiment(owner="x"), actor="t"),
            ["experiment.experiment_id"],
        ),
        ("StartExperiment", pb.StartExperimentRequest(), ["experiment_id", "actor"]),
        (
            "StopExperiment",
            pb.StopExperimentRequest(request_id="r" * 129),
            ["experiment_id", "actor", "request_id"],
        ),
        ("GetExperiment", pb.GetExperimentRequest(), ["experiment_id"]),
        ("GetExperimentResults", pb.GetExperimentResultsRequest(), ["experiment_id"]),
        (
            "ListExperiments",
            pb.ListExperimentsRequest(page_size=-1, page_token="x"),
            ["page_size", "page_token"],
        ),
        ("ListExperimentChanges", pb.ListExperimentChangesRequest(), ["experiment_id"]),
        (
            "CreateExperiment",
            pb.CreateExperimentRequest(
                experiment=experiment_pb2.Experiment(experiment_id="e", programme="other"), actor="t"
            ),
            ["experiment.programme"],
        ),
    ],
)
def test_wrong_fields(live: Running, method: str, request_message: Any, paths: list[str]) -> None:
    """What a request lacks is INVALID_ARGUMENT, all of it at once."""
    refused = refusal(getattr(live.experiments, method), request_message)

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert refused.paths == paths


@pytest.mark.parametrize("method", ["Get", "Start", "Stop", "Archive", "Update"])
def test_unknown(live: Running, method: str) -> None:
    """An unknown experiment and an unknown programme are NOT_FOUND."""
    call = getattr(live.experiments, f"{method}Experiment")
    kind = getattr(pb, f"{method}ExperimentRequest")
    request = kind() if method == "Get" else kind(actor="t")
    if method == "Update":
        request.experiment.experiment_id = "nothing"
    else:
        request.experiment_id = "nothing"

    refused = refusal(call, request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "EXPERIMENT_NOT_FOUND")
    request.programme = "nowhere"
    assert refusal(call, request).reason == "PROGRAMME_NOT_FOUND"


def test_lists_page(live: Running, keep: Experiments, new_id: NewId) -> None:
    """Pages hold every experiment once, by id, those of files too; a token is good for its own list only."""
    for _ in range(5):
        keep.create(experiment(new_id()))
    found: list[str] = []
    request = pb.ListExperimentsRequest(page_size=2)
    while True:
        page = live.experiments.ListExperiments(request)
        assert len(page.experiments) <= 2
        found += [one.experiment_id for one in page.experiments]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    whole = [
        one.experiment_id
        for one in live.experiments.ListExperiments(pb.ListExperimentsRequest(page_size=1000)).experiments
    ]

    assert found == sorted(found) == whole
    assert {"banner", "offer-ranking", "over"} < set(found)
    elsewhere = pb.ListExperimentsRequest(programme="second", page_token=request.page_token)
    assert refusal(live.experiments.ListExperiments, elsewhere).paths == ["page_token"]


def test_trails_page(live: Running, keep: Experiments, new_id: NewId) -> None:
    """The audit trail pages too, oldest first."""
    name = new_id()
    keep.create(experiment(name))
    for number in range(4):
        keep.update(name, owner=f"owner {number}")
    found: list[int] = []
    request = pb.ListExperimentChangesRequest(experiment_id=name, page_size=2)
    while not found or request.page_token:
        page = live.experiments.ListExperimentChanges(request)
        found += [one.position for one in page.changes]
        request.page_token = page.next_page_token

    assert found == [1, 2, 3, 4, 5]
